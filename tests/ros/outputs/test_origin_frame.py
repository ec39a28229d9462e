# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The frame of clouds far from the origin of the world: its name, its place, when it is told."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from ineus_core.reconstruction import MapOrigin
from ineus_core.ros_config import RosConfig
from ineus_core.types import Mesh, MeshBlock, MeshUpdate
from ineus_ros.outputs import MeshPublisher, OriginFrame
from ineus_ros.outputs.origin_frame import origin_transform
from ineus_ros.qos import latched

pytestmark = pytest.mark.ros
HUNG_S = 60.0
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


@dataclass
class Transforms:
    """Stands for tf2_msgs/TFMessage, which comes with a ROS distribution only."""

    transforms: list[Any]


def test_tf_static_is_told_once_of_each_place(
    ros: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str, float]] = []
    node = ros(lambda context: Node("ineus", context=context))

    def create_publisher(kind: type, topic: str, qos: QoSProfile) -> Any:
        assert (kind, topic) == (Transforms, "/tf_static")
        # Who joins later has to know of it, too.
        assert (qos.durability, qos.depth) == (DurabilityPolicy.TRANSIENT_LOCAL, 1)
        return SimpleNamespace(publish=take)

    def take(message: Transforms) -> None:
        (link,) = message.transforms
        told.append((link.header.frame_id, link.child_frame_id, link.transform.translation.y))

    stand_in = SimpleNamespace(TFMessage=Transforms)
    monkeypatch.setitem(sys.modules, "tf2_msgs", SimpleNamespace(msg=stand_in))
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", stand_in)
    monkeypatch.setattr(node, "create_publisher", create_publisher)
    worlds = ["map"]
    frame = OriginFrame(node, lambda: worlds[-1])
    for origin in (MapOrigin(), FAR, FAR, MapOrigin(), FAR):
        frame.of(origin)
    assert told == [("map", "ineus_origin", 5e6)]
    frame.of(MapOrigin(5e5, 4e6, 1000.0))
    worlds.append("odom")
    frame.of(MapOrigin(5e5, 4e6, 1000.0))
    assert told[1:] == [("map", "ineus_origin", 4e6), ("odom", "ineus_origin", 4e6)]


def test_who_joins_later_hears_of_it_over_dds(ros: Callable[..., Any]) -> None:
    messages = pytest.importorskip("tf2_msgs.msg", reason="needs tf2_msgs of a ROS distribution")
    frame = OriginFrame(ros(lambda context: Node("ineus", context=context)), lambda: "map")
    frame.of(FAR)
    listener = ros(lambda context: Node("listener", context=context))
    heard: list[Any] = []
    listener.create_subscription(messages.TFMessage, "/tf_static", heard.append, latched(1))
    executor = SingleThreadedExecutor(context=listener.context)
    executor.add_node(listener)
    while not heard:
        executor.spin_once(timeout_sec=HUNG_S)
    (link,) = heard[0].transforms
    assert link == origin_transform(FAR, "map", "ineus_origin", link.header.stamp)


def test_a_map_that_begins_anew_takes_the_old_blocks_with_it(ros: Callable[..., Any]) -> None:
    node = ros(lambda context: LifecycleNode("ineus", context=context))
    origin = OriginFrame(node, lambda: "odom")
    publisher = MeshPublisher(node, RosConfig, lambda: "odom", origin, lambda: 0, lambda: None)
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
