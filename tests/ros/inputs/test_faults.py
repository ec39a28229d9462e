# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on robots, over DDS: the inputs live on, count it, and use what comes next.

Publishers that die, return or are two: `test_publishers.py`. Bad messages: `test_inputs.py`.
Clocks that jump: `test_rig.py`. Interrupts: `test_node_life.py`.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ineus_core.sources import SyntheticConfig, SyntheticSource

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node
from ros_listening import FRAMES, PASSING_S, Listening
from ros_stream import Camera

pytestmark = pytest.mark.ros


@pytest.fixture
def listen(ros: Callable[..., Node], camera: Camera) -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def make(**settings: Any) -> Listening:
        made.append(Listening(ros(lambda context: Node("ineus", context=context)), **settings))
        topics = (camera.color, camera.depth, camera.info, camera.odom)
        made[-1].spin_until(lambda: all(topic.get_subscription_count() for topic in topics))
        made[-1].spin(10)
        return made[-1]

    yield make
    for listening in made:
        listening.inputs.close()


def is_accounted_for(listening: Listening, sent: int) -> bool:
    inputs = listening.inputs
    return (
        inputs.counters["color_received"] == sent == len(listening.frames) + inputs.frames_dropped
    )


def is_used(listening: Listening, stamp_ns: int) -> bool:
    return bool(listening.frames) and listening.frames[-1].stamp_ns == stamp_ns


def keep(messages: dict[str, Any]) -> None:
    """Keep all messages of a frame."""


def without_pose(messages: dict[str, Any]) -> None:
    messages.pop("odom")


def test_poses_that_are_half_a_second_late_cost_no_frame(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(tf_timeout_s=5.0)
    held: list[Any] = []
    for frame in FRAMES[:8]:
        camera.publish(frame, lambda messages: held.append(messages.pop("odom")))
        listening.spin(3, PASSING_S)
    assert not listening.frames
    listening.spin(25, PASSING_S)
    for message in held:
        camera.odom.publish(message)
    listening.spin_until(lambda: len(listening.frames) == 8)
    for sent, got in zip(FRAMES, listening.frames, strict=False):
        np.testing.assert_allclose(got.world_from_camera, sent.world_from_camera, atol=1e-9)
    assert not listening.drops


def test_poses_that_are_missing_for_five_seconds_cost_these_images_and_no_more(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    """The stamps say five seconds; the wait for each image is shortened."""
    listening = listen(tf_timeout_s=0.3)
    second = 1_000_000_000
    stream = [
        dataclasses.replace(FRAMES[index % 12], stamp_ns=index * second // 2)
        for index in range(14)
    ]
    for index, frame in enumerate(stream):
        has_pose = not 2 <= index < 12
        camera.publish(frame, keep if has_pose else without_pose)
        if has_pose:
            listening.spin_until(lambda n=frame.stamp_ns: is_used(listening, n))  # type: ignore[misc]
        else:
            listening.spin(5, PASSING_S)
    listening.spin_until(lambda: is_accounted_for(listening, 14), PASSING_S)
    assert [frame.stamp_ns for frame in listening.frames] == [
        stream[index].stamp_ns for index in (0, 1, 12, 13)
    ]
    # While nothing came they waited in vain; later poses showed a gap that is not bridged.
    assert sum(listening.drops.values()) == 10
    assert set(listening.drops) <= {"no_pose_in_time", "no_pose"}


def test_a_camera_that_changes_its_size_is_followed(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(tf_timeout_s=2.0)
    larger = list(SyntheticSource(SyntheticConfig(frames=12, width_px=48, height_px=36)))
    stream = [*FRAMES[:3], *larger[3:6]]
    for number, frame in enumerate(stream):
        camera.publish(frame)
        listening.spin_until(lambda n=number: is_accounted_for(listening, n + 1))  # type: ignore[misc]
    # The images are of the new size before its camera_info has been seen, or they are not.
    assert len(listening.frames) + listening.drops.get("bad_frame", 0) == 6
    assert len(listening.frames) >= 5
    assert listening.frames[-1].camera.width_px == 48


def test_ten_times_the_images_at_once_are_all_counted(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(input_queue_size=10, image_queue_size=200)
    camera.publish(FRAMES[0])
    listening.spin_until(lambda: len(listening.frames) == 1)
    stream = [
        dataclasses.replace(FRAMES[index % 12], stamp_ns=2_000_000_000 + index * 10_000_000)
        for index in range(100)
    ]
    for frame in stream:
        camera.publish(frame, without_pose)
    inputs = listening.inputs
    listening.spin_until(
        lambda: (
            inputs.counters["color_received"] + inputs.losses["color"].count == camera.sent
            and inputs.waiting == 0
        ),
        PASSING_S,
    )
    assert inputs.counters["color_received"] == len(listening.frames) + inputs.frames_dropped
    after = dataclasses.replace(FRAMES[5], stamp_ns=9_000_000_000)
    camera.publish(after)
    listening.spin_until(lambda: len(listening.frames) == 2)
