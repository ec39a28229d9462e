# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images from within an empty box, exact by construction, for tests of poses."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ineus_core.geometry import look_at, pixel_rays
from ineus_core.types import Camera, Frame

CAMERA = Camera(160, 120, 100.0, 100.0, 80.0, 60.0)
UP = np.array((0.0, 0.0, 1.0))
HALF_SIDES_M = np.array((2.0, 1.5, 1.2))


def seen_from(
    pose: Float[np.ndarray, "4 4"], half_sides_m: np.ndarray = HALF_SIDES_M
) -> Float[np.ndarray, "h w"]:
    """Return the depth of a box around the origin, as a camera within it sees it."""
    rays = pixel_rays(CAMERA).astype(np.float64)
    directions = rays @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        until_m = (np.sign(directions) * half_sides_m - pose[:3, 3]) / directions
    return (until_m.min(axis=-1) * rays[..., 2]).astype(np.float32)


def frame_at(
    number: int,
    true: Float[np.ndarray, "4 4"],
    given: Float[np.ndarray, "4 4"] | None = None,
    half_sides_m: np.ndarray = HALF_SIDES_M,
) -> Frame:
    """Make a frame with the depth of a true pose, and another pose where one is given."""
    rgb = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
    depth_m = seen_from(true, half_sides_m)
    return Frame(number * 10**8, CAMERA, true if given is None else given, rgb, depth_m)


def into_corner(x_m: float = 0.0) -> Float[np.ndarray, "4 4"]:
    """Return a pose that sees three faces of the box."""
    return look_at(np.array((x_m, 0.1, 0.0)), np.array((2.0, 1.5, -1.2)), UP)


def off_by(
    pose: Float[np.ndarray, "4 4"], shift_m: tuple[float, ...], turn_deg: tuple[float, ...]
) -> Float[np.ndarray, "4 4"]:
    """Return a pose that is shifted, and turned about itself, along the axes of the world."""
    moved = pose.copy()
    moved[:3, 3] += shift_m
    turn = Rotation.from_rotvec(np.radians(turn_deg)).as_matrix()
    moved[:3, :3] = turn @ pose[:3, :3]
    return moved


def apart(a: Float[np.ndarray, "4 4"], b: Float[np.ndarray, "4 4"]) -> tuple[float, float]:
    """Return by how many mm and degrees two poses differ."""
    turn = Rotation.from_matrix(a[:3, :3].T @ b[:3, :3]).magnitude()
    return 1e3 * float(np.linalg.norm(a[:3, 3] - b[:3, 3])), float(np.degrees(turn))
