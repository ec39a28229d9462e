# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in plain regions is believed on their planes alone, and elsewhere as it is."""

import numpy as np
import pytest

from ineus_core.stereo.plain_fringes import without_fringes

HEIGHT, WIDTH = 120, 160
X = np.arange(WIDTH)
PLAIN = np.zeros((HEIGHT, WIDTH), np.bool_)
PLAIN[30:90, 40:120] = True
INSIDE = np.zeros_like(PLAIN)
INSIDE[33:87, 43:117] = True
WALL = np.full(PLAIN.shape, 3.0, np.float32)
THING = np.full(PLAIN.shape, 2.0, np.float32)
NONE = np.zeros_like(WALL)
ALL = np.ones_like(PLAIN)


def picture() -> np.ndarray:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rgb[PLAIN] = 120
    return rgb


def test_what_lies_before_the_plane_of_a_plain_region_is_a_fringe() -> None:
    depth = np.where(X < 60, THING, WALL)
    given = np.where(PLAIN, WALL, 0)
    planes, is_fringe = without_fringes(picture(), depth, ALL, given, NONE)
    np.testing.assert_array_equal(planes, given)
    assert is_fringe[INSIDE & (depth == 2)].all()
    assert not is_fringe[~PLAIN | (depth == 3)].any()


def test_without_a_plane_nothing_in_a_plain_region_is_believed() -> None:
    _, is_fringe = without_fringes(picture(), WALL, ALL, NONE, NONE)
    assert is_fringe[INSIDE].all()
    assert not is_fringe[~PLAIN].any()


@pytest.mark.parametrize(("columns", "stays"), [(4, False), (20, True)])
def test_a_strip_of_a_region_is_no_plane_of_it(columns: int, stays: bool) -> None:
    """The fringe along one side alone says nothing of a region of 80 columns."""
    strip = np.where(INSIDE & (X < 43 + columns), WALL, 0)
    planes, is_fringe = without_fringes(picture(), strip, strip > 0, strip, NONE)
    assert planes.any() == stays
    assert is_fringe.any() != stays


@pytest.mark.parametrize(("columns", "stays"), [(2, False), (10, True)])
def test_a_plane_needs_sure_depth_on_it(columns: int, stays: bool) -> None:
    is_sure = INSIDE & (X < 43 + columns)
    given = np.where(INSIDE, WALL, 0)
    planes, is_fringe = without_fringes(picture(), WALL * is_sure, is_sure, given, NONE)
    assert planes.any() == stays
    assert is_fringe.any() != stays


def test_where_nothing_is_found_there_is_no_fringe() -> None:
    assert not without_fringes(picture(), NONE, ~ALL, WALL, NONE)[1].any()


@pytest.mark.parametrize("off", [0.99, 1.01])
@pytest.mark.parametrize("unit", [0.01, 50.0])
def test_errors_of_matching_are_no_fringe(off: float, unit: float) -> None:
    assert not without_fringes(picture(), off * unit * WALL, ALL, unit * WALL, NONE)[1].any()


def test_small_plain_regions_are_left_as_they_are() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rgb[40:60, 40:60] = 120
    assert not without_fringes(rgb, WALL, ALL, NONE, NONE)[1].any()


def test_planes_outside_of_plain_regions_are_left_as_they_are() -> None:
    given = np.where(PLAIN, 0, WALL)
    planes, _ = without_fringes(picture(), WALL, ~ALL, given, NONE)
    np.testing.assert_array_equal(planes, given)


def test_a_large_picture_is_looked_at_in_a_smaller_one() -> None:
    wall, none, inside, plain, sure = (
        np.kron(of, np.ones((4, 4), of.dtype)) for of in (WALL, NONE, INSIDE, PLAIN, ALL)
    )
    rgb = np.kron(picture(), np.ones((4, 4, 1), np.uint8))
    _, is_fringe = without_fringes(rgb, wall, sure, none, none)
    assert is_fringe[inside].mean() > 0.9
    assert not is_fringe[~plain].any()


def test_a_plane_that_others_confirm_needs_no_depth_of_its_own() -> None:
    shared = np.where(PLAIN & (X > 80), WALL, 0)
    planes, is_fringe = without_fringes(picture(), THING, ALL, NONE, shared)
    np.testing.assert_array_equal(planes, shared)
    assert is_fringe[INSIDE].all()
