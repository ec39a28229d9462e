# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A round of views over what has been seen, for looking at a reconstruction."""

import numpy as np
from jaxtyping import Float

from ineus_core.bounds import box_of_cameras
from ineus_core.geometry import look_at

_MAX_ELEVATION = np.radians(60)


def orbit(
    origins: Float[np.ndarray, "n 3"],
    directions: Float[np.ndarray, "n 3"],
    frames: int,
    up: Float[np.ndarray, " 3"],
) -> list[Float[np.ndarray, "4 4"]]:
    """Poses once around the centre where the rays look inwards, else a full turn in their midst.

    Args:
        origins: Of rays that the sensor has seen, world.
        directions: Of the same rays, unit length.
        up: Unit length, world.
    """
    # A ray is as good as a camera for the question where everybody looks.
    as_poses = np.tile(np.eye(4), (len(origins), 1, 1))
    as_poses[:, :3, 2], as_poses[:, :3, 3] = directions, origins
    looks, box = box_of_cameras(list(as_poses))
    # Any direction that is not up will do to count the angle from.
    side = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    side /= np.linalg.norm(side)
    angles = 2 * np.pi * np.arange(frames) / frames
    level = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(up, side)
    if looks == "room":
        eye = np.median(origins, axis=0)
        return [look_at(eye, eye + forward, up) for forward in level]
    centre = box.mean(axis=0)
    away = origins - centre
    distance_m = np.linalg.norm(away, axis=1)
    elevation = float(np.median(np.arcsin(np.clip(away @ up / distance_m, -1, 1))))
    elevation = float(np.clip(elevation, -_MAX_ELEVATION, _MAX_ELEVATION))
    outwards = np.cos(elevation) * level + np.sin(elevation) * up
    return [look_at(centre + np.median(distance_m) * d, centre, up) for d in outwards]
