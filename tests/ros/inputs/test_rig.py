# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""More than one camera, depth with a lens of its own, masks, and every kind of pose topic."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from ineus_core.geometry import rigid_transform, rotation_to_quaternion
from ineus_core.sources import (
    Adjustment,
    PoseReadingConfig,
    SyntheticConfig,
    SyntheticSource,
)
from ineus_core.types import Frame

pytest.importorskip("rclpy", reason="needs rclpy")

from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from rclpy.node import Node
from ros_listening import FRAMES, PASSING_S, Listening
from ros_stream import Camera, pose_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ineus_ros.outputs.image_topics import camera_info_message, image_message

pytestmark = pytest.mark.ros

AHEAD = rigid_transform(np.array((0.1, 0.0, 0.0)), np.array((0, 0, 0, 1.0)))
ASIDE = rigid_transform(np.array((-0.1, 0.0, 0.2)), np.array((0, 0.5**0.5, 0, 0.5**0.5)))


def numbers(transform: np.ndarray) -> list[float]:
    return [*map(float, transform[:3, 3]), *map(float, rotation_to_quaternion(transform[:3, :3]))]


@pytest.fixture
def inputs(ros: Callable[..., Node]) -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def make(**settings: Any) -> Listening:
        node = ros(lambda context: Node("ineus", context=context))
        made.append(Listening(node, **settings))
        return made[-1]

    yield make
    for listening in made:
        listening.inputs.close()


def meet(listening: Listening, *topics: Any) -> None:
    listening.spin_until(lambda: all(topic.get_subscription_count() for topic in topics))
    listening.spin(10)


def of_body(frame: Frame) -> Callable[[dict[str, Any]], None]:
    """Make odometry of the body at the place of a frame's camera."""

    def edit(messages: dict[str, Any]) -> None:
        messages["odom"].child_frame_id = "base_link"
        messages["odom"].pose.pose = pose_message(frame.world_from_camera)

    return edit


def test_two_cameras_of_a_rig_each_at_its_place(
    domain: Mapping[str, str], inputs: Callable[..., Listening]
) -> None:
    listening = inputs(
        cameras=["left", "right"],
        body_from_cameras=[*numbers(AHEAD), *numbers(ASIDE)],
        tf_timeout_s=2.0,
    )
    small = list(SyntheticSource(SyntheticConfig(frames=12, width_px=16, height_px=12)))
    with (
        Camera("left", prefix="left/", frame_id="left_optical") as left,
        Camera("right", prefix="right/", frame_id="right_optical") as right,
    ):
        topics = [t for c in (left, right) for t in (c.color, c.depth, c.info, c.odom)]
        meet(listening, *topics)
        for frame, other in zip(FRAMES[:3], small[:3], strict=True):
            body = dataclasses.replace(other, world_from_camera=frame.world_from_camera)
            left.publish(frame, of_body(frame))
            right.publish(body, lambda messages: messages.pop("odom"))
        listening.spin_until(lambda: len(listening.frames) == 6)
    assert not listening.drops
    for camera_id, mount in enumerate((AHEAD, ASIDE)):
        got = [frame for frame in listening.frames if frame.camera_id == camera_id]
        for sent, frame in zip(FRAMES, got, strict=False):
            expected = sent.world_from_camera @ mount
            np.testing.assert_allclose(frame.world_from_camera, expected, atol=1e-9)
    assert {frame.camera.width_px for frame in listening.frames} == {32, 16}
    np.testing.assert_allclose(
        listening.inputs.first_from_camera[1], np.linalg.inv(AHEAD) @ ASIDE, atol=1e-9
    )
    assert listening.inputs.counters["right.color_received"] == 3
    newest = listening.inputs.newest
    assert newest is not None and newest.frame_id == "left_optical"


@pytest.mark.parametrize("told", [True, False])
def test_a_rig_sits_where_it_is_said_and_never_all_in_one_place(
    domain: Mapping[str, str], inputs: Callable[..., Listening], told: bool
) -> None:
    """That the first camera is the body may be said; of a body without a name TF knows nothing."""
    mounts = [*numbers(np.eye(4)), *numbers(ASIDE)] if told else []
    listening = inputs(cameras=["left", "right"], body_from_cameras=mounts, tf_timeout_s=2.0)

    def edit(messages: dict[str, Any]) -> None:
        messages["odom"].child_frame_id = "base_link" if told else ""

    with Camera("left", prefix="left/") as left:
        meet(listening, left.color, left.depth, left.info, left.odom)
        left.publish(FRAMES[0], edit)
        if not told:
            listening.spin_until(lambda: listening.drops == {"no_pose": 1}, PASSING_S)
            assert not listening.frames
            return
        listening.spin_until(lambda: len(listening.frames) == 1)
    got = listening.frames[0].world_from_camera
    np.testing.assert_allclose(got, FRAMES[0].world_from_camera, atol=1e-9)


WIDE = SyntheticSource(SyntheticConfig(frames=12, width_px=48, height_px=40)).frame(0)


def with_own_depth(camera: Camera, frame: Frame, depth: Frame) -> None:
    """Publish colour of one view and the depth of another, with its camera_info."""
    header = Header(frame_id="depth_optical")
    header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    assert depth.depth_m is not None

    def edit(messages: dict[str, Any]) -> None:
        messages["depth"] = image_message(header, "32FC1", depth.depth_m)
        messages["depth_info"] = camera_info_message(header, depth.camera)

    camera.publish(frame, edit)


@pytest.mark.parametrize("told", [True, False])
def test_depth_with_a_lens_of_its_own_is_registered_and_never_by_a_guess(
    domain: Mapping[str, str],
    camera: Camera,
    inputs: Callable[..., Listening],
    told: bool,
) -> None:
    settings: dict[str, Any] = {"color_from_depth": numbers(np.eye(4))} if told else {}
    listening = inputs(**settings)
    camera.also(depth_info=(CameraInfo, "depth/camera_info"))
    meet(listening, camera.color, camera.depth, camera.info, camera.odom, camera.depth_info)  # type: ignore[attr-defined]
    with_own_depth(camera, FRAMES[0], WIDE)
    if not told:
        listening.spin_until(lambda: listening.drops == {"no_depth_transform": 1}, PASSING_S)
        return
    listening.spin_until(lambda: len(listening.frames) == 1)
    got, truth = listening.frames[0].depth_m, FRAMES[0].depth_m
    assert got is not None and truth is not None and got.shape == (24, 32)
    both = (got > 0) & (truth > 0)
    assert both.mean() > 0.9 and np.median(np.abs(got - truth)[both]) < 0.05


def mask_message(stamp_ns: int, mask: np.ndarray, encoding: str = "mono8") -> Image:
    header = Header(frame_id="camera_optical")
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return image_message(header, encoding, mask)


@pytest.mark.parametrize(("size", "encoding"), [((24, 32), "mono8"), ((12, 16), "mono16")])
def test_what_a_mask_paints_is_not_used(
    camera: Camera, inputs: Callable[..., Listening], size: tuple[int, int], encoding: str
) -> None:
    listening = inputs(tf_timeout_s=2.0)
    camera.also(mask=(Image, "mask/image"))
    meet(listening, camera.color, camera.depth, camera.info, camera.odom, camera.mask)  # type: ignore[attr-defined]
    listening.spin_until(lambda: listening.uses_mask)
    person = np.zeros(size, np.uint8 if encoding == "mono8" else np.uint16)
    person[: size[0] // 2, : size[1] // 4] = 1
    message = mask_message(FRAMES[0].stamp_ns, person, encoding)
    camera.publish(FRAMES[0], lambda messages: messages.update(mask=message))
    listening.spin_until(lambda: len(listening.frames) == 1)
    usable = listening.frames[0].mask
    assert usable is not None
    assert not usable[:12, :8].any() and usable[12:].all() and usable[:, 8:].all()
    # From now on no colour goes without.
    for frame in FRAMES[1:3]:
        camera.publish(frame)
    bad = mask_message(FRAMES[3].stamp_ns, person, encoding)
    del bad.data[3:]
    camera.publish(FRAMES[3], lambda messages: messages.update(mask=bad))
    listening.spin_until(
        lambda: (
            listening.drops
            == {"color_without_depth_or_mask": 2, "depth_without_color": 2, "bad_mask": 1}
        )
    )
    assert len(listening.frames) == 1


@pytest.mark.parametrize(
    ("source", "kind"),
    [("pose_with_covariance", PoseWithCovarianceStamped), ("transform", TransformStamped)],
)
@pytest.mark.parametrize("auto", [True, False])
def test_poses_of_every_kind(
    camera: Camera, inputs: Callable[..., Listening], source: str, kind: type, auto: bool
) -> None:
    listening = inputs(pose_source="auto" if auto else source, tf_timeout_s=2.0)
    camera.also(other=(kind, source))
    meet(listening, camera.color, camera.depth, camera.info, camera.other)  # type: ignore[attr-defined]
    pose = pose_message(FRAMES[0].world_from_camera)

    def instead_of_odometry(messages: dict[str, Any]) -> None:
        odometry = messages.pop("odom")
        message = kind(header=odometry.header)
        if kind is TransformStamped:
            message.transform.rotation = pose.orientation
            for axis in "xyz":
                setattr(message.transform.translation, axis, getattr(pose.position, axis))
        else:
            message.pose.pose = pose
        messages["other"] = message

    camera.publish(FRAMES[0], instead_of_odometry)
    listening.spin_until(lambda: len(listening.frames) == 1)
    got = listening.frames[0].world_from_camera
    np.testing.assert_allclose(got, FRAMES[0].world_from_camera, atol=1e-9)


def test_what_makes_the_views_of_an_input_agree_serves_topics_too(
    camera: Camera, inputs: Callable[..., Listening]
) -> None:
    """Inverted poses and depth in tenths of a millimetre, as `ineus check` names them."""
    meant = Adjustment(PoseReadingConfig(inverted=True), depth_factor=0.1)
    listening = inputs(adjustment=meant)
    meet(listening, camera.color, camera.depth, camera.info, camera.odom)
    camera.publish(FRAMES[0])
    listening.spin_until(lambda: len(listening.frames) == 1)
    (got,) = listening.frames
    expected = np.linalg.inv(FRAMES[0].world_from_camera)
    np.testing.assert_allclose(got.world_from_camera, expected, atol=1e-9)
    assert got.depth_m is not None and FRAMES[0].depth_m is not None
    assert got.depth_m.max() == pytest.approx(0.1 * FRAMES[0].depth_m.max(), rel=1e-3)
    assert listening.inputs.newest is not None and listening.inputs.newest.frame is got


@pytest.mark.parametrize("what", ["continue", "reset"])
def test_a_bag_that_begins_anew(
    camera: Camera, inputs: Callable[..., Listening], what: str
) -> None:
    listening = inputs(on_time_jump=what, tf_timeout_s=2.0)
    meet(listening, camera.color, camera.depth, camera.info, camera.odom)
    for loop in range(2):
        for index in (0, 6, 11):
            camera.publish(FRAMES[index])
            wanted = 3 * loop + (0, 6, 11).index(index) + 1
            listening.spin_until(lambda n=wanted: len(listening.frames) == n)  # type: ignore[misc]
    poses = [frame.world_from_camera for frame in listening.frames]
    np.testing.assert_array_equal(poses[:3], poses[3:])
    assert listening.inputs.counters["time_jumps"] == 1
    assert listening.resets == (what == "reset")
