# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Messages over DDS become frames at the right poses, or counted drops; never a guessed pose."""

import gc
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from ineus_core.geometry import rigid_transform
from ineus_core.ros_config import RosConfig
from ineus_core.sources.pose_track import TransformNotYet
from ineus_core.types import Frame

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.duration import Duration
from rclpy.node import Node
from ros_listening import FRAMES, HUNG_S, PASSING_S, Listening
from ros_stream import Camera, pose_message, tf_message

from ineus_ros.drops import Drops
from ineus_ros.inputs.camera import Calibration
from ineus_ros.inputs.tf import TreeTf

pytestmark = pytest.mark.ros


def test_every_frame_arrives_as_it_was_sent(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen()
    for frame in FRAMES:
        camera.publish(frame)
        listening.spin_until(lambda: len(listening.frames) == camera.sent)
    for sent, got in zip(FRAMES, listening.frames, strict=True):
        assert (got.stamp_ns, got.camera) == (sent.stamp_ns, sent.camera)
        np.testing.assert_allclose(got.world_from_camera, sent.world_from_camera, atol=1e-9)
        np.testing.assert_array_equal(got.rgb, sent.rgb)
        np.testing.assert_array_equal(got.depth_m, sent.depth_m)
    assert not listening.drops and listening.inputs.waiting == 0
    assert not any(lost.count for lost in listening.inputs.losses.values())
    assert listening.inputs.world_frame == "odom"


def test_a_burst_that_overflows_the_queue_is_counted_to_the_last_image(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(image_queue_size=3)
    inputs = listening.inputs
    camera.publish(FRAMES[0])
    listening.spin_until(lambda: len(listening.frames) == 1)
    for frame in FRAMES[1:]:
        camera.publish(frame)
    # They reach the queue while nobody takes them out of it.
    assert camera.color.wait_for_all_acked(Duration(seconds=HUNG_S))
    listening.spin_until(
        lambda: inputs.counters["color_received"] + inputs.losses["color"].count == camera.sent
    )
    assert inputs.losses["color"].count >= 5
    # The last images may wait for depth that was lost as well.
    inputs.clear()
    assert inputs.counters["color_received"] == len(listening.frames) + inputs.frames_dropped


def pose_late(messages: dict[str, Any]) -> None:
    messages.pop("odom")


def depth_late(messages: dict[str, Any]) -> None:
    messages.pop("depth")


def both_late(messages: dict[str, Any]) -> None:
    pose_late(messages)
    depth_late(messages)


@pytest.mark.parametrize(
    ("edits", "reasons"),
    [
        ([pose_late] * 8, {"pose_queue_full": 4}),
        ([depth_late] * 8, {"color_without_depth": 4}),
        # The first ones wait for their pose, the others for depth: the oldest of all go.
        ([pose_late] * 3 + [both_late] * 5, {"pose_queue_full": 3, "color_without_depth": 1}),
    ],
)
def test_one_bound_holds_for_all_that_wait_whatever_for(
    camera: Camera,
    listen: Callable[..., Listening],
    edits: list[Callable[[dict[str, Any]], None]],
    reasons: dict[str, int],
) -> None:
    listening = listen(input_queue_size=4, depth_input="required", tf_timeout_s=60.0)
    for number, (frame, edit) in enumerate(zip(FRAMES, edits, strict=False), start=1):
        camera.publish(frame, edit)
        listening.spin_until(
            lambda n=number: (  # type: ignore[misc]
                listening.inputs.counters["color_received"] == n
                and listening.inputs.waiting == min(n, 4)
            )
        )
        if edit is pose_late:
            listening.spin_until(
                lambda n=number: listening.inputs.counters["depth_received"] == n  # type: ignore[misc]
            )
    assert listening.drops == reasons
    assert listening.inputs.waiting == listening.inputs.held == 4
    assert listening.inputs.frames_dropped == 4
    listening.inputs.clear()
    assert listening.inputs.waiting == 0


def test_without_a_pose_images_wait_and_are_then_counted_not_used(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen()
    camera.publish(FRAMES[0], lambda messages: messages.pop("odom"))
    listening.spin_until(lambda: listening.inputs.counters["color_received"] == 1)
    assert listening.inputs.waiting == 1
    listening.spin_until(lambda: bool(listening.drops), PASSING_S)
    assert listening.drops == {"no_pose_in_time": 1} and not listening.frames


def test_a_pose_that_comes_late_but_in_time_is_used(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(tf_timeout_s=5.0)
    held: list[Any] = []
    camera.publish(FRAMES[3], lambda messages: held.append(messages.pop("odom")))
    listening.spin_until(lambda: listening.inputs.counters["depth_received"] == 1)
    assert not listening.frames
    camera.odom.publish(held[0])
    listening.spin_until(lambda: len(listening.frames) == 1)
    pose = listening.frames[0].world_from_camera
    np.testing.assert_allclose(pose, FRAMES[3].world_from_camera, atol=1e-9)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Switch off the collector of circles, which may come after hundreds of large images."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_images_are_given_back_with_their_frame_though_they_waited(
    camera: Camera, listen: Callable[..., Listening], no_collector: None
) -> None:
    listening = listen()
    taken = []
    add = listening.inputs._awaiting_pose.add

    def note(camera_input: Any, images: Any) -> None:
        taken.append(weakref.ref(images))
        add(camera_input, images)

    listening.inputs._awaiting_pose.add = note  # type: ignore[method-assign, assignment]
    for number, frame in enumerate(FRAMES[:6], start=1):
        held: list[Any] = []
        camera.publish(frame, lambda messages, held=held: held.append(messages.pop("odom")))  # type: ignore[misc]
        listening.spin_until(lambda n=number: listening.inputs.counters["depth_received"] == n)  # type: ignore[misc]
        listening.spin(3)
        camera.odom.publish(held[0])
        listening.spin_until(lambda n=number: len(listening.frames) == n)  # type: ignore[misc]
    listening.frames.clear()
    # The newest may still be held by who made the frame.
    assert len(taken) == 6 and not [image() for image in taken[:-1] if image() is not None]


def test_poses_are_interpolated_between_messages(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(pose_source="pose", pose_tolerance_s=1.0, depth_input="none")
    from geometry_msgs.msg import PoseStamped

    for x, second in ((0.0, 1), (3.0, 2)):
        message = PoseStamped()
        message.header.frame_id, message.header.stamp.sec = "odom", second
        message.pose = pose_message(rigid_transform(np.array((x, 0, 0)), np.array((0, 0, 0, 1.0))))
        camera.pose.publish(message)
    frame = FRAMES[0]
    between = Frame(1_250_000_000, frame.camera, frame.world_from_camera, frame.rgb)
    camera.publish(between)
    listening.spin_until(lambda: len(listening.frames) == 1)
    assert listening.frames[0].world_from_camera[0, 3] == pytest.approx(0.75)


def test_extrinsics_of_the_configuration_stand_between_body_and_camera(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(body_from_camera=(0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0), tf_timeout_s=2.0)

    def on_a_body(messages: dict[str, Any]) -> None:
        messages["odom"].child_frame_id = "base_link"

    camera.publish(FRAMES[0], on_a_body)
    listening.spin_until(lambda: len(listening.frames) == 1)
    mount = np.eye(4)
    mount[2, 3] = 0.5
    expected = FRAMES[0].world_from_camera @ mount
    np.testing.assert_allclose(listening.frames[0].world_from_camera, expected, atol=1e-9)


@pytest.mark.parametrize("pose_frame", ["", "camera_optical"])
def test_without_any_tf_the_poses_are_the_cameras(
    camera: Camera, listen: Callable[..., Listening], pose_frame: str
) -> None:
    """Whether that is said, as `pose_frame`, or not."""
    listening = listen(pose_frame=pose_frame, tf_timeout_s=0.3)

    def of_body(messages: dict[str, Any]) -> None:
        messages["odom"].child_frame_id = "base_link"

    camera.publish(FRAMES[0], of_body)
    listening.spin_until(lambda: listening.inputs.counters["depth_received"] == 1)
    listening.spin(10)
    listening.spin_until(lambda: len(listening.frames) == 1, PASSING_S)
    got = listening.frames[0].world_from_camera
    np.testing.assert_allclose(got, FRAMES[0].world_from_camera, atol=1e-9)
    assert not listening.drops


def test_poses_in_another_frame_give_the_world_its_name(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen(tf_timeout_s=2.0)

    def in_map(messages: dict[str, Any]) -> None:
        messages["odom"].header.frame_id = "map"

    camera.publish(FRAMES[0], in_map)
    listening.spin_until(lambda: len(listening.frames) == 1)
    assert listening.inputs.world_frame == "map"


def spoil_pose(messages: dict[str, Any]) -> None:
    messages["odom"].pose.pose.position.x = float("nan")


def spoil_quaternion(messages: dict[str, Any]) -> None:
    messages["odom"].pose.pose.orientation.w = 5.0


def spoil_data(messages: dict[str, Any]) -> None:
    del messages["color"].data[-100:]


def spoil_encoding(messages: dict[str, Any]) -> None:
    messages["color"].encoding = "no_such_encoding"


def spoil_depth(messages: dict[str, Any]) -> None:
    del messages["depth"].data[10:]


def spoil_depth_size(messages: dict[str, Any]) -> None:
    messages["depth"].height //= 2


def spoil_focal_length(messages: dict[str, Any]) -> None:
    # With K = 0 alone, P would be taken.
    messages["info"].k[0] = messages["info"].p[0] = 0.0


def spoil_info_size(messages: dict[str, Any]) -> None:
    messages["info"].width *= 2


@pytest.mark.parametrize(
    ("spoil", "reasons"),
    [
        (spoil_pose, {"bad_pose", "no_pose_in_time", "no_pose"}),
        (spoil_quaternion, {"bad_pose", "no_pose_in_time", "no_pose"}),
        (spoil_data, {"bad_color"}),
        (spoil_encoding, {"bad_color"}),
        (spoil_depth, {"bad_depth"}),
        (spoil_depth_size, {"bad_frame"}),
        (spoil_focal_length, {"bad_camera_info", "no_camera_info"}),
        (spoil_info_size, {"bad_frame"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_message_is_counted_by_reason_and_the_next_frame_is_used(
    camera: Camera,
    listen: Callable[..., Listening],
    spoil: Callable[[dict[str, Any]], None],
    reasons: set[str],
) -> None:
    listening = listen(pose_tolerance_s=0.01)
    inputs = listening.inputs
    camera.publish(FRAMES[0])
    listening.spin_until(lambda: len(listening.frames) == 1)
    camera.publish(FRAMES[1], spoil)
    listening.spin_until(lambda: inputs.counters["color_received"] == 2)
    listening.spin(10)
    listening.spin_until(lambda: inputs.frames_dropped == 1, PASSING_S)
    camera.publish(FRAMES[2])
    camera.publish(FRAMES[3])
    listening.spin_until(lambda: len(listening.frames) == 3)
    assert listening.drops and set(listening.drops) <= reasons
    assert inputs.waiting == 0


def test_images_without_a_camera_are_counted(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen()
    camera.publish(FRAMES[0], lambda messages: messages.pop("info"))
    listening.spin_until(lambda: listening.drops == {"no_camera_info": 1}, PASSING_S)


def test_a_camera_info_without_a_size_takes_that_of_the_images(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    def without_size(messages: dict[str, Any]) -> None:
        messages["info"].width = messages["info"].height = 0

    listening = listen()
    for frame in FRAMES[:3]:
        camera.publish(frame, without_size)
        listening.spin_until(lambda: len(listening.frames) == camera.sent)
    taken = listening.frames[-1].camera
    assert (taken.width_px, taken.height_px) == FRAMES[0].rgb.shape[1::-1]
    assert not listening.drops


def test_the_size_of_compressed_images_is_read_off_their_header() -> None:
    from sensor_msgs.msg import CameraInfo, CompressedImage

    warnings: list[str] = []
    calibration = Calibration(False, Drops(SimpleNamespace()), warnings.append)
    info = CameraInfo(k=[9.0, 0.0, 3.0, 0.0, 9.5, 2.0, 0.0, 0.0, 1.0])
    for width in (8, 8, 6):
        png = cv2.imencode(".png", np.zeros((4, width, 3), np.uint8))[1].tobytes()
        calibration.on_message(info)
        calibration.on_image(CompressedImage(format="png", data=png))
        found = calibration.camera
        assert found is not None and (found.width_px, found.height_px) == (width, 4)
    assert warnings == ["camera_info has no width and height; those of the images are taken"]
    # One that says its size is believed again.
    info.width, info.height = 12, 10
    calibration.on_message(info)
    assert calibration.camera is not None and calibration.camera.width_px == 12


def test_images_go_by_counted_while_held(camera: Camera, listen: Callable[..., Listening]) -> None:
    listening = listen()
    listening.inputs.hold("paused")
    camera.publish(FRAMES[0])
    listening.spin_until(lambda: listening.drops == {"paused": 1})
    listening.inputs.release("paused")
    camera.publish(FRAMES[1])
    listening.spin_until(lambda: len(listening.frames) == 1)


def test_our_own_tf_waits_for_what_it_does_not_know(ros: Callable[..., Node]) -> None:
    from std_msgs.msg import Empty

    node = ros(lambda context: Node("ineus", context=context))
    drops, told = Drops(node.get_logger()), []
    tf = TreeTf(node, RosConfig(pose_tolerance_s=1.0), Empty, drops, lambda: told.append(1))
    with pytest.raises(TransformNotYet):
        tf.lookup("odom", "camera", 0)
    mount, rest = np.eye(4), np.array((0, 0, 0, 1.0))
    mount[2, 3] = 0.25
    tf.on_static(tf_message("base_link", "camera", 0, mount))
    for x, stamp_ns in ((0.0, 0), (2.0, 1_000_000_000)):
        body = rigid_transform(np.array((x, 0, 0)), rest)
        tf.on_moving(tf_message("odom", "base_link", stamp_ns, body))
    np.testing.assert_allclose(tf.lookup("odom", "camera", 500_000_000)[:3, 3], (1.0, 0.0, 0.25))
    with pytest.raises(TransformNotYet):
        tf.lookup("odom", "camera", 1_500_000_000)
    bad = tf_message("odom", "base_link", 2_000_000_000, mount)
    bad.transforms[0].transform.translation.x = float("nan")
    tf.on_moving(bad)
    assert drops.counts == {"bad_pose": 1} and len(told) == 4
