# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Paths of a camera for films."""

import numpy as np
import pytest

from ineus_core.geometry import look_at
from ineus_core.sources import (
    arc_poses,
    circle_poses,
    orbit_poses,
    round_poses,
    spiral_poses,
)
from ineus_core.types import check_rigid

Z = np.array((0.0, 0.0, 1.0))


def side_views() -> list[np.ndarray]:
    """Place cameras at 3 from the origin, 40 degrees to each side of x, at two heights."""
    poses = []
    for degrees in np.linspace(-40, 40, 9):
        angle = np.deg2rad(degrees)
        for height in (0.4, 0.6):
            eye = np.array((3 * np.cos(angle), 3 * np.sin(angle), height))
            poses.append(look_at(eye, np.zeros(3), Z))
    return poses


def all_around() -> list[np.ndarray]:
    angles = 2 * np.pi * np.arange(8) / 8
    return [look_at(np.array((2 * np.cos(a), 2 * np.sin(a), 1.0)), np.zeros(3), Z) for a in angles]


def assert_looks_at(pose: np.ndarray, target: np.ndarray) -> None:
    check_rigid(pose, 1e-9)
    towards = target - pose[:3, 3]
    assert np.allclose(pose[:3, 2], towards / np.linalg.norm(towards))
    # The top of the picture is up.
    assert pose[2, 1] < 0


def test_arc_covers_the_cameras() -> None:
    poses = arc_poses(side_views(), 5)
    assert len(poses) == 5
    for pose in poses:
        assert_looks_at(pose, np.zeros(3))
        assert pose[2, 3] == pytest.approx(0.5, abs=0.15)
    angles = np.rad2deg([np.arctan2(pose[1, 3], pose[0, 3]) for pose in poses])
    assert angles[2] == pytest.approx(0, abs=0.1)
    assert np.abs(angles).max() == pytest.approx(40, abs=3)


def test_circle_keeps_height_and_distance() -> None:
    poses = circle_poses(all_around(), 6)
    for pose in poses:
        assert_looks_at(pose, np.zeros(3))
        assert np.hypot(*pose[:2, 3]) == pytest.approx(2)
        assert pose[2, 3] == pytest.approx(1)
    # The first does not come again at the end.
    assert not np.allclose(poses[0], poses[-1])


def test_orbit_about_a_point() -> None:
    centre = np.array((1.0, 2.0, 3.0))
    poses = orbit_poses(centre, 2.0, 0.5, 4)
    assert np.allclose(poses[0][:3, 3], (3, 2, 3.5))
    assert np.allclose(poses[1][:3, 3], (1, 4, 3.5))
    for pose in poses:
        assert_looks_at(pose, centre)


def test_spiral_stays_near_the_cameras() -> None:
    views = side_views()
    poses = spiral_poses(views, 30)
    positions = np.stack([pose[:3, 3] for pose in views])
    low, high = positions.min(axis=0) - 0.5, positions.max(axis=0) + 0.5
    for pose in poses:
        check_rigid(pose, 1e-9)
        assert ((pose[:3, 3] > low) & (pose[:3, 3] < high)).all()
        # All views meet where the optical axes of the cameras do.
        assert np.linalg.norm(np.cross(pose[:3, 3], pose[:3, 2])) < 0.2


def test_spiral_of_parallel_cameras() -> None:
    views = [look_at(np.array((0.0, y, 1.0)), np.array((9.0, y, 1.0)), Z) for y in (-1, 0, 1)]
    poses = spiral_poses(views, 8, focus=5.0)
    for pose in poses:
        to_target = np.array((5.0, 0, 1)) - pose[:3, 3]
        assert np.allclose(pose[:3, 2], to_target / np.linalg.norm(to_target))
    assert len(spiral_poses(views, 8)) == 8


def look_ats(eyes: np.ndarray, towards: np.ndarray) -> np.ndarray:
    return (towards - eyes) / np.linalg.norm(towards - eyes, axis=1, keepdims=True)


def test_an_orbit_goes_around_what_was_looked_at_from_outside() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 200)
    eyes = np.stack((2 * np.cos(angle), 2 * np.sin(angle), np.full(200, 1.0)), axis=1)
    eyes += (5, 0, 0)
    rays = look_ats(eyes, np.array([5.0, 0, 0]) + rng.normal(0, 0.1, (200, 3)))
    poses = round_poses(eyes, rays, 8, np.array([0.0, 0, 1]))
    centres = np.stack([p[:3, 3] for p in poses])
    np.testing.assert_allclose(np.linalg.norm(centres - (5, 0, 0), axis=1), 5**0.5, atol=0.15)
    np.testing.assert_allclose(centres[:, 2], 1.0, atol=0.15)
    for p in poses:
        axis = p[:3, 2]
        np.testing.assert_allclose(
            axis, look_ats(p[None, :3, 3], np.array([5.0, 0, 0]))[0], atol=0.1
        )


@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0)])
def test_a_turn_in_the_midst_of_a_room(up: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(0)
    rays = rng.normal(size=(300, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    poses = round_poses(rng.uniform(-0.5, 0.5, (300, 3)), rays, 12, np.array(up))
    for p in poses:
        assert np.linalg.norm(p[:3, 3]) < 0.2
        assert abs(p[:3, 2] @ np.array(up)) < 1e-9
        # The image's down is the world's.
        np.testing.assert_allclose(p[:3, 1], -np.array(up), atol=1e-9)
    axes = np.stack([p[:3, 2] for p in poses])
    np.testing.assert_allclose(axes.sum(axis=0), 0, atol=1e-9)
