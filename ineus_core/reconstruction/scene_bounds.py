# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the scene lies and how fine it is, judged by the first frames: no radius is guessed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, field_validator

from ineus_core.config_model import ConfigModel
from ineus_core.geometry import box_of_cameras
from ineus_core.keyframes import DepthConfig, believed_depth, world_points
from ineus_core.stereo import PHOTOGRAPH_PX
from ineus_core.types import Frame

# A keyframe waits meanwhile, and a box needs no more.
_STRIDE_PX = 8
ROOM_VOXEL_M = 0.025
"""Voxels of a room, which a depth camera sees from 1 m or more."""
_HALVINGS = 2
"""Down to 6 mm: nearer than half a metre few depth cameras measure."""
_POINTS_OF_AN_OBJECT = 0.9
"""Least share of the measured points that lie within the box of an object seen from around."""
_STRAY_SPREADS = 100.0
"""A camera that is farther from the others than so many of their own spreads has a wrong pose."""
_PIXELS_OF_A_VOXEL = 3.0
"""Of photographs in the size that they are matched in."""
_VOXELS_OF_A_SIDE = 256
"""Least number along the box of a scene without depth, whose unit may be any length."""


class BoundsConfig(ConfigModel):
    """Box of the scene, where it is known, and how it is judged where it is not."""

    aabb: tuple[float, ...] = Field(
        (),
        description="Box of the scene in m, min x y z then max x y z; "
        "empty = judged by the first frames.",
    )
    frames_to_start: int = Field(
        24, ge=1, description="Frames without depth that are awaited before the box is judged."
    )
    margin_m: float = Field(0.3, ge=0, description="Room left around measured points, in m.")

    def counted_from(self, origin_m: Float[np.ndarray, " 3"]) -> "BoundsConfig":
        """Return these bounds with the box in coordinates that count from an origin."""
        if not self.aabb or not origin_m.any():
            return self
        moved = np.array(self.aabb).reshape(2, 3) - origin_m
        return self.model_copy(update={"aabb": tuple(moved.ravel().tolist())})

    @field_validator("aabb")
    @classmethod
    def _is_a_box(cls, aabb: tuple[float, ...]) -> tuple[float, ...]:
        if aabb and (len(aabb) != 6 or any(aabb[i] >= aabb[i + 3] for i in range(3))):
            raise ValueError(
                "expected none, or 6 numbers, min x y z then max x y z, each max above its min"
            )
        return aabb


@dataclass(frozen=True)
class SceneBounds:
    """What the first frames say of a scene."""

    scene_kind: Literal["depth", "object", "room"]
    """Nothing in particular where there is depth; an object from around, a room from within."""
    aabb: Float[np.ndarray, "2 3"]
    voxel_m: float


def estimate_bounds(
    frames: Sequence[Frame],
    expected: Sequence[Float[np.ndarray, "4 4"]],
    config: BoundsConfig,
    depth: DepthConfig,
    points: Float[np.ndarray, "n 3"] | None = None,
    is_set: bool = False,
) -> SceneBounds:
    """Judge a scene by its first frames: by the depth of one, or without any by the cameras.

    Args:
        expected: `world_from_camera` of all frames that will come, where they are known.
        points: What is known to lie on surfaces. Without depth all of it has to be in the box,
            as only surfaces in there explain pictures.
        is_set: The frames are a set of photographs, whose unit of length may be any.
    """
    with_depth = [frame for frame in frames if frame.depth_m is not None]
    scene_kind: Literal["depth", "object", "room"] = "depth"
    if with_depth:
        aabb = box_of_depth(with_depth[0], config, depth)
    else:
        poses = _without_strays(list(expected) or [frame.world_from_camera for frame in frames])
        scene_kind, aabb = box_of_cameras(poses)
        if points is not None and len(points) > 0 and not _is_object(scene_kind, aabb, points):
            # Cameras stand around, but what they see reaches beyond: the box of the cameras would
            # cut it off.
            scene_kind, aabb = "room", box_of_points(points, poses)
    if config.aabb:
        aabb = np.array(config.aabb).reshape(2, 3)
    return SceneBounds(scene_kind, aabb, _voxel_of(with_depth, aabb, depth, is_set))


def _voxel_of(
    with_depth: Sequence[Frame], aabb: Float[np.ndarray, "2 3"], depth: DepthConfig, is_set: bool
) -> float:
    if not with_depth:
        return voxel_of_box(aabb)
    if is_set and with_depth[0].depth_confidence is not None:
        return voxel_of_pictures(with_depth, depth)
    return voxel_of_depth(with_depth[0], depth)


def _without_strays(poses: list[Float[np.ndarray, "4 4"]]) -> list[Float[np.ndarray, "4 4"]]:
    """Leave out cameras so far from all others that one box for both would hold no surface."""
    positions = np.stack([pose[:3, 3] for pose in poses])
    away_m = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    # Medians, as strays are what it is about; at least 1 m, or cameras at one place would all be
    # strays.
    limit_m = _STRAY_SPREADS * max(float(np.median(away_m)), 1.0)
    return [pose for pose, distance_m in zip(poses, away_m, strict=True) if distance_m <= limit_m]


def voxel_of_depth(frame: Frame, config: DepthConfig) -> float:
    """Choose voxels as fine as the view is close: halved within a median of 1 m, and 0.5 m."""
    depth_m, hit = believed_depth(frame, config, _STRIDE_PX)
    if not hit.any():
        return ROOM_VOXEL_M
    halvings = int(np.floor(np.log2(2.0 / float(np.median(depth_m[hit])))))
    return ROOM_VOXEL_M / 2 ** min(max(halvings, 0), _HALVINGS)


def voxel_of_pictures(frames: Sequence[Frame], config: DepthConfig) -> float:
    """Choose voxels as wide as some pixels are at half of what photographs show."""
    pixels = [
        np.median(depth_m[hit]) / (frame.camera.fx * PHOTOGRAPH_PX / frame.camera.width_px)
        for frame in frames
        for depth_m, hit in [believed_depth(frame, config, _STRIDE_PX)]
        if hit.any()
    ]
    return _PIXELS_OF_A_VOXEL * float(np.median(pixels)) if pixels else ROOM_VOXEL_M


def voxel_of_box(aabb: Float[np.ndarray, "2 3"]) -> float:
    """Choose voxels in m for a scene without depth, which fills its box."""
    return min(ROOM_VOXEL_M, float((aabb[1] - aabb[0]).max()) / _VOXELS_OF_A_SIDE)


def box_of_depth(
    frame: Frame, config: BoundsConfig, depth: DepthConfig
) -> Float[np.ndarray, "2 3"]:
    """Return the box around the camera and what it has measured."""
    # The camera too, as the way to what it measures is free space of the map.
    position = frame.world_from_camera[:3, 3]
    world = np.vstack((world_points(frame, depth, _STRIDE_PX), position))
    return np.stack((world.min(axis=0) - config.margin_m, world.max(axis=0) + config.margin_m))


def _is_object(
    scene_kind: str, aabb: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "n 3"]
) -> bool:
    is_inside = ((points >= aabb[0]) & (points <= aabb[1])).all(axis=1)
    return scene_kind == "object" and float(is_inside.mean()) >= _POINTS_OF_AN_OBJECT


def box_of_points(
    points: Float[np.ndarray, "n 3"], poses: Sequence[Float[np.ndarray, "4 4"]]
) -> Float[np.ndarray, "2 3"]:
    """Bound cameras and all points but strays by a cube, a tenth to spare on every side."""
    positions = np.stack([pose[:3, 3] for pose in poses])
    # Structure from motion puts some points far off, and one of them would stretch the box.
    low, high = np.percentile(points, (1.0, 99.0), axis=0)
    low, high = np.minimum(low, positions.min(axis=0)), np.maximum(high, positions.max(axis=0))
    # A cube, as the field is one.
    half = 0.6 * float((high - low).max())
    centre = 0.5 * (low + high)
    return np.stack((centre - half, centre + half))
