# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to ROS messages, the inverse of `ros_messages`; a factory makes the messages."""

import struct
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.types import Camera

_MAX_DEPTH_MM = 65535


@runtime_checkable
class MessageFactory(Protocol):
    """Makes a message of a type such as `sensor_msgs/msg/Image` from all of its fields.

    Arrays of numbers come as numpy arrays.
    """

    def __call__(self, type_name: str, /, **fields: Any) -> Any:
        """Make the message."""
        ...


def encode_time(make: MessageFactory, stamp_ns: int) -> Any:
    """Make a builtin_interfaces/Time."""
    return make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def encode_header(make: MessageFactory, stamp_ns: int, frame_id: str) -> Any:
    """Make a std_msgs/Header."""
    return make("std_msgs/msg/Header", stamp=encode_time(make, stamp_ns), frame_id=frame_id)


def encode_image(make: MessageFactory, header: Any, rgb: UInt8[np.ndarray, "h w 3"]) -> Any:
    """Make a sensor_msgs/Image of encoding rgb8."""
    return _image(make, header, rgb, "rgb8")


def encode_compressed_image(
    make: MessageFactory, header: Any, rgb: UInt8[np.ndarray, "h w 3"], jpeg_quality: int = 95
) -> Any:
    """Make a sensor_msgs/CompressedImage as JPEG."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, jpeg_quality))
    return make(
        "sensor_msgs/msg/CompressedImage",
        header=header,
        # As image_transport writes it: what the image was, and what the JPEG holds.
        format="rgb8; jpeg compressed bgr8",
        data=data.reshape(-1),
    )


def encode_depth(
    make: MessageFactory, header: Any, depth_m: Float[np.ndarray, "h w"], encoding: str = "16UC1"
) -> Any:
    """Make a sensor_msgs/Image of encoding 16UC1 (millimetres) or 32FC1 (metres, NaN for none)."""
    if encoding == "16UC1":
        return _image(make, header, _millimetres(depth_m), encoding)
    # REP 118: NaN is the value of a missing return in metres.
    depth = np.where(depth_m > 0, depth_m, np.nan).astype(np.float32)
    return _image(make, header, depth, "32FC1")


def encode_compressed_depth(
    make: MessageFactory, header: Any, depth_m: Float[np.ndarray, "h w"]
) -> Any:
    """Make a sensor_msgs/CompressedImage of format compressedDepth, 16UC1 as PNG."""
    _, png = cv2.imencode(".png", _millimetres(depth_m))
    # The header of compressed_depth_image_transport; millimetres need no quantisation.
    data = np.frombuffer(struct.pack("<iff", 0, 0.0, 0.0) + png.tobytes(), dtype=np.uint8)
    return make(
        "sensor_msgs/msg/CompressedImage",
        header=header,
        format="16UC1; compressedDepth png",
        data=data,
    )


def encode_camera(make: MessageFactory, header: Any, camera: Camera) -> Any:
    """Make a sensor_msgs/CameraInfo; ROS has pixel centres at integers."""
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx - 0.5, camera.cy - 0.5
    has_model = camera.distortion_model != "none"
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header,
        height=camera.height_px,
        width=camera.width_px,
        distortion_model=camera.distortion_model if has_model else "plumb_bob",
        d=np.array(camera.distortion if has_model else (0.0,) * 5, dtype=np.float64),
        k=np.array((fx, 0, cx, 0, fy, cy, 0, 0, 1), dtype=np.float64),
        r=np.eye(3).reshape(-1),
        p=np.array((fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0), dtype=np.float64),
        binning_x=0,
        binning_y=0,
        roi=make(
            "sensor_msgs/msg/RegionOfInterest",
            x_offset=0,
            y_offset=0,
            height=0,
            width=0,
            do_rectify=False,
        ),
    )


def encode_pose(make: MessageFactory, parent_from_child: Float[np.ndarray, "4 4"]) -> Any:
    """Make a geometry_msgs/Pose."""
    x, y, z = (float(value) for value in parent_from_child[:3, 3])
    return make(
        "geometry_msgs/msg/Pose",
        position=make("geometry_msgs/msg/Point", x=x, y=y, z=z),
        orientation=_quaternion(make, parent_from_child),
    )


def encode_odometry(
    make: MessageFactory,
    header: Any,
    child_frame_id: str,
    world_from_body: Float[np.ndarray, "4 4"],
) -> Any:
    """Make a nav_msgs/Odometry; twist and covariances stay zero, which means unknown."""
    zero = make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
    return make(
        "nav_msgs/msg/Odometry",
        header=header,
        child_frame_id=child_frame_id,
        pose=make(
            "geometry_msgs/msg/PoseWithCovariance",
            pose=encode_pose(make, world_from_body),
            covariance=np.zeros(36),
        ),
        twist=make(
            "geometry_msgs/msg/TwistWithCovariance",
            twist=make("geometry_msgs/msg/Twist", linear=zero, angular=zero),
            covariance=np.zeros(36),
        ),
    )


def encode_transforms(
    make: MessageFactory,
    header: Any,
    child_frame_id: str,
    parent_from_child: Float[np.ndarray, "4 4"],
) -> Any:
    """Make a tf2_msgs/TFMessage with one transform."""
    x, y, z = (float(value) for value in parent_from_child[:3, 3])
    transform = make(
        "geometry_msgs/msg/Transform",
        translation=make("geometry_msgs/msg/Vector3", x=x, y=y, z=z),
        rotation=_quaternion(make, parent_from_child),
    )
    stamped = make(
        "geometry_msgs/msg/TransformStamped",
        header=header,
        child_frame_id=child_frame_id,
        transform=transform,
    )
    return make("tf2_msgs/msg/TFMessage", transforms=[stamped])


def _image(make: MessageFactory, header: Any, values: np.ndarray, encoding: str) -> Any:
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return make(
        "sensor_msgs/msg/Image",
        header=header,
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=little.strides[0],
        data=little.reshape(-1).view(np.uint8),
    )


def _millimetres(depth_m: np.ndarray) -> np.ndarray:
    """Round to 16 bits; what does not fit counts as none, not as a wall at 65.5 m."""
    depth_mm = np.rint(np.nan_to_num(depth_m, nan=0.0, posinf=0.0, neginf=0.0) * 1e3)
    return np.where((depth_mm > 0) & (depth_mm <= _MAX_DEPTH_MM), depth_mm, 0).astype(np.uint16)


def _quaternion(make: MessageFactory, transform: np.ndarray) -> Any:
    x, y, z, w = (float(value) for value in rotation_to_quaternion(transform[:3, :3]))
    return make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)
