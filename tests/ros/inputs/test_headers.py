# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Headers and values as drivers leave them: without frame id, without or with a wrong clock."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ineus_core.errors import ConfigError
from ineus_core.geometry import rigid_inverse, rigid_transform
from ineus_core.ros_config import RosConfig
from ineus_core.sources import Adjustment

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from ros_listening import FRAMES, Listening
from ros_stream import Camera, tf_message
from std_msgs.msg import Empty, Header

from ineus_ros.drops import Drops
from ineus_ros.inputs.camera import CameraInput
from ineus_ros.inputs.receipt import ReceiptTimes
from ineus_ros.inputs.tf import TreeTf

pytestmark = pytest.mark.ros

BODY_FROM_OPTICAL = rigid_transform(np.zeros(3), np.array((-0.5, 0.5, -0.5, 0.5)))
NOW_NS = 7_000_000_123


def without_frame_id(messages: dict[str, Any]) -> None:
    rename(messages, "", "color", "depth")


def of_body(messages: dict[str, Any]) -> None:
    rename(messages, "camera_link", "color", "depth", "info")


def rename(messages: dict[str, Any], frame_id: str, *names: str) -> None:
    """Give some messages a header of their own, with another frame id."""
    for name in names:
        messages[name].header = Header(stamp=messages[name].header.stamp, frame_id=frame_id)


def mono16(shift: int) -> Callable[[dict[str, Any]], None]:
    """Return an edit to grey images of 8 + `shift` bits in 16."""

    def edit(messages: dict[str, Any]) -> None:
        color = messages["color"]
        values = np.frombuffer(color.data, np.uint8).reshape(color.height, color.width, 3)
        grey = values[..., 1].astype(np.uint16) << shift
        color.encoding, color.step, color.data = "mono16", 2 * color.width, grey.tobytes()

    return edit


@pytest.mark.parametrize(
    ("shift", "setting", "down"),
    [(2, 0, 0), (4, 0, 0), (8, 0, 0), (4, 12, 0), (4, 16, 4)],
)
def test_images_of_10_and_12_bits_are_as_bright_as_others(
    camera: Camera, listen: Callable[..., Listening], shift: int, setting: int, down: int
) -> None:
    listening = listen(image_bits=setting)
    camera.publish(FRAMES[1], mono16(shift))
    listening.spin_until(lambda: len(listening.frames) == 1)
    grey = FRAMES[1].rgb[..., 1] >> down
    np.testing.assert_array_equal(listening.frames[0].rgb, np.stack([grey] * 3, axis=-1))


def test_a_camera_of_12_bits_is_said_once(
    camera: Camera, listen: Callable[..., Listening], caplog: pytest.LogCaptureFixture
) -> None:
    listening = listen()
    with caplog.at_level(logging.WARNING):
        for frame in FRAMES:
            camera.publish(frame, mono16(4))
            listening.spin_until(lambda: len(listening.frames) == camera.sent)
    assert caplog.text.count("use 12 of their 16 bits") == 1


def test_images_without_a_frame_id_have_that_of_camera_info(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    listening = listen()
    camera.publish(FRAMES[3], without_frame_id)
    listening.spin_until(lambda: len(listening.frames) == 1)
    frame, newest = listening.frames[0], listening.inputs.newest
    np.testing.assert_allclose(frame.world_from_camera, FRAMES[3].world_from_camera, atol=1e-9)
    np.testing.assert_array_equal(frame.depth_m, FRAMES[3].depth_m)
    assert newest is not None and newest.frame_id == "camera_optical"


def test_a_frame_id_is_set_where_headers_name_a_body(
    camera: Camera, listen: Callable[..., Listening]
) -> None:
    """Depth in the frame that colour names moves with it, and needs no transform."""
    listening = listen(camera_frame="camera_optical")
    camera.publish(FRAMES[3], of_body)
    listening.spin_until(lambda: len(listening.frames) == 1)
    frame, newest = listening.frames[0], listening.inputs.newest
    np.testing.assert_allclose(frame.world_from_camera, FRAMES[3].world_from_camera, atol=1e-9)
    np.testing.assert_array_equal(frame.depth_m, FRAMES[3].depth_m)
    assert newest is not None and newest.frame_id == "camera_optical"


def test_one_frame_id_for_several_cameras_is_refused() -> None:
    with pytest.raises(ValueError, match="several cameras"):
        RosConfig(cameras=("left", "right"), camera_frame="optical")


def test_images_in_a_body_frame_are_said_with_the_setting(
    camera: Camera, listen: Callable[..., Listening], capfd: pytest.CaptureFixture[str]
) -> None:
    listening = listen()
    first: CameraInput = listening.inputs._cameras[0]
    tree = TreeTf(listening._node, RosConfig(), Empty, listening.inputs.drops, lambda: None)
    tree.on_static(tf_message("camera_link", "camera_optical", 0, BODY_FROM_OPTICAL))
    tree.on_static(tf_message("camera_link", "imu_optical", 0, np.eye(4)))
    first._shared = dataclasses.replace(first._shared, tf=tree)
    first.color_frame = "camera_link"
    for _ in range(3):
        first.warn_of_body_axes()
    assert capfd.readouterr().err.count("camera_frame:=camera_optical is meant") == 1


@pytest.fixture
def simulated(ros: Callable[..., Node]) -> Node:
    """Make a node whose clock stands at a time that a simulation has told."""
    overrides = [Parameter("use_sim_time", value=True)]
    node: Node = ros(lambda context: Node("sim", context=context, parameter_overrides=overrides))
    now = Time(nanoseconds=NOW_NS, clock_type=ClockType.ROS_TIME)
    node.get_clock().set_ros_time_override(now)  # type: ignore[attr-defined]
    return node


def header(stamp_ns: int) -> Header:
    made = Header()
    made.stamp.sec, made.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return made


def stamp_of(made: Header) -> int:
    return int(made.stamp.sec) * 1_000_000_000 + int(made.stamp.nanosec)


def test_headers_get_the_time_of_receipt_where_that_is_asked(simulated: Node) -> None:
    given = header(3_600_000_000_000)
    ReceiptTimes(simulated, RosConfig(stamps="receipt")).stamp(given, "color/image")
    assert stamp_of(given) == NOW_NS


def test_frames_are_made_of_what_was_received_at_a_time(camera: Camera, simulated: Node) -> None:
    """The clock of the poses is an hour ahead, which else no image would find."""

    def of_another_clock(messages: dict[str, Any]) -> None:
        rename(messages, "odom", "odom")
        messages["odom"].header.stamp = header(FRAMES[5].stamp_ns + 3_600_000_000_000).stamp

    listening = Listening(simulated, stamps="receipt")
    topics = (camera.color, camera.depth, camera.info, camera.odom)
    listening.spin_until(lambda: all(topic.get_subscription_count() for topic in topics))
    listening.spin(10)
    camera.publish(FRAMES[5], of_another_clock)
    listening.spin_until(lambda: len(listening.frames) == 1)
    frame = listening.frames[0]
    assert frame.stamp_ns == NOW_NS
    np.testing.assert_allclose(frame.world_from_camera, FRAMES[5].world_from_camera, atol=1e-9)
    listening.inputs.close()


def test_a_stamp_of_zero_is_none_after_another_one(simulated: Node) -> None:
    """As of a driver without a clock; a bag in a loop begins at zero again and again."""
    receipt = ReceiptTimes(simulated, RosConfig())
    stamps = []
    for topic, stamp in (("a", 0), ("a", 5), ("b", 0), ("a", 0), ("a", 6), ("b", 0), ("b", 0)):
        given = header(stamp)
        receipt.stamp(given, topic)
        stamps.append(stamp_of(given))
    assert stamps == [0, 5, 0, 0, 6, NOW_NS, NOW_NS]


def test_the_middleware_tells_when_a_message_came(ros: Callable[..., Node]) -> None:
    node = ros(lambda context: Node("plain", context=context))
    given = header(1)
    receipt = ReceiptTimes(node, RosConfig(stamps="receipt"))
    receipt.stamp(given, "color/image", {"received_timestamp": 12_345_000_000_678})
    assert stamp_of(given) == 12_345_000_000_678


def test_transforms_are_known_from_when_they_were_received(simulated: Node) -> None:
    drops = Drops(simulated.get_logger())
    tree = TreeTf(simulated, RosConfig(stamps="receipt"), Empty, drops, lambda: None)
    tree.on_moving(tf_message("odom", "camera", 99_000_000_000, BODY_FROM_OPTICAL))
    found = tree.lookup("odom", "camera", NOW_NS)
    np.testing.assert_allclose(rigid_inverse(found) @ BODY_FROM_OPTICAL, np.eye(4), atol=1e-12)


def test_a_scale_of_the_source_is_refused_in_a_node(ros: Callable[..., Node]) -> None:
    node = ros(lambda context: Node("scaled", context=context))
    with pytest.raises(ConfigError, match="metres"):
        Listening(node, Adjustment(scale=40.0))
