# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Publishers as they really are: compressed, two at once, gone and back again."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node
from ros_listening import FRAMES, Listening
from ros_stream import Camera

pytestmark = pytest.mark.ros


def meet(listening: Listening, *cameras: Camera) -> None:
    """Wait until the inputs have found all cameras, and these the inputs."""
    topics = [t for camera in cameras for t in (camera.color, camera.depth, camera.info)]
    topics += [camera.odom for camera in cameras]
    listening.spin_until(lambda: all(topic.get_subscription_count() for topic in topics))
    listening.spin_until(lambda: listening.publishers == len(cameras))


@pytest.fixture
def inputs(ros: Callable[..., Node]) -> Callable[..., Listening]:
    def make(**settings: Any) -> Listening:
        return Listening(ros(lambda context: Node("ineus", context=context)), **settings)

    return make


def is_accounted_for(listening: Listening, sent: int) -> bool:
    """Decide whether each image is a frame or a drop."""
    inputs = listening.inputs
    received = inputs.counters["color_received"]
    return received == sent == len(listening.frames) + inputs.frames_dropped


def test_compressed_colour_and_depth(
    domain: Mapping[str, str], inputs: Callable[..., Listening]
) -> None:
    listening = inputs(image_transport="compressed")
    with Camera(compressed=True) as camera:
        meet(listening, camera)
        for frame in FRAMES[:4]:
            camera.publish(frame)
        listening.spin_until(lambda: len(listening.frames) == 4)
        for sent, got in zip(FRAMES[:4], listening.frames, strict=True):
            assert got.stamp_ns == sent.stamp_ns
            np.testing.assert_array_equal(got.rgb, sent.rgb)
            np.testing.assert_allclose(got.depth_m, sent.depth_m, atol=0.0006)

        def cut(messages: dict[str, Any]) -> None:
            del messages["color"].data[40:]

        camera.publish(FRAMES[4], cut)
        listening.spin_until(lambda: listening.drops == {"bad_color": 1})
        camera.publish(FRAMES[5])
        listening.spin_until(lambda: is_accounted_for(listening, camera.sent))
    assert len(listening.frames) == 5


def test_a_publisher_that_dies_and_returns(
    domain: Mapping[str, str], inputs: Callable[..., Listening]
) -> None:
    """The new one begins to number its messages anew, which is no loss."""
    listening = inputs()
    for life in (FRAMES[:4], FRAMES[4:8]):
        with Camera() as camera:
            meet(listening, camera)
            before = len(listening.frames)
            for frame in life:
                camera.publish(frame)
            listening.spin_until(partial(lambda n: len(listening.frames) == n, before + 4))
        listening.spin_until(lambda: listening.publishers == 0)
    assert [frame.stamp_ns for frame in listening.frames] == [f.stamp_ns for f in FRAMES[:8]]
    assert is_accounted_for(listening, 8)
    assert not any(lost.count for lost in listening.inputs.losses.values())


def test_two_publishers_on_one_topic(
    domain: Mapping[str, str], inputs: Callable[..., Listening]
) -> None:
    """By mistake, or two drivers at once: every image is accounted for, and no loss invented."""
    listening = inputs()
    with Camera("first") as first, Camera("second") as second:
        meet(listening, first, second)
        for index, frame in enumerate(FRAMES[:8]):
            (second if index % 2 else first).publish(frame)
            listening.spin_until(partial(lambda n: len(listening.frames) == n, index + 1))
        second.publish(FRAMES[7])
        listening.spin_until(lambda: is_accounted_for(listening, 9))
    assert not any(lost.count for lost in listening.inputs.losses.values())
