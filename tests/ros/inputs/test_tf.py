# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""TF over DDS at 200 Hz beside images, through tf2_ros or our own tree, whichever is installed."""

import bisect
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from ineus_core.geometry import rigid_inverse, rigid_transform

pytest.importorskip("rclpy", reason="needs rclpy")
pytest.importorskip("tf2_msgs", reason="needs tf2_msgs, which comes with a ROS distribution")

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_listening import FRAMES, PASSING_S, Listening
from ros_stream import Camera, pose_message
from tf2_msgs.msg import TFMessage

pytestmark = pytest.mark.ros

STREAM = [dataclasses.replace(f, stamp_ns=f.stamp_ns + 5_000_000_000) for f in FRAMES]
"""As from a camera whose clock has a time: to tf2, 0 would be the newest one."""
MOUNT = rigid_transform(np.array((0.1, -0.2, 0.3)), np.array((-0.5, 0.5, -0.5, 0.5)))
RATE_HZ = 200


def link(parent: str, child: str, stamp_ns: int, transform: np.ndarray) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    pose = pose_message(transform)
    message.transform.rotation = pose.orientation
    for axis in "xyz":
        setattr(message.transform.translation, axis, getattr(pose.position, axis))
    return message


class Body:
    """Broadcasts the body that carries the camera of `STREAM`, at 200 Hz in stamps and in fact."""

    def __init__(self, camera: Camera) -> None:
        create = camera.node.create_publisher
        self.moving = create(TFMessage, "/tf", QoSProfile(depth=100))
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.static = create(TFMessage, "/tf_static", latched)

    def mount(self) -> None:
        message = link("base_link", "camera_optical", 0, MOUNT)
        self.static.publish(TFMessage(transforms=[message]))

    def broadcast(self, first_ns: int, last_ns: int) -> None:
        """Broadcast poses; between frames they are on the straight way, as TF takes them to be."""
        stamps = [frame.stamp_ns for frame in STREAM]
        for stamp in range(first_ns, last_ns + 1, 1_000_000_000 // RATE_HZ):
            index = min(bisect.bisect_right(stamps, stamp) - 1, len(STREAM) - 1)
            pose = STREAM[index].world_from_camera @ rigid_inverse(MOUNT)
            message = link("odom", "base_link", stamp, pose)
            self.moving.publish(TFMessage(transforms=[message]))
            time.sleep(1.0 / RATE_HZ)


@pytest.fixture
def listen(ros: Callable[..., Node], camera: Camera) -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def make(**settings: Any) -> Listening:
        made.append(Listening(ros(lambda context: Node("ineus", context=context)), **settings))
        topics = (camera.color, camera.depth, camera.info)
        made[-1].spin_until(lambda: all(topic.get_subscription_count() for topic in topics))
        made[-1].spin(20)
        return made[-1]

    yield make
    for listening in made:
        listening.inputs.close()


def without_odometry(messages: dict[str, Any]) -> None:
    messages.pop("odom")


@pytest.mark.parametrize(
    "settings",
    [
        {"pose_source": "tf"},
        {"pose_source": "auto"},
        {"pose_source": "tf", "pose_frame": "base_link"},
    ],
)
def test_images_at_the_poses_of_tf_at_200_hz(
    domain: Mapping[str, str],
    camera: Camera,
    listen: Callable[..., Listening],
    settings: dict[str, Any],
) -> None:
    listening = listen(tf_timeout_s=5.0, **settings)
    body = Body(camera)
    listening.spin_until(lambda: body.moving.get_subscription_count() > 0)
    body.mount()
    sender = threading.Thread(target=body.broadcast, args=(STREAM[0].stamp_ns, STREAM[7].stamp_ns))
    sender.start()
    for frame in STREAM[:8]:
        camera.publish(frame, without_odometry)
        listening.spin(2)
    listening.spin_until(lambda: len(listening.frames) == 8)
    sender.join()
    for sent, got in zip(STREAM, listening.frames, strict=False):
        np.testing.assert_allclose(got.world_from_camera, sent.world_from_camera, atol=1e-6)
    assert not listening.drops


def test_odometry_of_the_body_with_its_mount_from_tf(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(pose_source="odom", tf_timeout_s=5.0)
    body = Body(camera)
    listening.spin_until(lambda: body.static.get_subscription_count() > 0)
    body.mount()

    def of_body(messages: dict[str, Any]) -> None:
        messages["odom"].child_frame_id = "base_link"
        pose = STREAM[0].world_from_camera @ rigid_inverse(MOUNT)
        messages["odom"].pose.pose = pose_message(pose)

    camera.publish(STREAM[0], of_body)
    listening.spin_until(lambda: len(listening.frames) == 1)
    got = listening.frames[0].world_from_camera
    np.testing.assert_allclose(got, STREAM[0].world_from_camera, atol=1e-6)


def test_odometry_of_the_body_whose_camera_tf_leaves_out_is_not_used(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(pose_source="odom", tf_timeout_s=0.5)
    body = Body(camera)
    listening.spin_until(lambda: body.static.get_subscription_count() > 0)
    body.static.publish(TFMessage(transforms=[link("base_link", "gripper", 0, MOUNT)]))

    def of_body(messages: dict[str, Any]) -> None:
        messages["odom"].child_frame_id = "base_link"

    camera.publish(STREAM[0], of_body)
    listening.spin_until(lambda: listening.drops == {"no_pose_in_time": 1}, PASSING_S)
    assert not listening.frames


def test_a_transform_that_is_missing_is_waited_for_then_counted_and_never_the_identity(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(pose_source="tf", tf_timeout_s=0.5)
    body = Body(camera)
    body.mount()
    camera.publish(STREAM[0], without_odometry)
    listening.spin_until(lambda: listening.inputs.waiting == 1)
    listening.spin_until(lambda: listening.drops == {"no_pose_in_time": 1}, PASSING_S)
    assert not listening.frames


def test_an_image_without_a_stamp_does_not_get_the_newest_pose(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(pose_source="tf", tf_timeout_s=0.5)
    body = Body(camera)
    listening.spin_until(lambda: body.moving.get_subscription_count() > 0)
    body.mount()
    body.broadcast(STREAM[0].stamp_ns, STREAM[1].stamp_ns)
    camera.publish(FRAMES[0], without_odometry)
    listening.spin_until(lambda: bool(listening.drops), PASSING_S)
    assert set(listening.drops) <= {"no_pose", "no_pose_in_time"} and not listening.frames


def test_a_bag_that_begins_anew_is_not_refused_for_its_age(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    """tf2 would ignore transforms that are older than those of the last ten seconds."""
    listening = listen(pose_source="tf", tf_timeout_s=3.0)
    body = Body(camera)
    listening.spin_until(lambda: body.moving.get_subscription_count() > 0)
    body.mount()
    hour_ns = 3_600_000_000_000
    for later_ns in (hour_ns, 0):
        count = len(listening.frames)
        for shift_ns in (0, 100_000_000):
            stamp = STREAM[0].stamp_ns + later_ns + shift_ns
            frame = dataclasses.replace(STREAM[0], stamp_ns=stamp)
            camera.publish(frame, without_odometry)
            # The image tells of the jump; transforms of the new time may come before or after.
            listening.spin(5)
            for offset_ns in (-5_000_000, 0, 5_000_000):
                pose = STREAM[0].world_from_camera @ rigid_inverse(MOUNT)
                message = link("odom", "base_link", stamp + offset_ns, pose)
                body.moving.publish(TFMessage(transforms=[message]))
            listening.spin_until(lambda n=count + 1: len(listening.frames) >= n)  # type: ignore[misc]
            count += 1
    assert listening.inputs.counters["time_jumps"] == 1


def test_a_recording_that_begins_at_0_loses_nothing(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(pose_source="tf", tf_timeout_s=3.0)
    body = Body(camera)
    listening.spin_until(lambda: body.moving.get_subscription_count() > 0)
    body.mount()
    camera.publish(FRAMES[0], without_odometry)
    for stamp, place in ((0, FRAMES[0]), (5_000_000, FRAMES[0]), (100_000_000, FRAMES[1])):
        pose = place.world_from_camera @ rigid_inverse(MOUNT)
        message = link("odom", "base_link", stamp, pose)
        body.moving.publish(TFMessage(transforms=[message]))
    listening.spin_until(lambda: len(listening.frames) == 1)
    got = listening.frames[0].world_from_camera
    np.testing.assert_allclose(got, FRAMES[0].world_from_camera, atol=1e-6)
