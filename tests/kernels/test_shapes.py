# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Arrays of wrong shapes do not reach compiled loops, which would write out of bounds."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ineus_core.kernels.adam.cpu import adam_step
from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid.cpu import hash_grid, hash_grid_value
from ineus_core.kernels.nearest_disc import DiscGrid
from ineus_core.kernels.nearest_disc.cpu import nearest_disc
from ineus_core.kernels.observed_mask.cpu import mark_observed
from ineus_core.kernels.occupancy.cpu import integrate_depth
from ineus_core.kernels.ray_marching.cpu import march_padded
from ineus_core.kernels.rvl.cpu import decode_rvl
from ineus_core.kernels.shapes import expect_shape
from ineus_core.kernels.thinning.cpu import thinned

LAYOUT = HashGridLayout(levels=2, log2_entries=8, base_resolution=4.0)
GRID = torch.zeros(2, 3, 4, dtype=torch.bool)
BYTES = torch.zeros(2, 3, 4, dtype=torch.uint8)
TABLE = torch.zeros(LAYOUT.entries, 2)


def zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


def discs(places: int) -> DiscGrid:
    others = torch.zeros(5, dtype=torch.int64)
    nearest = torch.zeros(places, dtype=torch.int64)
    return DiscGrid(zeros(5, 6), nearest, others, zeros(3), (2, 3, 4), 0.1, 0.03, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: adam_step(zeros(5), zeros(4), zeros(5), zeros(5), zeros(), zeros()),
            r"gradient of shape \(4,\): expected \(5,\)",
        ),
        (lambda: hash_grid_value(zeros(7, 2), TABLE, LAYOUT), r"points of shape \(7, 2\)"),
        (lambda: hash_grid(zeros(7, 3), TABLE[1:], LAYOUT), r"table of shape \(\d+, 2\)"),
        (lambda: nearest_disc(zeros(7, 2), discs(24)), r"points of shape \(7, 2\)"),
        (
            lambda: nearest_disc(zeros(7, 3), discs(23)),
            r"nearest of shape \(23,\): expected \(24,\)",
        ),
        (
            lambda: mark_observed(GRID, zeros(3), zeros(6, 3), zeros(7), 1.0, 0.0, 9.0),
            r"directions of shape \(6, 3\): expected \(7, 3\)",
        ),
        (
            lambda: integrate_depth(
                BYTES.char(), BYTES[1:], zeros(3), zeros(7, 3), zeros(7), 1.0, 1.0, (6, -1, 120)
            ),
            r"scratch of shape \(1, 3, 4\): expected \(2, 3, 4\)",
        ),
        (
            lambda: march_padded(
                zeros(7, 3), zeros(7, 3), zeros(7), zeros(7), GRID, zeros(3), 1.0, 0.5, 9, 4,
                zeros(6),
            ),
            r"jitter of shape \(6,\): expected \(7,\)",
        ),
        (lambda: decode_rvl(np.zeros((2, 2), np.uint32), 9), r"words of shape \(2, 2\)"),
        (lambda: thinned(np.zeros((9, 2)), 1.0), r"points of shape \(9, 2\)"),
    ],
)  # fmt: skip
def test_wrong_shapes_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_any_length_fits_where_it_may() -> None:
    for rows in (0, 7):
        expect_shape("points", zeros(rows, 3), (-1, 3))
