# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the scene lies, judged by the first frames: no radius has to be guessed."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.types import Frame

_STRIDE_PX = 8


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


def box_of_depth(
    frame: Frame, rays: Float[np.ndarray, "h w 3"], config: BoundsConfig
) -> Float[np.ndarray, "2 3"]:
    """Box around the camera and what it has measured."""
    assert frame.depth_m is not None
    depth_m = frame.depth_m[::_STRIDE_PX, ::_STRIDE_PX]
    hit = (depth_m > 0) & (depth_m <= config.max_depth_m)
    if frame.mask is not None:
        hit &= frame.mask[::_STRIDE_PX, ::_STRIDE_PX]
    in_camera = rays[::_STRIDE_PX, ::_STRIDE_PX][hit]
    points = in_camera * (depth_m[hit] / in_camera[:, 2])[:, None]
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
