# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras of the built-in scenes stand."""

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import look_at
from ineus_core.sources.synthetic.placing import sphere_directions

UP = np.array((0.0, 0.0, 1.0))


def room_walk(frames: int) -> list[Float[np.ndarray, "4 4"]]:
    """Walk two rounds through the room at eye height, looking outwards first and inwards then."""
    poses = []
    for u in np.arange(frames) / frames:
        angle = 4 * np.pi * u + 3.6
        eye = np.array(
            (1.35 * np.cos(angle), 0.85 * np.sin(angle), 1.35 - 0.15 * np.cos(6 * np.pi * u))
        )
        # Half a turn of the head around the middle of the walk and around its end.
        inwards = 0.5 - 0.5 * np.cos(2 * np.pi * u)
        yaw = angle + np.pi * inwards
        pitch = -0.25 + 0.48 * np.sin(10 * np.pi * u)
        forward = np.array(
            (np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch))
        )
        poses.append(look_at(eye, eye + forward, UP))
    return poses


def object_views(frames: int, radius_m: float = 3.0) -> list[Float[np.ndarray, "4 4"]]:
    """Place cameras all around the origin, looking at it."""
    # The squeeze keeps them off the poles, where "up" means nothing.
    directions = sphere_directions(frames) * (1, 1, 0.97)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return [look_at(radius_m * d, np.zeros(3), UP) for d in directions]
