# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Bundle adjustment: numba against plain numpy, and points where rays meet."""

import numpy as np
import pytest

from ineus_core.kernels.bundle_adjustment import PointSightings, cpu, off_by, reference
from ineus_core.motions import moved

VIEWS, POINTS = 6, 80


def scene(seed: int) -> tuple[PointSightings, np.ndarray, np.ndarray]:
    """Return what views along a line see of points ahead, where they truly are, and these."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((-1, -1, 2), (1, 1, 5), (POINTS, 3))
    poses = np.tile(np.eye(4), (VIEWS, 1, 1))
    poses[:, 0, 3] = 0.1 * np.arange(VIEWS)
    is_seen = rng.random((VIEWS, POINTS)) < 0.6
    # Each point by two views at least.
    is_seen[:2] = True
    views, numbers = np.nonzero(is_seen)
    zeros = np.zeros((len(views), 2))
    sightings = PointSightings(views, numbers, zeros, np.full(len(views), 1e-3))
    plane_xy, _, _ = off_by(sightings, poses, points)
    return PointSightings(views, numbers, plane_xy, sightings.noise), poses, points


def test_points_are_where_exact_rays_meet() -> None:
    sightings, poses, points = scene(1)
    assert np.abs(cpu.triangulated(sightings, poses) - points).max() < 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_numba_agrees_with_numpy(seed: int) -> None:
    sightings, true, points = scene(seed)
    rng = np.random.default_rng(10 + seed)
    given, poses = (moved(true, rng.normal(0, 0.002, (VIEWS, 6))) for _ in range(2))
    found = reference.triangulated(sightings, poses)
    assert np.abs(cpu.triangulated(sightings, poses) - found).max() < 1e-8
    points = points + rng.normal(0, 0.01, points.shape)
    # One behind all views.
    points[3, 2] = -1.0
    is_free = np.arange(VIEWS) >= 2
    arguments = sightings, given, poses, points, is_free, 0.002
    by_numpy, by_numba = reference.stepped(*arguments), cpu.stepped(*arguments)
    assert np.abs(by_numpy[0] - poses).max() > 1e-4
    for numpys, numbas in zip(by_numpy, by_numba, strict=True):
        assert np.abs(numpys - numbas).max() < 1e-8
    assert (by_numba[0][:2] == poses[:2]).all()


def test_a_view_that_is_none_of_the_poses_is_refused() -> None:
    sightings, poses, _ = scene(0)
    with pytest.raises(ValueError, match="views up to 5: expected 0 to 2"):
        cpu.triangulated(sightings, poses[:3])
