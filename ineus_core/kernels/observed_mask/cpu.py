# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cells that the rays of a depth image have observed, on a CPU, compiled at run time by numba."""

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.jit import jit
from ineus_core.kernels.observed_mask.reference import MOST_CELLS
from ineus_core.kernels.shapes import expect_shape


def mark_observed(
    cells: Bool[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    reach_cells: float,
    spread: float,
    longest_cells: float,
) -> None:
    """Set cells in place; see the door."""
    expect_shape("cells", cells, (-1, -1, -1))
    expect_shape("origin_cells", origin_cells, (3,))
    expect_shape("directions", directions, (len(range_cells), 3))
    _mark_observed(
        cells.numpy(),
        origin_cells.contiguous().numpy(),
        directions.contiguous().numpy(),
        range_cells.contiguous().numpy(),
        np.float32(reach_cells),
        np.float32(spread),
        np.float32(longest_cells),
    )


@jit()
def _mark_observed(cells, origin, directions, ranges, reach, spread, longest):  # type: ignore[no-untyped-def]
    half_cell, one = np.float32(0.5), np.float32(1.0)
    for r in range(len(directions)):
        d, t = directions[r], ranges[r]
        if t >= 0:
            half = min(max(spread * t, reach), np.float32(MOST_CELLS))
            px, py, pz = origin[0] + d[0] * t, origin[1] + d[1] * t, origin[2] + d[2] * t
            for x in range(_first(px - half), _last(px + half, cells.shape[0]) + 1):
                for y in range(_first(py - half), _last(py + half, cells.shape[1]) + 1):
                    for z in range(_first(pz - half), _last(pz + half, cells.shape[2]) + 1):
                        cells[x, y, z] = True
            continue
        # Of a pixel that may not be used it is not even known that it had no return.
        if t == -np.inf:
            continue
        # In steps of a cell from the middle of the first: few cells at corners are missed.
        t = half_cell
        while t < longest:
            cx = np.int64(np.floor(origin[0] + d[0] * t))
            cy = np.int64(np.floor(origin[1] + d[1] * t))
            cz = np.int64(np.floor(origin[2] + d[2] * t))
            if 0 <= cx < cells.shape[0] and 0 <= cy < cells.shape[1] and 0 <= cz < cells.shape[2]:
                cells[cx, cy, cz] = True
            t += one


@jit(inline="always")
def _first(position):  # type: ignore[no-untyped-def]
    return max(np.int64(np.floor(position)), 0)


@jit(inline="always")
def _last(position, count):  # type: ignore[no-untyped-def]
    return min(np.int64(np.floor(position)), count - 1)
