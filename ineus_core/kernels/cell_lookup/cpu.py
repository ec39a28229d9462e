# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Look-up of the cells of many points for CPUs, by numba: one pass, nothing in between."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.jit import in_parallel, jit
from ineus_core.kernels.shapes import expect_shape

_LEAST = 1 << 14
"""Points of a thread."""


def cells_at(
    points: Float[Tensor, "n 3"],
    cells: Bool[Tensor, "gx gy gz"],
    low_cell: tuple[int, int, int],
    cell_m: float,
) -> Bool[Tensor, " n"]:
    """Tell which points lie in set cells; see the door."""
    expect_shape("points", points, (len(points), 3))
    found = torch.zeros(len(points), dtype=torch.bool)
    places = points.detach().contiguous().numpy()
    # In the precision of the points, as torch divides: the cell of a point on an edge is the same.
    side_m = places.dtype.type(cell_m)
    grid = cells.numpy(), np.array(low_cell, np.int64), side_m
    in_parallel(_look_up, len(places), places, *grid, found.numpy(), least=_LEAST)
    return found


@jit(error_model="numpy")
def _look_up(begin, end, points, cells, low_cell, side_m, found):  # type: ignore[no-untyped-def]
    # Unsigned, as a signed index is compared with 0 each time.
    for i in range(np.uint64(begin), np.uint64(end)):
        x = np.floor(points[i, 0] / side_m)
        y = np.floor(points[i, 1] / side_m)
        z = np.floor(points[i, 2] / side_m)
        # Compared as they are: what is no number, or too large for an integer, lies in no cell.
        if not (abs(x) < 1e9 and abs(y) < 1e9 and abs(z) < 1e9):
            continue
        a, b, c = int(x) - low_cell[0], int(y) - low_cell[1], int(z) - low_cell[2]
        if 0 <= a < cells.shape[0] and 0 <= b < cells.shape[1] and 0 <= c < cells.shape[2]:
            found[i] = cells[a, b, c]
