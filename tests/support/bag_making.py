# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Small frames, and bags as other people's robots record them."""

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ineus_core.geometry import rigid_transform
from ineus_core.sources.bags import ros_encoders as encode
from ineus_core.sources.bags.writer import BODY_FROM_CAMERA
from ineus_core.types import Camera, Frame

CAMERA = Camera(16, 12, 14.0, 14.0, 8.25, 6.5)
MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
MOUNT = rigid_transform(np.array([0.2, 0, 0.5]), np.array([0, 0, 0, 1.0])) @ BODY_FROM_CAMERA
"""Where a camera sits on a robot that looks along its x."""


def pose_at(time_s: float) -> np.ndarray:
    """Return a walk that moves 1 m/s along x and turns about z by 1 rad/s."""
    turn = np.array([0, 0, np.sin(time_s / 2), np.cos(time_s / 2)])
    return rigid_transform(np.array([time_s, 0.5, 1.0]), turn)


def make_frame(index: int, period_ms: float = 33.0) -> Frame:
    """Return a frame whose colours and depth tell its index."""
    stamp_ns = START_NS + round(index * period_ms * MS)
    rgb = np.full((12, 16, 3), 10 + index % 200, np.uint8)
    rgb[:, :, 1] = np.arange(16) * 10
    depth_m = np.full((12, 16), 1 + 0.01 * (index % 100), np.float32)
    depth_m[0] = 0
    return Frame(stamp_ns, CAMERA, pose_at(index * period_ms * 1e-3), rgb, depth_m)


class BagMaker:
    """Writes single messages under any topic, in the order of the calls.

    Args:
        path: Folder of the bag, which must not exist; of ROS 1 its file.
        storage: mcap, sqlite3 or ros1.
    """

    def __init__(self, path: Path, storage: str = "mcap") -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        self.types = get_typestore(Stores.ROS2_HUMBLE)
        self.is_ros1 = storage == "ros1"
        self.writer: Any = None
        if self.is_ros1:
            from rosbags.rosbag1 import Writer as Ros1Writer

            self.writer = Ros1Writer(path)
        else:
            self.writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
        self.connections: dict[str, Any] = {}

    def __enter__(self) -> "BagMaker":
        self.writer.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.writer.__exit__(error_type, error, traceback)  # type: ignore[arg-type]

    def make(self, type_name: str, /, **fields: Any) -> Any:
        return self.types.types[type_name](**fields)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        return encode.encode_header(self.make, stamp_ns, frame_id)

    def declare(self, topic: str, type_name: str) -> None:
        """Add a topic, which may stay without messages."""
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(
                topic, type_name, typestore=self.types
            )

    def put(self, topic: str, log_ns: int, message: Any) -> None:
        self.declare(topic, message.__msgtype__)
        data = self.types.serialize_cdr(message, message.__msgtype__)
        if self.is_ros1:
            data = self.types.cdr_to_ros1(data, message.__msgtype__)
        self.writer.write(self.connections[topic], log_ns, data)

    def image(self, topic: str, stamp_ns: int, rgb: np.ndarray, **options: Any) -> None:
        frame_id = options.get("frame_id", "camera")
        message = encode.encode_image(self.make, self.header(stamp_ns, frame_id), rgb)
        self.put(topic, options.get("log_ns", stamp_ns), message)

    def depth(self, topic: str, stamp_ns: int, depth_m: np.ndarray, **options: Any) -> None:
        header = self.header(stamp_ns, options.get("frame_id", "camera"))
        encoding = options.get("encoding", "16UC1")
        message = encode.encode_depth(self.make, header, depth_m, encoding)
        self.put(topic, options.get("log_ns", stamp_ns), message)

    def info(
        self, topic: str, stamp_ns: int, camera: Camera = CAMERA, frame_id: str = "camera"
    ) -> None:
        self.put(topic, stamp_ns, self.info_message(stamp_ns, camera, frame_id))

    def info_message(
        self, stamp_ns: int, camera: Camera = CAMERA, frame_id: str = "camera"
    ) -> Any:
        return encode.encode_camera(self.make, self.header(stamp_ns, frame_id), camera)

    def odom(self, topic: str, stamp_ns: int, pose: np.ndarray, child: str = "base_link") -> None:
        message = encode.encode_odometry(self.make, self.header(stamp_ns, "odom"), child, pose)
        self.put(topic, stamp_ns, message)

    def pose(self, topic: str, stamp_ns: int, pose: np.ndarray, **options: Any) -> None:
        message = self.make(
            "geometry_msgs/msg/PoseStamped",
            header=self.header(stamp_ns, options.get("frame_id", "map")),
            pose=encode.encode_pose(self.make, pose),
        )
        if options.get("has_no_turn"):
            take_turn_away(message.pose.orientation)
        self.put(topic, stamp_ns, message)

    def tf(
        self,
        topic: str,
        stamp_ns: int,
        parent: str,
        child: str,
        pose: np.ndarray,
        has_no_turn: bool = False,
    ) -> None:
        header = self.header(stamp_ns, parent)
        message = encode.encode_transforms(self.make, header, child, pose)
        if has_no_turn:
            take_turn_away(message.transforms[0].transform.rotation)
        self.put(topic, stamp_ns, message)


def take_turn_away(quaternion: Any) -> None:
    """Leave all four numbers at zero, as a driver does that has not begun."""
    quaternion.x = quaternion.y = quaternion.z = quaternion.w = 0.0
