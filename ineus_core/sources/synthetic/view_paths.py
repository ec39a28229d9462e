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
        poses.append(_looking(eye, yaw, pitch))
    return poses


def corridor_walk(frames: int) -> list[Float[np.ndarray, "4 4"]]:
    """Walk from one end of the corridor to the other, looking to both sides in turn."""
    poses = []
    for u in (np.arange(frames) + 0.5) / frames:
        eye = np.array((1.0 + 36.0 * u, 0.25 * np.sin(10 * np.pi * u), 1.4))
        yaw, pitch = 0.9 * np.sin(24 * np.pi * u), -0.08 + 0.22 * np.sin(17 * np.pi * u)
        poses.append(_looking(eye, yaw, pitch))
    return poses


def hall_walk(frames: int) -> list[Float[np.ndarray, "4 4"]]:
    """Walk once around the columns in the middle of the hall, looking outwards and ahead."""
    poses = []
    for u in np.arange(frames) / frames:
        angle = 2 * np.pi * u
        eye = np.array((8.2 * np.cos(angle), 2.0 * np.sin(angle), 1.6))
        yaw = angle + 0.8 + 0.7 * np.sin(10 * np.pi * u)
        poses.append(_looking(eye, yaw, -0.05 + 0.25 * np.sin(14 * np.pi * u)))
    return poses


def _looking(eye: np.ndarray, yaw: float, pitch: float) -> Float[np.ndarray, "4 4"]:
    level = np.array((np.cos(yaw), np.sin(yaw), 0.0))
    return look_at(eye, eye + level * np.cos(pitch) + UP * np.sin(pitch), UP)


def object_views(frames: int, radius_m: float = 3.0) -> list[Float[np.ndarray, "4 4"]]:
    """Place cameras all around the origin, looking at it."""
    # The squeeze keeps them off the poles, where "up" means nothing.
    directions = sphere_directions(frames) * (1, 1, 0.97)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return [look_at(radius_m * d, np.zeros(3), UP) for d in directions]
