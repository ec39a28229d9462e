# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera and its odometry on real topics, for tests of the node."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Pose, PoseStamped
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.types import Frame
from ineus_ros.outputs.images import camera_info_message, image_message


class Camera:
    """Publishes frames as a camera driver and an odometry source would, reliably."""

    def __init__(self, name: str = "camera") -> None:
        """Join the domain that the environment names."""
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name, context=self._context)
        create, qos = self.node.create_publisher, QoSProfile(depth=50)
        self.color = create(Image, "color/image", qos)
        self.depth = create(Image, "depth/image", qos)
        self.info = create(CameraInfo, "color/camera_info", qos)
        self.odom = create(Odometry, "odom", qos)
        self.pose = create(PoseStamped, "pose", qos)
        self.sent = 0

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def wait_for_subscriber(self, timeout_s: float = 20.0) -> None:
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
        header = Header(frame_id="camera_optical")
        header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
        messages: dict[str, Any] = {
            "info": camera_info_message(header, frame.camera),
            "odom": odometry(header, frame.world_from_camera),
            "color": image_message(header, "rgb8", frame.rgb),
        }
        if with_depth and frame.depth_m is not None:
            messages["depth"] = image_message(header, "32FC1", frame.depth_m)
        edit(messages)
        for name, message in messages.items():
            getattr(self, name).publish(message)
        self.sent += "color" in messages

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


def pose_message(transform: np.ndarray) -> Pose:
    """A geometry_msgs/Pose."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, transform[:3, 3])
    x, y, z, w = map(float, rotation_to_quaternion(transform[:3, :3]))
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    return pose
