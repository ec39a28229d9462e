# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sources with a fault planted in them, as recordings have them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ineus_core.errors import SourceError
from ineus_core.geometry import (
    OPENGL_CAMERA_FROM_CAMERA,
    quaternion_to_rotation,
    rigid_inverse,
    rigid_transform,
    rotation_to_quaternion,
)
from ineus_core.types import Camera, Frame

OPTICAL_FROM_ROS_BODY = np.array(
    [[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64
)
MIRROR_Y = np.diag((1.0, -1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Fault:
    """What is wrong with the frames of a source."""

    name: str
    family: str
    """By which name the check should find it; empty: it can only say that something is wrong."""
    expected: dict[str, Any] | None = None
    """Settings that mend it."""
    pose: Callable[[np.ndarray, int], np.ndarray] | None = None
    """From the true pose and the stamp."""
    late_s: float = 0.0
    depth_factor: float = 1.0
    focal_factor: float = 1.0
    depth_camera: tuple[float, float] | None = None
    """Focal length of the depth camera against colour's, and its place to the right in m."""


def wxyz_read_as_xyzw(pose: np.ndarray, stamp_ns: int) -> np.ndarray:
    x, y, z, w = rotation_to_quaternion(pose[:3, :3])
    read = pose.copy()
    read[:3, :3] = quaternion_to_rotation(np.array((w, x, y, z)))
    return read


def of_a_marker(pose: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Return a pose that moves by itself, a little."""
    seconds = stamp_ns * 1e-9
    turn = Rotation.from_rotvec(0.05 * np.sin(np.array((1.0, 2.0, 3.0)) * seconds))
    return rigid_transform(0.1 * np.cos(np.array((1.0, 0.7, 0.4)) * seconds), turn.as_quat())


def mounted(shift_m: tuple[float, ...], turn_deg: tuple[float, ...]) -> np.ndarray:
    turn = Rotation.from_euler("xyz", turn_deg, degrees=True)
    return rigid_transform(np.array(shift_m, dtype=np.float64), turn.as_quat())


AT_20_CM = mounted((0.1, 0.1, 0.141), (0, 0, 0))
TURNED_BY_10 = mounted((0, 0, 0), (6, 6, 5))

FAULTS = (
    Fault(
        "inverted poses",
        "inverted",
        {"source.poses.inverted": True},
        lambda pose, _: rigid_inverse(pose),
    ),
    Fault(
        "OpenGL axes",
        "axes",
        {"source.poses.axes": "opengl"},
        lambda pose, _: pose @ OPENGL_CAMERA_FROM_CAMERA,
    ),
    Fault(
        "axes of a ROS body",
        "axes",
        {"source.poses.axes": "ros_body"},
        lambda pose, _: pose @ OPTICAL_FROM_ROS_BODY,
    ),
    Fault(
        "quaternions as wxyz",
        "quaternion",
        {"source.poses.quaternion_order": "wxyz"},
        wxyz_read_as_xyzw,
    ),
    Fault(
        "a left-handed world",
        "mirrored",
        {"source.poses.mirrored": True},
        lambda pose, _: MIRROR_Y @ pose @ MIRROR_Y,
    ),
    Fault("depth x 0.1", "unit", {"source.depth_factor": 10.0}, depth_factor=0.1),
    Fault("depth x 5", "unit", {"source.depth_factor": 0.2}, depth_factor=5.0),
    Fault("depth x 1000", "unit", {"source.depth_factor": 0.001}, depth_factor=1000.0),
    Fault("focal length x 0.8", "focal", {"source.focal_factor": 1.25}, focal_factor=0.8),
    Fault("focal length x 1.09", "focal", {"source.focal_factor": 0.917}, focal_factor=1.09),
    Fault("poses late by 50 ms", "time", {"source.poses.time_offset_s": 0.05}, late_s=0.05),
    Fault("poses late by 100 ms", "time", {"source.poses.time_offset_s": 0.1}, late_s=0.1),
    Fault("mounting off by 20 cm", "mounting", None, lambda pose, _: pose @ AT_20_CM),
    Fault("mounting off by 10 degrees", "turned", None, lambda pose, _: pose @ TURNED_BY_10),
    Fault("poses of a marker", "", None, of_a_marker),
    Fault("poses that stand still", "", None, lambda pose, _: np.eye(4)),
    Fault("depth of a camera 5 cm away", "registration", depth_camera=(1.0, 0.05)),
    Fault("depth of another lens", "registration", depth_camera=(0.9, 0.03)),
)


class PlantedSource:
    """A source that can be read in any order and knows poses between its frames, made faulty."""

    kind = "planted"

    def __init__(
        self,
        inner: Any,
        fault: Fault | None = None,
        has_depth: bool = True,
        frames: int = 0,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._frames = frames
        self._inner, self._fault, self._has_depth = inner, fault or Fault("none", ""), has_depth

    def __len__(self) -> int:
        return self._frames or len(self._inner)

    def __iter__(self) -> Iterator[Frame]:
        return map(self.frame, range(len(self)))

    def pose_at(self, stamp_ns: int) -> np.ndarray:
        fault = self._fault
        pose = self._inner.pose_at(stamp_ns - round(fault.late_s * 1e9))
        return pose if fault.pose is None else fault.pose(pose, stamp_ns)

    def frame(self, index: int) -> Frame:
        frame: Frame = self._inner.frame(index)
        fault = self._fault
        try:
            pose = self.pose_at(frame.stamp_ns)
        except SourceError:
            # Before the first pose there is none that is late.
            pose = frame.world_from_camera
        depth_m = frame.depth_m if self._has_depth else None
        if depth_m is not None:
            if fault.depth_camera is not None:
                depth_m = seen_from(depth_m, frame.camera, *fault.depth_camera)
            depth_m = depth_m * np.float32(fault.depth_factor)
        factor = fault.focal_factor
        camera = replace(frame.camera, fx=frame.camera.fx * factor, fy=frame.camera.fy * factor)
        return replace(frame, camera=camera, world_from_camera=pose, depth_m=depth_m)


def seen_from(
    depth_m: np.ndarray, camera: Camera, focal_factor: float, right_m: float
) -> np.ndarray:
    """Return depth as a camera beside has it, at the size of colour."""
    height, width = depth_m.shape
    rows, columns = np.nonzero(depth_m)
    z = depth_m[rows, columns]
    x = (columns + 0.5 - camera.cx) / camera.fx - right_m / z
    y = (rows + 0.5 - camera.cy) / camera.fy
    to_columns = (x * camera.fx * focal_factor + camera.cx).astype(int)
    to_rows = (y * camera.fy * focal_factor + camera.cy).astype(int)
    inside = (to_columns >= 0) & (to_columns < width) & (to_rows >= 0) & (to_rows < height)
    # The nearest comes last, and stays.
    order = np.argsort(-z[inside])
    seen = np.zeros_like(depth_m)
    seen[to_rows[inside][order], to_columns[inside][order]] = z[inside][order]
    return seen
