# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera and its odometry on real topics, for tests of the node."""

import array
import struct
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import rclpy
from geometry_msgs.msg import Pose, PoseStamped
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.types import Frame
from ineus_ros.outputs.image_topics import camera_info_message, image_message


class Camera:
    """Publishes frames as a camera driver and an odometry source would, reliably.

    Args:
        compressed: Publish colour and depth as PNG, on the topics of image_transport.
        prefix: Of the topics of images, such as `left/`.
        frame_id: Of the images.
    """

    def __init__(
        self,
        name: str = "camera",
        compressed: bool = False,
        prefix: str = "",
        frame_id: str = "camera_optical",
        namespace: str = "",
    ) -> None:
        """Join the domain that the environment names."""
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name, context=self._context, namespace=namespace)
        create, qos = self.node.create_publisher, QoSProfile(depth=50)
        self._is_compressed, self._prefix, self._frame_id = compressed, prefix, frame_id
        if compressed:
            self.color = create(CompressedImage, f"{prefix}color/image/compressed", qos)
            self.depth = create(CompressedImage, f"{prefix}depth/image/compressedDepth", qos)
        else:
            self.color = create(Image, f"{prefix}color/image", qos)
            self.depth = create(Image, f"{prefix}depth/image", qos)
        self.info = create(CameraInfo, f"{prefix}color/camera_info", qos)
        self.odom = create(Odometry, "odom", qos)
        self.pose = create(PoseStamped, "pose", qos)
        self.sent = 0

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def wait_for_subscriber(self, timeout_s: float = 120.0) -> None:
        """Wait until all that a frame needs has a reader."""
        end = time.monotonic() + timeout_s
        publishers = (self.color, self.info, self.odom)
        while not all(publisher.get_subscription_count() for publisher in publishers):
            assert time.monotonic() < end, "the node does not listen"
            time.sleep(0.05)
        time.sleep(0.2)

    def publish(
        self,
        frame: Frame,
        edit: Callable[[dict[str, Any]], None] = lambda messages: None,
        with_depth: bool = True,
    ) -> None:
        """Publish a frame; `edit` may spoil the messages or take some away."""
        header = Header(frame_id=self._frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
        messages: dict[str, Any] = {
            "info": camera_info_message(header, frame.camera),
            "odom": odometry(header, frame.world_from_camera),
            "color": self._color_message(header, frame.rgb),
        }
        if with_depth and frame.depth_m is not None:
            messages["depth"] = self._depth_message(header, frame.depth_m)
        edit(messages)
        for name, message in messages.items():
            getattr(self, name).publish(message)
        self.sent += "color" in messages

    def also(self, **topics: tuple[type, str]) -> None:
        """Make publishers of more of this camera's topics: `also(mask=(Image, "mask/image"))`."""
        for name, (kind, topic) in topics.items():
            made = self.node.create_publisher(kind, self._prefix + topic, QoSProfile(depth=50))
            setattr(self, name, made)

    def _color_message(self, header: Header, rgb: np.ndarray) -> Image | CompressedImage:
        if self._is_compressed:
            return png_message(header, "rgb8; png compressed bgr8", rgb[..., ::-1])
        return image_message(header, "rgb8", rgb)

    def _depth_message(self, header: Header, depth_m: np.ndarray) -> Image | CompressedImage:
        if self._is_compressed:
            depth_mm = np.round(depth_m * 1000).astype(np.uint16)
            head = struct.pack("<iff", 0, 0.0, 0.0)
            return png_message(header, "16UC1; compressedDepth png", depth_mm, head)
        return image_message(header, "32FC1", depth_m)

    def close(self) -> None:
        """Leave the domain."""
        self.node.destroy_node()
        self._context.try_shutdown()


def odometry(header: Header, world_from_camera: np.ndarray) -> Odometry:
    """Odometry of the camera itself."""
    message = Odometry(child_frame_id=header.frame_id)
    message.header.frame_id, message.header.stamp = "odom", header.stamp
    message.pose.pose = pose_message(world_from_camera)
    return message


def png_message(
    header: Header, form: str, picture: np.ndarray, head: bytes = b""
) -> CompressedImage:
    """Make a sensor_msgs/CompressedImage of a PNG behind a header."""
    _, png = cv2.imencode(".png", picture)
    data = array.array("B", head + png.tobytes())
    return CompressedImage(header=header, format=form, data=data)


def pose_message(transform: np.ndarray) -> Pose:
    """Make a geometry_msgs/Pose."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, transform[:3, 3])
    x, y, z, w = map(float, rotation_to_quaternion(transform[:3, :3]))
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    return pose


def tf_message(parent: str, child: str, stamp_ns: int, transform: np.ndarray) -> Any:
    """Make what /tf brings, by attribute; its type is not on every machine."""
    pose = pose_message(transform)
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    stamp = SimpleNamespace(sec=seconds, nanosec=nanoseconds)
    link = SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id=parent),
        child_frame_id=child,
        transform=SimpleNamespace(translation=pose.position, rotation=pose.orientation),
    )
    return SimpleNamespace(transforms=[link])
