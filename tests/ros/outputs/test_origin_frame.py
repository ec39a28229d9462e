# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The frame of clouds far from the origin of the world: its name, its place, when it is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from builtin_interfaces.msg import Time
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node

from ineus_core.reconstruction import MapOrigin
from ineus_core.ros_config import RosConfig
from ineus_core.types import Mesh, MeshBlock, MeshUpdate
from ineus_ros.outputs import MeshPublisher, OriginFrame
from ineus_ros.outputs.origin_frame import origin_transform

pytestmark = pytest.mark.ros
FAR = MapOrigin(5e5, 5e6, 1000.0)


def test_it_is_that_of_the_world_near_its_origin_and_has_the_node_s_name_else(
    ros: Callable[..., Any],
) -> None:
    frame = OriginFrame(ros(lambda context: Node("ineus", context=context)), lambda: "map")
    assert (frame.of(MapOrigin()), frame.of(FAR), frame.name) == (
        "map",
        "ineus_origin",
        "ineus_origin",
    )
    namespaced = ros(lambda context: Node("ineus", namespace="/robot_1", context=context))
    assert OriginFrame(namespaced, lambda: "map").of(FAR) == "robot_1_ineus_origin"


def test_points_of_it_are_brought_to_the_world_in_double_precision(
    ros: Callable[..., Any],
) -> None:
    frame = OriginFrame(ros(lambda context: Node("ineus", context=context)), lambda: "map")
    points = np.array(((0.125, 0.25, -0.5),), np.float32)
    world = frame.points_in_world(points, "ineus_origin", FAR)
    assert world.tolist() == [[500_000.125, 5_000_000.25, 999.5]]
    assert frame.points_in_world(points, "map", FAR) is points


def test_the_transform_has_the_place_in_double_precision() -> None:
    message = origin_transform(FAR, "map", "ineus_origin", Time(sec=3))
    assert (message.header.frame_id, message.child_frame_id) == ("map", "ineus_origin")
    place, turn = message.transform.translation, message.transform.rotation
    assert (place.x, place.y, place.z) == (5e5, 5e6, 1000.0)
    assert (turn.x, turn.y, turn.z, turn.w) == (0.0, 0.0, 0.0, 1.0)
    assert message.header.stamp.sec == 3


def test_a_map_that_begins_anew_takes_the_old_blocks_with_it(ros: Callable[..., Any]) -> None:
    node = ros(lambda context: LifecycleNode("ineus", context=context))
    origin = OriginFrame(node, lambda: "odom")
    publisher = MeshPublisher(node, RosConfig(), lambda: "odom", origin, lambda: 0, lambda: None)
    nothing = np.zeros((3, 3), np.float32)
    triangle = Mesh(nothing, np.array(((0, 1, 2),)), nothing, nothing.astype(np.uint8))
    blocks = tuple(MeshBlock((x, 0, 0), triangle) for x in range(4))
    publisher.on_mesh(MeshUpdate(0, blocks, ()))
    publisher.on_mesh(MeshUpdate(1, blocks[:1], ()))
    assert len(publisher.blocks()) == len(blocks)
    publisher.on_mesh(MeshUpdate(2, blocks[:1], (), begins_anew=True))
    assert len(publisher.blocks()) == 1
    # Another origin is another map, whoever says so.
    publisher.on_mesh(MeshUpdate(3, blocks[1:], (), origin_m=(5e5, 5e6, 1000.0)))
    assert len(publisher.blocks()) == len(blocks) - 1
    assert publisher.origin == FAR
