# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in plain regions is believed on their planes alone, and elsewhere as it is."""

import numpy as np
import pytest

from ineus_core.stereo.plain_fringes import is_fringe

HEIGHT, WIDTH = 120, 160
PLAIN = np.zeros((HEIGHT, WIDTH), np.bool_)
PLAIN[30:90, 40:120] = True
INSIDE = np.zeros_like(PLAIN)
INSIDE[33:87, 43:117] = True
WALL = np.full(PLAIN.shape, 3.0, np.float32)
THING = np.full(PLAIN.shape, 2.0, np.float32)
NONE = np.zeros_like(WALL)


def picture() -> np.ndarray:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rgb[PLAIN] = 120
    return rgb


def test_what_lies_before_the_plane_of_a_plain_region_is_a_fringe() -> None:
    depth = np.where(np.arange(WIDTH) < 60, THING, WALL)
    found = is_fringe(picture(), depth, np.where(PLAIN, WALL, 0))
    assert found[INSIDE & (depth == 2)].all()
    assert not found[~PLAIN | (depth == 3)].any()


def test_without_a_plane_nothing_in_a_plain_region_is_believed() -> None:
    found = is_fringe(picture(), WALL, NONE)
    assert found[INSIDE].all()
    assert not found[~PLAIN].any()


def test_where_nothing_is_found_there_is_no_fringe() -> None:
    assert not is_fringe(picture(), NONE, WALL).any()


@pytest.mark.parametrize("off", [0.99, 1.01])
@pytest.mark.parametrize("unit", [0.01, 50.0])
def test_errors_of_matching_are_no_fringe(off: float, unit: float) -> None:
    assert not is_fringe(picture(), off * unit * WALL, unit * WALL).any()


def test_small_plain_regions_are_left_as_they_are() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rgb[40:60, 40:60] = 120
    assert not is_fringe(rgb, WALL, NONE).any()


def test_a_large_picture_is_looked_at_in_a_smaller_one() -> None:
    big = [np.kron(of, np.ones((4, 4), np.float32)) for of in (WALL, NONE)]
    rgb = np.kron(picture(), np.ones((4, 4, 1), np.uint8))
    found = is_fringe(rgb, big[0], big[1])
    inside = np.kron(INSIDE, np.ones((4, 4), np.bool_))
    assert found[inside].mean() > 0.9
    assert not found[~np.kron(PLAIN, np.ones((4, 4), np.bool_))].any()
