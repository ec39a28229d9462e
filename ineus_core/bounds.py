# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the scene lies and how fine it is, judged by the first frames: no radius is guessed."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.types import Frame

_STRIDE_PX = 8
ROOM_VOXEL_M = 0.025
"""Voxels of a room, which a depth camera sees from 1 m or more."""
_HALVINGS = 2
"""Down to 6 mm: nearer than half a metre few depth cameras measure."""
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
    max_depth_m: float = Field(
        10.0, gt=0, description="Returns beyond this do not widen the box, in m."
    )


def voxel_of_depth(frame: Frame, config: BoundsConfig) -> float:
    """Voxels in m as fine as the view is close: halved within a median of 1 m, and of 0.5 m."""
    assert frame.depth_m is not None
    depth_m = frame.depth_m[_measured(frame, config)]
    if len(depth_m) == 0:
        return ROOM_VOXEL_M
    halvings = int(np.floor(np.log2(2.0 / float(np.median(depth_m)))))
    return ROOM_VOXEL_M / 2 ** min(max(halvings, 0), _HALVINGS)


def voxel_of_box(aabb: Float[np.ndarray, "2 3"]) -> float:
    """Voxels in m for a scene without depth, which fills its box."""
    return min(ROOM_VOXEL_M, float((aabb[1] - aabb[0]).max()) / _VOXELS_OF_A_SIDE)


def _measured(frame: Frame, config: BoundsConfig) -> Bool[np.ndarray, "h w"]:
    assert frame.depth_m is not None
    picked: Bool[np.ndarray, "h w"] = np.zeros(frame.depth_m.shape, dtype=bool)
    picked[::_STRIDE_PX, ::_STRIDE_PX] = True
    picked &= (frame.depth_m > 0) & (frame.depth_m <= config.max_depth_m)
    return picked if frame.mask is None else picked & frame.mask


def box_of_depth(
    frame: Frame, rays: Float[np.ndarray, "h w 3"], config: BoundsConfig
) -> Float[np.ndarray, "2 3"]:
    """Box around the camera and what it has measured."""
    assert frame.depth_m is not None
    hit = _measured(frame, config)
    in_camera = rays[hit]
    points = in_camera * (frame.depth_m[hit] / in_camera[:, 2])[:, None]
    position = frame.world_from_camera[:3, 3]
    world = np.vstack((points @ frame.world_from_camera[:3, :3].T + position, position))
    return np.stack((world.min(axis=0) - config.margin_m, world.max(axis=0) + config.margin_m))


def box_of_cameras(
    poses: list[Float[np.ndarray, "4 4"]],
) -> tuple[Literal["object", "room"], Float[np.ndarray, "2 3"]]:
    """Whether cameras look inwards at an object or out into a room, and the cube that holds it.

    The point nearest to all optical axes decides: an object lies in front of nearly all cameras.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    axes = np.stack([pose[:3, 2] for pose in poses])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    # The small term keeps parallel axes solvable; it pulls towards the cameras' mean.
    system = across.sum(axis=0) + 1e-6 * np.eye(3)
    target = (across @ positions[:, :, None]).sum(axis=0)[:, 0] + 1e-6 * positions.mean(axis=0)
    focus = np.linalg.solve(system, target)
    along = ((focus - positions) * axes).sum(axis=1)
    distance = np.linalg.norm(focus - positions, axis=1)
    spread = np.linalg.norm(positions - positions.mean(axis=0), axis=1).max()
    looks_inwards = (along > 0.7 * distance).mean() > 0.9 and distance.min() > 0.3 * spread
    if looks_inwards:
        half = 0.5 * float(np.median(distance))
        return "object", np.stack((focus - half, focus + half))
    centre = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    half = 1.5 * float(np.abs(positions - centre).max()) + 2.5
    return "room", np.stack((centre - half, centre + half))
