# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of the same name, which ROS allows: their topics and services are mixed."""

from rclpy.node import Node

from ineus_ros.outputs import PartStatus


class Namesakes:
    """Looks whether other nodes have the name of this one."""

    def __init__(self, node: Node) -> None:
        """Begin to look."""
        self._node = node
        self._count = 1

    def status(self) -> PartStatus:
        """Return the status of the name, for /diagnostics; log when others come to have it."""
        node = self._node
        own = (node.get_name(), node.get_namespace())
        before, self._count = self._count, node.get_node_names_and_namespaces().count(own)
        name = node.get_fully_qualified_name()
        if self._count <= 1:
            return PartStatus("node", "ok", name)
        message = (
            f"{self._count} nodes are named {name}, whose topics and services are mixed: expected "
            "one; rename the others with -r __node:=NAME"
        )
        # Once for each that comes, as the status is asked for every second or so.
        if self._count > before:
            node.get_logger().warning(message)
        return PartStatus("node", "warning", message)
