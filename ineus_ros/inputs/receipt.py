# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Times of messages: those of their headers, or when they were received."""

from typing import Any

from rclpy.node import Node

from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.ros_messages import stamp_ns


class ReceiptTimes:
    """Puts the time of receipt into headers without a stamp, or into all if that is asked.

    Whatever reads a stamp later on then need not know of it. A clock may begin at zero, as a bag
    does that is played in a loop, so that a stamp of zero is none only after another one.
    """

    def __init__(self, node: Node, config: RosConfig) -> None:
        """Stamp by the clock of the node."""
        self._node, self._is_for_all = node, config.stamps == "receipt"
        self._was_zero: set[str] = set()

    def stamp(self, header: Any, of: str, info: Any = None) -> None:
        """Set the stamp of a header that needs it.

        Args:
            of: The topic, or whatever has stamps of its own.
            info: What the middleware says of the message, if it does.
        """
        if not self._is_for_all and not self._is_without(header, of):
            return
        seconds, rest_ns = divmod(self._received_ns(info), 1_000_000_000)
        header.stamp.sec, header.stamp.nanosec = seconds, rest_ns

    def _is_without(self, header: Any, of: str) -> bool:
        if stamp_ns(header):
            self._was_zero.discard(of)
            return False
        is_again = of in self._was_zero
        self._was_zero.add(of)
        return is_again

    def _received_ns(self, info: Any) -> int:
        clock = self._node.get_clock()
        # Simulated time is that of poses and images, and the middleware does not know it.
        if isinstance(info, dict) and not clock.ros_time_is_active:
            # Its time, where it tells one: ours also holds the wait for the executor.
            received_ns = info.get("received_timestamp") or 0
            if received_ns > 0:
                return int(received_ns)
        return int(clock.now().nanoseconds)
