# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Slices of a map that is small enough to be drawn by hand."""

import numpy as np
import pytest
import torch

from ineus_core.planning import (
    FREE,
    OCCUPIED,
    UNKNOWN,
    Planner,
    PlanningConfig,
    PlanningScene,
    occupancy_slice,
    slice_centres,
)

LOW_M = torch.tensor([-1.0, 2.0, 0.0])
CELL_M = 0.5


def log_odds() -> torch.Tensor:
    """3 x 2 columns of 4 cells: z from 0 to 2 m."""
    cells = torch.zeros((3, 2, 4), dtype=torch.int8)
    cells[0, 0] = torch.tensor([6, -1, -1, -1])  # floor, then free
    cells[1, 0] = torch.tensor([6, -1, 6, 0])  # a table top at 1.0 to 1.5
    cells[2, 0] = torch.tensor([0, 0, 0, 6])  # a lamp, and nothing seen below
    cells[0, 1] = torch.tensor([-3, -3, -3, -3])
    cells[1, 1] = torch.tensor([0, 0, -1, 0])
    return cells


@pytest.mark.parametrize(
    ("z_min_m", "z_max_m", "expected"),
    [
        (0.5, 1.5, [[FREE, OCCUPIED, UNKNOWN], [FREE, FREE, UNKNOWN]]),
        (0.5, 1.0, [[FREE, FREE, UNKNOWN], [FREE, UNKNOWN, UNKNOWN]]),
        (0.0, 2.0, [[OCCUPIED, OCCUPIED, OCCUPIED], [FREE, FREE, UNKNOWN]]),
        # A height within a cell takes the whole cell.
        (0.4, 0.9, [[OCCUPIED, OCCUPIED, UNKNOWN], [FREE, UNKNOWN, UNKNOWN]]),
        (-5.0, 9.0, [[OCCUPIED, OCCUPIED, OCCUPIED], [FREE, FREE, UNKNOWN]]),
        (3.0, 4.0, [[UNKNOWN] * 3] * 2),
        (-4.0, -3.0, [[UNKNOWN] * 3] * 2),
    ],
)
def test_columns_by_hand(z_min_m: float, z_max_m: float, expected: list[list[int]]) -> None:
    found = occupancy_slice(log_odds(), LOW_M, CELL_M, z_min_m, z_max_m)
    assert found.cells.tolist() == expected
    assert (found.origin_m, found.cell_m) == ((-1.0, 2.0), 0.5)
    assert found.cells.dtype == np.int8 and found.cells.flags.c_contiguous


def test_centres_run_along_x_first() -> None:
    centres = slice_centres((3, 2), LOW_M, CELL_M, 0.7)
    expected = [[-0.75, 2.25, 0.7], [-0.25, 2.25, 0.7], [0.25, 2.25, 0.7], [-0.75, 2.75, 0.7]]
    torch.testing.assert_close(centres[:4], torch.tensor(expected))
    assert len(centres) == 6


def test_an_esdf_slice_has_a_distance_for_each_cell_and_says_which_were_seen() -> None:
    scene = PlanningScene(log_odds(), LOW_M, CELL_M, {}, lambda points: points[:, 0])
    planner = Planner(PlanningConfig(), 0.1, 0.1, torch.device("cpu"))
    found = planner.esdf_slice(0.75, scene)
    assert found.distance_m.shape == found.observed.shape == (2, 3)
    assert np.isinf(found.distance_m).all(), "there is no surface"
    assert found.observed.tolist() == [[True, True, False], [True, False, False]]
