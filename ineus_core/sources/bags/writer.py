# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Any source as a ROS 2 bag: images, depth, cameras, odometry and transforms."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import CapacityError, ConfigError, MissingDependencyError, SourceError
from ineus_core.geometry import interpolate_rigid, rigid_inverse
from ineus_core.sources.bags import ros_encoders as encode
from ineus_core.types import Frame

COLOUR_TOPIC = "/camera/color/image_raw"
COLOUR_COMPRESSED_TOPIC = "/camera/color/image_raw/compressed"
COLOUR_INFO_TOPIC = "/camera/color/camera_info"
DEPTH_TOPIC = "/camera/depth/image_raw"
DEPTH_INFO_TOPIC = "/camera/depth/camera_info"
ODOM_FRAME, BODY_FRAME, CAMERA_FRAME = "odom", "base_link", "camera_color_optical_frame"

BODY_FROM_CAMERA = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
"""REP 103: a body has x forward, y left, z up; an optical frame x right, y down, z forward."""


class BagWriterConfig(ConfigModel):
    """What goes into a bag."""

    compressed: bool = Field(default=False, description="Write colour as JPEG instead of raw")
    jpeg_quality: int = Field(default=95, ge=1, le=100, description="Quality of the JPEGs")
    depth_encoding: Literal["16UC1", "32FC1"] = Field(
        default="16UC1", description="Depth as 16-bit millimetres or as float metres"
    )
    odom_rate_hz: float = Field(
        default=0.0,
        ge=0,
        description="Least rate of odometry and TF, interpolated between frames; 0: one a frame",
    )


def write_bag(
    frames: Iterable[Frame],
    path: str | Path,
    config: BagWriterConfig | None = None,
    max_frames: int = 0,
    overwrite: bool = False,
) -> int:
    """Write frames, such as a source, as a bag and return their number.

    The bag is written beside its place and moved there when it is complete.

    Args:
        path: `X.mcap` becomes one file; anything else the folder of a bag, with sqlite3 storage
            for a name in `.db3` and mcap otherwise.
        max_frames: Most frames to write; 0 is all.
        overwrite: Replace what is there.
    """
    path = Path(path)
    refuse_to_replace(path, overwrite)
    try:
        with _beside(path) as folder:
            # The storage file takes the name of its folder.
            written = folder / path.stem
            with _BagWriter(written, path.suffix == ".db3", config or BagWriterConfig()) as writer:
                for frame in islice(frames, max_frames or None):
                    writer.write(frame)
            if not writer.frames:
                raise SourceError(f"nothing to write to {path}: the source has no frame")
            _move(written / f"{path.stem}.mcap" if path.suffix == ".mcap" else written, path)
    except (OSError, sqlite3.Error) as error:
        raise CapacityError(f"bag {path} cannot be written: {error}") from error
    return writer.frames


def refuse_to_replace(path: Path, overwrite: bool) -> None:
    """Raise `ConfigError` if there is something at the path that must stay."""
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists: expected a new path, or --overwrite")
    if path.is_dir() and any(path.iterdir()) and not (path / "metadata.yaml").is_file():
        raise ConfigError(f"{path} is a folder without a bag in it: expected a bag to overwrite")


class _BagWriter:
    """Messages of one frame after the other into a bag folder."""

    def __init__(self, folder: Path, is_sqlite: bool, config: BagWriterConfig) -> None:
        """Prepare; the folder is made on entering the context."""
        try:
            from rosbags.rosbag2 import StoragePlugin, Writer
            from rosbags.typesys import Stores, get_typestore
        except ModuleNotFoundError as error:
            raise MissingDependencyError("rosbags") from error
        self.frames = 0
        self._config = config
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        plugin = StoragePlugin.SQLITE3 if is_sqlite else StoragePlugin.MCAP
        # Version 9 of the metadata is refused by Humble and Iron.
        self._writer = Writer(folder, version=8, storage_plugin=plugin)
        self._connections: dict[str, Any] = {}
        self._last: tuple[int, np.ndarray] | None = None

    def __enter__(self) -> "_BagWriter":
        """Open the bag."""
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Complete the bag, or leave it as it is after an error."""
        self._writer.__exit__(*error)

    def write(self, frame: Frame) -> None:
        """Write all messages of a frame, poses first, as a robot has them first."""
        # Static transforms come once, before whatever needs them.
        if not self.frames:
            self._write_static(frame.stamp_ns)
        world_from_body = frame.world_from_camera @ rigid_inverse(BODY_FROM_CAMERA)
        self._write_poses(frame.stamp_ns, world_from_body)
        header = encode.encode_header(self._make, frame.stamp_ns, CAMERA_FRAME)
        info = encode.encode_camera(self._make, header, frame.camera)
        self._put(COLOUR_INFO_TOPIC, frame.stamp_ns, info)
        if self._config.compressed:
            quality = self._config.jpeg_quality
            image = encode.encode_compressed_image(self._make, header, frame.rgb, quality)
            self._put(COLOUR_COMPRESSED_TOPIC, frame.stamp_ns, image)
        else:
            image = encode.encode_image(self._make, header, frame.rgb)
            self._put(COLOUR_TOPIC, frame.stamp_ns, image)
        if frame.depth_m is not None:
            encoding = self._config.depth_encoding
            depth = encode.encode_depth(self._make, header, frame.depth_m, encoding)
            self._put(DEPTH_INFO_TOPIC, frame.stamp_ns, info)
            self._put(DEPTH_TOPIC, frame.stamp_ns, depth)
        self.frames += 1

    def _write_static(self, stamp_ns: int) -> None:
        header = encode.encode_header(self._make, stamp_ns, BODY_FRAME)
        mount = encode.encode_transforms(self._make, header, CAMERA_FRAME, BODY_FROM_CAMERA)
        self._put("/tf_static", stamp_ns, mount)

    def _write_poses(self, stamp_ns: int, world_from_body: Float[np.ndarray, "4 4"]) -> None:
        """Write odometry and TF at the frame's stamp, and in between since the last frame."""
        for stamp, pose in self._between(stamp_ns, world_from_body):
            header = encode.encode_header(self._make, stamp, ODOM_FRAME)
            self._put("/odom", stamp, encode.encode_odometry(self._make, header, BODY_FRAME, pose))
            self._put("/tf", stamp, encode.encode_transforms(self._make, header, BODY_FRAME, pose))
        self._last = (stamp_ns, world_from_body)

    def _between(
        self, stamp_ns: int, world_from_body: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray]]:
        rate_hz = self._config.odom_rate_hz
        if self._last is not None and rate_hz > 0:
            last_ns, last_pose = self._last
            # Less a little, or rounding would make a piece more of a rate that fits exactly.
            pieces = max(1, int(np.ceil((stamp_ns - last_ns) * 1e-9 * rate_hz - 1e-6)))
            for piece in range(1, pieces):
                between_ns = last_ns + (stamp_ns - last_ns) * piece // pieces
                fraction = (between_ns - last_ns) / (stamp_ns - last_ns)
                yield between_ns, interpolate_rigid(last_pose, world_from_body, fraction)
        yield stamp_ns, world_from_body

    def _put(self, topic: str, stamp_ns: int, message: Any) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic,
                message.__msgtype__,
                typestore=self._types,
                offered_qos_profiles=[_qos(is_latched=topic == "/tf_static")],
            )
        data = self._types.serialize_cdr(message, message.__msgtype__)
        self._writer.write(self._connections[topic], stamp_ns, data)

    def _make(self, type_name: str, /, **fields: Any) -> Any:
        return self._types.types[type_name](**fields)


def _qos(is_latched: bool) -> Any:
    """Return a reliable profile, as a recorder would have noted it."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    unlimited = QosTime(9223372036, 854775807)
    return Qos(
        history=QosHistory.KEEP_LAST,
        # A late subscriber gets the one message that says where the camera sits.
        depth=1 if is_latched else 20,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if is_latched else QosDurability.VOLATILE,
        deadline=unlimited,
        lifespan=unlimited,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=unlimited,
        avoid_ros_namespace_conventions=False,
    )


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Make a temporary folder on the file system of a path, gone afterwards."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.absolute().parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(written: Path, path: Path) -> None:
    """Put a complete bag in its place; an old one goes only when the new one is there."""
    if path.is_dir():
        # A folder cannot be replaced in one step: the old one waits beside the new one.
        old = written.parent / "replaced"
        os.replace(path, old)
        try:
            os.replace(written, path)
        except OSError:
            os.replace(old, path)
            raise
    else:
        if path.exists() and written.is_dir():
            path.unlink()
        os.replace(written, path)
