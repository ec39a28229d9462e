# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses, depth and focal length read otherwise than a source says, whatever its kind."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, field_validator

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.geometry import (
    quaternion_to_rotation,
    rigid_inverse,
    rigid_transform,
    rotation_to_quaternion,
)
from ineus_core.ros_config import with_unit_quaternions
from ineus_core.sources.reading import CanReadAhead, Run, one_by_one
from ineus_core.sources.source import (
    HasDatasetFrame,
    HasDescription,
    HasPosesBetween,
    HasRandomAccess,
    HasReferenceMesh,
    Source,
    frame_count,
    known_points,
    known_poses,
)
from ineus_core.types import Camera, Frame

MIRROR_Y = np.diag((1.0, -1.0, 1.0, 1.0))
"""From a left-handed world, whose cameras have y up, to ours, and back."""
NAMED_AXES = {"opencv": "RDF", "opengl": "RUB", "ros_body": "FLU"}
_DIRECTIONS = {
    "R": (1, 0, 0),
    "L": (-1, 0, 0),
    "D": (0, 1, 0),
    "U": (0, -1, 0),
    "F": (0, 0, 1),
    "B": (0, 0, -1),
}
"""In optical axes: x right, y down, z forward."""


def body_from_optical(axes: str) -> Float[np.ndarray, "3 3"]:
    """Return the rotation from optical axes to axes by name, or by three letters such as FLU."""
    letters = NAMED_AXES.get(axes, axes)
    return np.array([_DIRECTIONS[letter] for letter in letters], dtype=np.float64)


class PoseReadingConfig(ConfigModel):
    """How the poses of a source are meant, where they are not what its format says."""

    inverted: bool = Field(
        default=False, description="Whether poses are camera_from_world instead of its inverse"
    )
    mirrored: bool = Field(
        default=False,
        description="Whether poses are of a left-handed world with cameras whose y is up, as "
        "those of ICL-NUIM; y is turned about",
    )
    axes: str = Field(
        default="opencv",
        description="Axes of the camera that poses describe: opencv (RDF), opengl (RUB), ros_body "
        "(FLU), or three letters for x y z out of Right Left Up Down Forward Back",
    )
    quaternion_order: Literal["xyzw", "wxyz"] = Field(
        default="xyzw",
        description="Order of quaternions in files that have them; wxyz: of those read as xyzw.",
    )
    scale: float = Field(
        default=1.0, gt=0, description="Factor on positions, for poses that are not in metres"
    )
    time_offset_s: float = Field(
        default=0.0,
        description="Added to the stamp of an image to look its pose up, in seconds; positive "
        "where poses are late",
    )
    body_from_camera: Annotated[tuple[float, ...], Field(max_length=7)] = Field(
        default=(),
        description="Camera (optical axes) in the frame that poses describe: x y z in m, then "
        "quaternion x y z w",
    )

    @field_validator("body_from_camera")
    @classmethod
    def _has_a_rotation(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return with_unit_quaternions(value)

    @field_validator("axes")
    @classmethod
    def _is_right_handed(cls, value: str) -> str:
        letters = NAMED_AXES.get(value, value)
        if len(letters) != 3 or not set(letters) <= set(_DIRECTIONS):
            raise ValueError("expected opencv, opengl, ros_body, or three letters out of RLUDFB")
        if not np.isclose(np.linalg.det(body_from_optical(value)), 1):
            raise ValueError("expected three axes at right angles that are right-handed")
        return value

    def world_from_camera(self, given: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
        """Return the pose that a given one stands for."""
        pose = given
        if self.quaternion_order == "wxyz":
            pose = pose.copy()
            # Back to the four numbers as they were read, which only stand in another order.
            w, x, y, z = rotation_to_quaternion(given[:3, :3])
            pose[:3, :3] = quaternion_to_rotation(np.array((x, y, z, w)))
        if self.mirrored:
            pose = MIRROR_Y @ pose @ MIRROR_Y
        if self.inverted:
            pose = rigid_inverse(pose)
        if self.scale != 1:
            pose = pose.copy()
            pose[:3, 3] *= self.scale
        if NAMED_AXES.get(self.axes, self.axes) != "RDF":
            pose = pose.copy()
            pose[:3, :3] = pose[:3, :3] @ body_from_optical(self.axes)
        if self.body_from_camera:
            numbers = np.array(self.body_from_camera)
            # Last: it is given in the frame that the other settings lead to.
            pose = pose @ rigid_transform(numbers[:3], numbers[3:])
        return pose


@dataclass(frozen=True)
class Adjustment:
    """What is read otherwise than a source says."""

    poses: PoseReadingConfig = field(default_factory=PoseReadingConfig)
    depth_factor: float = 1.0
    focal_factor: float = 1.0
    scale: float = 1.0
    """Factor on all lengths, positions and depth alike, after all else."""

    @property
    def is_none(self) -> bool:
        """Whether nothing is changed."""
        return self == Adjustment()

    def camera(self, camera: Camera) -> Camera:
        """Return the camera with its focal length scaled."""
        factor = self.focal_factor
        return replace(camera, fx=camera.fx * factor, fy=camera.fy * factor)

    def world_from_camera(self, given: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
        """Return the pose that a given one stands for, in the scaled world."""
        pose = self.poses.world_from_camera(given)
        if self.scale != 1:
            pose = pose.copy()
            pose[:3, 3] *= self.scale
        return pose

    def frame(self, frame: Frame, given: Float[np.ndarray, "4 4"] | None = None) -> Frame:
        """Return a frame read so.

        Args:
            given: Its pose as the source has it at the shifted time; else that of the frame.
        """
        depth_m = frame.depth_m
        factor = self.depth_factor * self.scale
        if depth_m is not None and factor != 1:
            depth_m = depth_m * np.float32(factor)
        pose = frame.world_from_camera if given is None else given
        return replace(
            frame,
            camera=self.camera(frame.camera),
            world_from_camera=self.world_from_camera(pose),
            depth_m=depth_m,
        )


class AdjustedSource:
    """The frames of a source, adjusted.

    Args:
        source: Where the frames come from.

    Raises:
        ConfigError: Poses are shifted in time, and the source has none between its frames.
    """

    def __init__(self, source: Source, adjustment: Adjustment) -> None:
        self.inner, self._adjustment = source, adjustment
        # The same counter, so that both count into one.
        self.dropped: Counter[str] = source.dropped
        self.kind = getattr(source, "kind", "source")
        # Refused here: without poses between the frames each of them would be dropped, one after
        # the other.
        offset_s = adjustment.poses.time_offset_s
        if offset_s and not isinstance(source, HasPosesBetween):
            raise ConfigError(
                f"source.poses.time_offset_s {offset_s}: a source of kind {self.kind} has no "
                "poses between its frames; expected 0"
            )
        self._offset_ns = round(offset_s * 1e9)
        # What the inner source lacks must be lacking here, too: abilities are told by attributes.
        poses, points = known_poses(source), known_points(source)
        if poses is not None:
            self.world_from_camera = [adjustment.world_from_camera(pose) for pose in poses]
        if points is not None:
            # Points lie in the world: axes and inversion, which are of the camera, leave them as
            # they are.
            self.points = points * (adjustment.poses.scale * adjustment.scale)
        # What is written is in the source's own unit.
        shrunk = np.diag((*(1 / adjustment.scale,) * 3, 1.0))
        if isinstance(source, HasDatasetFrame):
            self.dataset_from_world = source.dataset_from_world @ shrunk
        elif adjustment.scale != 1:
            self.dataset_from_world = shrunk
        if isinstance(source, HasReferenceMesh):
            self.reference_mesh = source.reference_mesh
        if isinstance(source, HasDescription):
            self.describe = source.describe
        if isinstance(source, HasRandomAccess):
            self.frame = self._frame_at

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames by rising stamp; those without a pose at the shifted time are left."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        inner = self.inner
        for frame in inner.frames(run) if isinstance(inner, CanReadAhead) else inner:
            try:
                adjusted = self._adjusted(frame)
            except SourceError:
                self.dropped["no_pose"] += 1
                continue
            yield adjusted

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return the pose at a stamp."""
        assert isinstance(self.inner, HasPosesBetween)
        given = self.inner.pose_at(stamp_ns + self._offset_ns)
        return self._adjustment.world_from_camera(given)

    def _frame_at(self, index: int) -> Frame:
        assert isinstance(self.inner, HasRandomAccess)
        return self._adjusted(self.inner.frame(index))

    def _adjusted(self, frame: Frame) -> Frame:
        given = None
        if self._offset_ns and isinstance(self.inner, HasPosesBetween):
            given = self.inner.pose_at(frame.stamp_ns + self._offset_ns)
        return self._adjustment.frame(frame, given)


# A class of its own, as having `__len__` is what tells that the number of frames is known.
class SizedAdjustedSource(AdjustedSource):
    """An adjusted source whose number of frames is known."""

    def __len__(self) -> int:
        """Return the number of frames before drops."""
        return frame_count(self.inner) or 0


def adjusted(source: Source, adjustment: Adjustment) -> Source:
    """Return the source itself where nothing is adjusted, else one around it."""
    if adjustment.is_none:
        return source
    kind = AdjustedSource if frame_count(source) is None else SizedAdjustedSource
    return kind(source, adjustment)
