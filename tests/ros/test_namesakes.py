# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A node that shares its name with another one says so."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node

from ineus_ros.demo.listener import wait_until
from ineus_ros.namesakes import Namesakes

pytestmark = pytest.mark.ros


def test_two_nodes_of_one_name_are_a_warning_and_two_of_one_kind_are_not(
    ros: Callable[..., Any],
) -> None:
    node = ros(lambda context: Node("ineus", context=context, namespace="left"))
    ros(lambda context: Node("ineus", context=context, namespace="right"))
    namesakes = Namesakes(node)
    names = [("ineus", "/left"), ("ineus", "/right")]
    known = node.get_node_names_and_namespaces
    assert wait_until(lambda: set(names) <= set(known()), 120.0)
    assert namesakes.status().level == "ok"
    ros(lambda context: Node("ineus", context=context, namespace="left"))
    assert wait_until(lambda: known().count(names[0]) == 2, 120.0)
    status = namesakes.status()
    assert (status.level, status.name) == ("warning", "node")
    assert status.message.startswith("2 nodes are named /left/ineus")
