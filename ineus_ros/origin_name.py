# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The name of the frame that a node adds to TF, which is no reason to wait for more of TF."""

from rclpy.node import Node


def origin_frame_name(node: Node) -> str:
    """Return the name, `ineus_origin`, with the namespace of the node before it."""
    return f"{node.get_fully_qualified_name().strip('/').replace('/', '_')}_origin"
