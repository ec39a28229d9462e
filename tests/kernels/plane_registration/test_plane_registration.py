# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What surfaces say of motions, and where a view fits: by hand, and numba against plain numpy."""

import numpy as np
import pytest

from ineus_core.kernels.plane_alignment import PlaneViews
from ineus_core.kernels.plane_registration import cpu, reference
from ineus_core.kernels.plane_registration.cpu_axes import axes_of
from ineus_core.motions import moved

INTRINSICS = np.array((50.0, 50.0, 20.0, 15.0))
SHAPE = (30, 40)


def planes_at(pose: np.ndarray) -> np.ndarray:
    """Return what a camera sees of the corner of x, y and z = 3 m, as a plane in each pixel."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    fx, fy, cx, cy = INTRINSICS
    rays = np.stack(((columns + 0.5 - cx) / fx, (rows + 0.5 - cy) / fy, np.ones(SHAPE)), axis=-1)
    along = (rays @ pose[:3, :3].T) / (3.0 - pose[:3, 3])
    # The wall that a ray meets first; n x = d in the world is R'n x = d - n t in the camera.
    walls = pose[:3, :3] / (3.0 - pose[:3, 3])[:, None]
    return walls[along.argmax(axis=-1)].astype(np.float32)


def corner(count: int, off: float, seed: int) -> tuple[PlaneViews, np.ndarray, np.ndarray]:
    """Return views of a corner, their true poses, and these moved by so much along each axis."""
    rng = np.random.default_rng(seed)
    # Looks along the diagonal, roughly.
    axis = np.array((-1.0, 1.0, 0.0)) / np.sqrt(2) * np.arccos(1 / np.sqrt(3))
    start = moved(np.eye(4)[None], np.concatenate((np.zeros(3), axis))[None])
    true = moved(np.tile(start, (count, 1, 1)), rng.normal(0, 0.05, (count, 6)))
    given = moved(true, rng.normal(0, off, (count, 6)))
    planes = np.stack([planes_at(pose) for pose in true])
    return PlaneViews(planes, np.tile(INTRINSICS, (count, 1))), true, given


@pytest.mark.parametrize("seed", range(3))
def test_quadrics_by_numba_are_those_by_numpy(seed: int) -> None:
    views, _, given = corner(4, 0.003, seed)
    views.planes[3] = (0.0, 0.0, 0.4)
    pairs = np.array([(0, 1), (2, 1), (3, 0), (3, 3)])
    one, other = (
        version.surface_quadrics(views, pairs, given[pairs], 0.03) for version in (cpu, reference)
    )
    # A wall alone fixes a distance and two turns.
    ranks = [np.linalg.matrix_rank(matrix, 1e-6) for matrix in one.information]
    assert ranks[:2] == [6, 6]
    assert ranks[3] == 3
    for name in ("second_from_first", "information", "pull", "best"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("sure", [1e-8, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_view_is_put_by_numba_where_numpy_puts_it(seed: int, sure: float) -> None:
    views, true, given = corner(4, 0.01, seed)
    arguments = views, 3, np.arange(3), true[:3], given[3], sure
    by_numba, by_numpy = (version.registered(*arguments) for version in (cpu, reference))
    assert np.abs(by_numpy - given[3]).max() > 1e-3
    assert np.abs(by_numba - by_numpy).max() < 1e-9


def test_a_view_that_is_off_is_put_back() -> None:
    views, true, given = corner(4, 0.01, 7)
    found = cpu.registered(views, 3, np.arange(3), true[:3], given[3], 1e-8)
    assert np.abs(given[3] - true[3]).max() > 5e-3
    assert np.abs(found - true[3]).max() < 1e-4


def test_a_view_without_others_and_one_that_shows_nothing_stay() -> None:
    views, _, given = corner(2, 0.01, 0)
    none = np.zeros(0, np.int64)
    assert np.array_equal(cpu.registered(views, 1, none, given[:0], given[1], 1.0), given[1])
    views.planes[:] = 0
    stays = cpu.registered(views, 1, np.zeros(1, np.int64), given[:1], given[1], 1.0)
    assert np.array_equal(stays, given[1])


def test_rows_that_are_not_there_are_refused() -> None:
    views, _, given = corner(2, 0.01, 0)
    with pytest.raises(ValueError, match="expected 0 to 1"):
        cpu.registered(views, 2, np.zeros(1, np.int64), given[:1], given[1], 1.0)
    with pytest.raises(ValueError, match="poses"):
        cpu.surface_quadrics(views, np.array([(0, 1)]), given, 0.03)


@pytest.mark.parametrize("rank", [0, 1, 3, 6])
def test_axes_make_a_matrix_diagonal(rank: int) -> None:
    factor = np.random.default_rng(rank).normal(0, 1, (6, rank))
    matrix, axes = factor @ factor.T, np.empty((6, 6))
    diagonal = matrix.copy()
    axes_of(diagonal, axes)
    assert axes.T @ axes == pytest.approx(np.eye(6), abs=1e-14)
    assert np.sort(np.diag(diagonal)) == pytest.approx(np.linalg.eigvalsh(matrix), abs=1e-13)
    assert axes @ np.diag(np.diag(diagonal)) @ axes.T == pytest.approx(matrix, abs=1e-13)
