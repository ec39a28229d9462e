# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The colours of ~/mesh, which a parameter chooses while the node runs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from ros_listening import HUNG_S
from visualization_msgs.msg import Marker, MarkerArray

from ineus_core.ros_config import RosConfig
from ineus_core.types import Mesh, MeshBlock, MeshUpdate
from ineus_ros.outputs.mesh import MeshPublisher
from ineus_ros.outputs.origin_frame import OriginFrame
from ineus_ros.qos import latched

pytestmark = pytest.mark.ros


def block(x: int, normal: tuple[float, float, float]) -> MeshBlock:
    """Return a red triangle that looks along a normal."""
    triangle = Mesh(
        np.eye(3, dtype=np.float32),
        np.array(((0, 1, 2),), dtype=np.int32),
        np.tile(np.array(normal, dtype=np.float32), (3, 1)),
        np.tile(np.array((255, 0, 0), dtype=np.uint8), (3, 1)),
    )
    return MeshBlock((x, 0, 0), triangle)


def test_a_change_shows_the_whole_mesh_in_other_colours(ros: Callable[..., Any]) -> None:
    node = ros(lambda context: LifecycleNode("ineus", context=context))
    listener = ros(lambda context: Node("listener", context=context))
    heard: list[Any] = []
    listener.create_subscription(MarkerArray, "/ineus/mesh", heard.append, latched(10))
    executor = SingleThreadedExecutor(context=listener.context)
    executor.add_node(listener)
    config = RosConfig()
    origin = OriginFrame(node, lambda: "odom")
    publisher = MeshPublisher(
        node, lambda: config, lambda: "odom", origin, lambda: 0, lambda: None
    )
    node.trigger_configure()
    node.trigger_activate()

    def published(update: MeshUpdate) -> list[Marker]:
        publisher.on_mesh(update)
        while not heard:
            executor.spin_once(timeout_sec=HUNG_S)
        return heard.pop(0).markers

    while not publisher._markers.get_subscription_count():
        executor.spin_once(timeout_sec=0.05)
    up, down = block(0, (0, 0, 1)), block(1, (0, 0, -1))
    plain = published(MeshUpdate(0, (up, down), ()))
    assert [marker.colors[0].r for marker in plain] == [1.0, 1.0]
    config = RosConfig(mesh_colors="shaded")
    # One block changes; both are there anew, what looks down darker.
    wiped, lit, dark = published(MeshUpdate(1, (up,), ()))
    assert wiped.action == Marker.DELETEALL
    assert 1.0 >= lit.colors[0].r > 1.5 * dark.colors[0].r > 0.0
    assert lit.colors[0].g == 0.0
    config = RosConfig(mesh_colors="normal")
    of_normals = published(MeshUpdate(2, (up,), ()))[1]
    assert (of_normals.colors[0].r, of_normals.colors[0].b) == (pytest.approx(0.5, abs=0.01), 1.0)
