# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Paths of a camera for films of a finished scene, derived from where the pictures were taken."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import axes_equations, box_of_cameras, look_at

Z = np.array((0.0, 0.0, 1.0))
# From straight above, "up" says nothing about which way the picture stands.
_MAX_ELEVATION = np.radians(60)


def arc_poses(
    poses: Sequence[Float[np.ndarray, "4 4"]], frames: int
) -> list[Float[np.ndarray, "4 4"]]:
    """Swing through the middle of cameras on one side of the origin, as far as the outermost one.

    For scans such as DTU's: the axis is the direction in which the cameras are spread least, and
    the camera keeps its distance and looks at the origin.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    middle = positions.mean(axis=0)
    # Across the middle and the widest spread lies the axis that the cameras turn about least.
    # About the origin instead of their mean: it is what the camera turns around.
    axis = np.linalg.eigh(positions.T @ positions)[1][:, 0]
    # The sign of an eigenvector is open, and with the wrong one the film is upside down.
    if axis @ _mean_top(poses) < 0:
        axis = -axis
    middle = middle - axis * (axis @ middle)
    unit = middle / np.linalg.norm(middle)
    directions = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    # Rounding takes a product of unit vectors past 1, of which arccos is NaN.
    most = float(np.arccos(np.clip(directions @ unit, -1, 1)).max())
    height = axis * float((positions @ axis).mean())
    side = np.cross(axis, middle)
    return [
        look_at(height + middle * np.cos(angle) + side * np.sin(angle), np.zeros(3), axis)
        for angle in np.linspace(-most, most, frames)
    ]


def circle_poses(
    poses: Sequence[Float[np.ndarray, "4 4"]], frames: int
) -> list[Float[np.ndarray, "4 4"]]:
    """Circle about z at the mean height and distance of the cameras, looking at the origin.

    For captures from all around, in a normalised world.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    distance = float(np.linalg.norm(positions, axis=1).mean())
    height = float(positions[:, 2].mean())
    # Cameras that all look from above leave no radius, and a circle without one shows one view.
    radius = float(np.sqrt(max(distance**2 - height**2, (0.1 * distance) ** 2)))
    return orbit_poses(np.zeros(3), radius, height, frames)


def orbit_poses(
    centre: Float[np.ndarray, " 3"],
    radius: float,
    height: float,
    frames: int,
    up: Float[np.ndarray, " 3"] = Z,
) -> list[Float[np.ndarray, "4 4"]]:
    """Circle about a vertical axis through a point, looking at it; the film loops."""
    outwards = radius * _level_directions(frames, up) + height * up
    return [look_at(centre + offset, centre, up) for offset in outwards]


def round_poses(
    origins: Float[np.ndarray, "n 3"],
    directions: Float[np.ndarray, "n 3"],
    frames: int,
    up: Float[np.ndarray, " 3"] = Z,
) -> list[Float[np.ndarray, "4 4"]]:
    """Circle around the centre where rays look inwards, else turn once in their midst.

    Args:
        origins: Of rays that the sensor has seen, world.
        directions: Of the same rays, unit length.
        up: Unit length, world.
    """
    # A ray is as good as a camera for the question where everybody looks.
    as_poses = np.tile(np.eye(4), (len(origins), 1, 1))
    as_poses[:, :3, 2], as_poses[:, :3, 3] = directions, origins
    looks, box = box_of_cameras(list(as_poses))
    if looks == "room":
        eye = np.median(origins, axis=0)
        return [look_at(eye, eye + level, up) for level in _level_directions(frames, up)]
    centre = box.mean(axis=0)
    away = origins - centre
    distance = np.linalg.norm(away, axis=1)
    elevation = float(np.median(np.arcsin(np.clip(away @ up / distance, -1, 1))))
    elevation = float(np.clip(elevation, -_MAX_ELEVATION, _MAX_ELEVATION))
    middle = float(np.median(distance))
    return orbit_poses(centre, middle * np.cos(elevation), middle * np.sin(elevation), frames, up)


def spiral_poses(
    poses: Sequence[Float[np.ndarray, "4 4"]],
    frames: int,
    focus: float = 0.0,
    turns: float = 2.0,
) -> list[Float[np.ndarray, "4 4"]]:
    """Spiral around the mean pose, as wide as nine in ten cameras are spread (LLFF, 2019).

    For captures that face one way.

    Args:
        focus: Distance at which all views meet; 0: where the optical axes come nearest, or four
            times the spread for axes that do not meet in front.
        turns: Turns about the mean optical axis while the camera goes forth and back once.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    top, forward = _mean_top(poses), np.mean([pose[:3, 2] for pose in poses], axis=0)
    centre = positions.mean(axis=0)
    mean = look_at(centre, centre + forward, top)
    offsets = (positions - centre) @ mean[:3, :3]
    widths = np.quantile(np.abs(offsets), 0.9, axis=0)
    target = centre + mean[:3, 2] * (focus or _meeting_distance(poses, mean, widths))
    spiral = []
    # Without the end, which would be the beginning twice when the film loops.
    for share in np.arange(frames) / frames:
        angle = 2 * np.pi * turns * share
        offset = np.array((np.cos(angle), -np.sin(angle), -np.sin(2 * np.pi * share))) * widths
        spiral.append(look_at(centre + mean[:3, :3] @ offset, target, top))
    return spiral


def _level_directions(frames: int, up: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "frames 3"]:
    """Spread unit vectors once around an axis."""
    # Any direction that is not up will do to count the angle from.
    side = np.eye(3)[np.abs(up).argmin()]
    side = side - up * (up @ side)
    side /= np.linalg.norm(side)
    angles = 2 * np.pi * np.arange(frames)[:, None] / frames
    return np.cos(angles) * side + np.sin(angles) * np.cross(up, side)


def _mean_top(poses: Sequence[Float[np.ndarray, "4 4"]]) -> Float[np.ndarray, " 3"]:
    return -np.mean([pose[:3, 1] for pose in poses], axis=0)


def _meeting_distance(
    poses: Sequence[Float[np.ndarray, "4 4"]],
    mean: Float[np.ndarray, "4 4"],
    widths: Float[np.ndarray, " 3"],
) -> float:
    matrix, right = axes_equations(poses)
    # The floor is for cameras at one place, which have no spread at all.
    fallback = 4 * float(max(widths.max(), 1e-3))
    # Axes that are nearly parallel meet nowhere in particular.
    if np.linalg.cond(matrix) > 1e6:
        return fallback
    focus = np.linalg.solve(matrix, right)
    ahead = float((focus - mean[:3, 3]) @ mean[:3, 2])
    # Cameras that look outwards meet behind themselves.
    return ahead if ahead > 0 else fallback
