# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses by points that pictures share: put right, scale held, wrong matches left out."""

import numpy as np
import pytest
from box_views import UP, apart, off_by

from ineus_core.geometry import look_at
from ineus_core.kernels.bundle_adjustment import triangulated
from ineus_core.pose_refinement.bundle import Sightings, adjusted, believed

POINTS = np.random.default_rng(0).uniform((2.0, -1.5, -1.2), (4.0, 1.5, 1.2), (200, 3))
FREE = np.ones(6, dtype=bool)


def cameras() -> np.ndarray:
    """Return views that walk past the points and look at them."""
    eyes = [np.array((0.0, 0.2 * i - 0.5, 0.05 * i)) for i in range(6)]
    return np.stack([look_at(eye, np.array((3.0, 0.0, 0.0)), UP) for eye in eyes])


def seen(poses: np.ndarray) -> Sightings:
    views, points = (grid.ravel() for grid in np.mgrid[: len(poses), : len(POINTS)])
    at = poses[views]
    local = np.einsum("nji,nj->ni", at[:, :3, :3], POINTS[points] - at[:, :3, 3])
    plane_xy = local[:, :2] / local[:, 2:]
    return Sightings(views, points, plane_xy, np.full(len(views), 5e-4))


def noisy(poses: np.ndarray, mm: float, deg: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    shifts, turns = rng.normal(0, mm / 1e3, (6, 3)), rng.normal(0, deg, (6, 3))
    return np.stack(
        [off_by(p, tuple(s), tuple(t)) for p, s, t in zip(poses, shifts, turns, strict=True)]
    )


def test_points_are_where_their_rays_meet() -> None:
    poses = cameras()
    assert triangulated(seen(poses), poses) == pytest.approx(POINTS, abs=1e-6)


def test_poses_between_right_ones_are_put_right() -> None:
    true = cameras()
    is_free = FREE.copy()
    is_free[[0, 5]] = False
    given = np.where(is_free[:, None, None], noisy(true, 5.0, 0.3), true)
    refined, points = adjusted(seen(true), given, given, is_free, spread=5e-3)
    assert max(apart(a, b)[0] for a, b in zip(refined, true, strict=True)) < 0.2
    assert points == pytest.approx(POINTS, abs=2e-3)


def test_the_given_poses_hold_the_scale_that_pictures_do_not_tell() -> None:
    true = cameras()
    larger = true.copy()
    larger[:, :3, 3] *= 1.1
    refined, _ = adjusted(seen(true), larger, larger, FREE, spread=5e-3)
    assert refined[:, :3, 3] == pytest.approx(larger[:, :3, 3], abs=1e-3)


def test_points_with_a_wrong_match_are_left_out_and_others_kept() -> None:
    true = cameras()
    sightings = seen(true)
    sightings.plane_xy[::250] += 0.1
    spoilt = set(sightings.points[::250])
    kept = believed(sightings, noisy(true, 1.0, 0.02))
    assert len(kept) == len(sightings) - 6 * len(spoilt)


def test_nothing_is_left_of_no_sightings() -> None:
    nothing = Sightings(*(np.zeros(0, np.int64),) * 2, np.zeros((0, 2)), np.zeros(0))
    assert len(believed(nothing, cameras())) == 0
