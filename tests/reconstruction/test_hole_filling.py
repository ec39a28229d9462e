# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Holes of a sensor: what was matched beside returns is not believed, planes go on there."""

import numpy as np
import pytest

from ineus_core.reconstruction.hole_filling import fill_holes

HOLE = np.s_[10:30, 20:50]
INNER = np.s_[13:27, 23:47]


def slanted() -> np.ndarray:
    """Return the depth of a plane, whose inverse is linear in the picture: 2 m to 1.25 m."""
    columns = np.broadcast_to(np.arange(80), (40, 80))
    return (1 / (0.5 + 0.3 * columns / 80)).astype(np.float32)


def with_hole(depth_m: np.ndarray) -> np.ndarray:
    measured_m = depth_m.copy()
    measured_m[HOLE] = 0
    return measured_m


def test_a_plane_goes_on_to_the_rim_where_matches_are_wrong() -> None:
    true_m = slanted()
    estimated_m = true_m.copy()
    estimated_m[HOLE] = 3.0
    estimated_m[INNER] = true_m[INNER]
    filled_m = fill_holes(with_hole(true_m), estimated_m)
    # But for the corners, around which fewer than twelve estimates lie.
    for part in (np.s_[10:30, 25:45], np.s_[15:25, 20:50]):
        np.testing.assert_allclose(filled_m[part], true_m[part], rtol=1e-5)
    assert filled_m[10, 20] == 0
    outside = np.ones(true_m.shape, dtype=bool)
    outside[HOLE] = False
    assert not filled_m[outside].any(), "a sensor has the last word"


def test_what_is_no_plane_ends_before_the_rim() -> None:
    true_m = slanted()
    scatter = np.random.default_rng(0).normal(1, 0.01, true_m.shape).astype(np.float32)
    filled_m = fill_holes(with_hole(true_m), true_m * scatter)
    np.testing.assert_array_equal(filled_m[INNER], (true_m * scatter)[INNER])
    filled_m[INNER] = 0
    assert not filled_m.any()


def test_matches_that_differ_from_returns_fill_nothing() -> None:
    true_m = slanted()
    wrong_m = 1.05 * true_m
    assert not fill_holes(with_hole(true_m), wrong_m).any()
    # On every tenth row they do: 90 % are right.
    wrong_m = true_m.copy()
    wrong_m[::10] *= 1.05
    assert fill_holes(with_hole(true_m), wrong_m).any()
    # Nothing tells.
    assert not fill_holes(np.zeros_like(true_m), true_m).any()


def test_a_hole_at_the_border_of_the_picture_has_no_rim_there() -> None:
    true_m = slanted()
    measured_m = true_m.copy()
    measured_m[:, :20] = 0
    filled_m = fill_holes(measured_m, true_m)
    np.testing.assert_allclose(filled_m[3:37, :20], true_m[3:37, :20], rtol=1e-5)
    assert (filled_m[:, :17] == true_m[:, :17]).all()


@pytest.mark.parametrize("estimate_m", [0.0, 2.0])
def test_nothing_is_filled_without_a_hole_or_an_estimate(estimate_m: float) -> None:
    true_m = slanted()
    measured_m = true_m if estimate_m else with_hole(true_m)
    assert not fill_holes(measured_m, np.full_like(true_m, estimate_m)).any()


def test_a_smaller_estimate_fills_where_no_return_is_in_its_pixel() -> None:
    true_m = slanted()
    estimated_m = np.ascontiguousarray(true_m[::2, ::2])
    filled_m = fill_holes(with_hole(true_m), estimated_m)
    assert filled_m.shape == (20, 40)
    # The hole is 10 rows of 15 pixels there, its inner part 4 rows of 9.
    np.testing.assert_array_equal(filled_m[8:12, 13:22], estimated_m[8:12, 13:22])
    rows, columns = (filled_m > 0).nonzero()
    assert (rows.min(), rows.max(), columns.min() >= 10, columns.max() <= 24) == (
        5,
        14,
        True,
        True,
    )
