# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Headers of messages: a stamp in ns and a frame id."""

from std_msgs.msg import Header


def header_of(stamp_ns: int, frame_id: str) -> Header:
    """Make a header with a stamp in ns."""
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return header
