# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A private ROS domain for all tests here, nodes in it, and a camera that they may listen to."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")


@pytest.fixture(scope="session", autouse=True)
def domain() -> Iterator[Mapping[str, str]]:
    """Hold a ROS domain for these tests alone; the environment that joins it."""
    from ineus_ros.demo.processes import private_domain

    with private_domain() as environment:
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        yield environment
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture
def ros(domain: Mapping[str, str]) -> Iterator[Callable[..., Any]]:
    """Make nodes: `ros(name, class=Node, arguments=[...])`; all are destroyed at the end."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    nodes = []
    contexts = []

    def make(make_node: Callable[..., Any], arguments: list[str] | None = None) -> Any:
        context = rclpy.Context()
        rclpy.init(
            args=["--ros-args", *(arguments or [])],
            context=context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        contexts.append(context)
        node = make_node(context=context)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    for context in contexts:
        context.try_shutdown()


@pytest.fixture
def camera(domain: Mapping[str, str]) -> Iterator[Any]:
    """Publish frames."""
    from ros_stream import Camera

    with Camera() as made:
        yield made


@pytest.fixture
def listen(ros: Callable[..., Any], camera: Any) -> Callable[..., Any]:
    """Make inputs that the camera has found: `listen(parameter=value)`."""
    from rclpy.node import Node
    from ros_listening import Listening

    def make(**settings: Any) -> Any:
        listening = Listening(ros(lambda context: Node("ineus", context=context)), **settings)
        topics = [camera.color, camera.info]
        topics += [camera.pose] if settings.get("pose_source") == "pose" else [camera.odom]
        listening.spin_until(lambda: all(topic.get_subscription_count() for topic in topics))
        listening.spin(10)
        return listening

    return make
