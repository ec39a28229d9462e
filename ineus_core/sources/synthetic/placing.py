# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations and directions by which the parts of the built-in scenes are placed."""

import numpy as np
from jaxtyping import Float


def sphere_directions(count: int) -> Float[np.ndarray, "count 3"]:
    """Spread unit vectors evenly over the sphere, from the top down (Fibonacci lattice)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    side = np.sqrt(1 - z * z)
    return np.stack((side * np.cos(angle), side * np.sin(angle), z), axis=1)


def turn(axis: str, angle_deg: float) -> Float[np.ndarray, "3 3"]:
    """Return the rotation about a coordinate axis."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[i, i], rotation[i, j], rotation[j, i], rotation[j, j] = c, -s, s, c
    return rotation
