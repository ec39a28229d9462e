# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Log odds of grid cells from a depth image, by numba: only the cells on the rays are touched."""

import numpy as np
from jaxtyping import Float, Int8, UInt8
from torch import Tensor

from ineus_core.kernels.jit import jit
from ineus_core.kernels.occupancy import reference
from ineus_core.kernels.occupancy.reference import PASSED, RETURNED
from ineus_core.kernels.shapes import expect_shape

rays_of_depth = reference.rays_of_depth


def integrate_depth(
    log_odds: Int8[Tensor, "gx gy gz"],
    scratch: UInt8[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    truncation_cells: float,
    band_cells: float,
    gains: tuple[int, int, int],
) -> None:
    """Update the log odds in place; see the door."""
    expect_shape("log_odds", log_odds, (-1, -1, -1))
    expect_shape("scratch", scratch, tuple(log_odds.shape))
    expect_shape("origin_cells", origin_cells, (3,))
    expect_shape("directions", directions, (len(range_cells), 3))
    _integrate_depth(
        log_odds.numpy(),
        scratch.numpy(),
        origin_cells.numpy(),
        directions.contiguous().numpy(),
        range_cells.contiguous().numpy(),
        np.float32(truncation_cells),
        np.float32(band_cells),
        *gains,
    )


@jit(inline="always")
def _mark(scratch, origin, direction, t, value):  # type: ignore[no-untyped-def]
    x = np.int64(np.floor(origin[0] + direction[0] * t))
    y = np.int64(np.floor(origin[1] + direction[1] * t))
    z = np.int64(np.floor(origin[2] + direction[2] * t))
    if 0 <= x < scratch.shape[0] and 0 <= y < scratch.shape[1] and 0 <= z < scratch.shape[2]:
        # The stronger mark stays: a return is evidence, a pass beside it may be of the same cell.
        scratch[x, y, z] = max(scratch[x, y, z], value)


@jit(inline="always")
def _update(log_odds, scratch, origin, direction, t, hit, miss, limit):  # type: ignore[no-untyped-def]
    x = np.int64(np.floor(origin[0] + direction[0] * t))
    y = np.int64(np.floor(origin[1] + direction[1] * t))
    z = np.int64(np.floor(origin[2] + direction[2] * t))
    if 0 <= x < scratch.shape[0] and 0 <= y < scratch.shape[1] and 0 <= z < scratch.shape[2]:
        mark = scratch[x, y, z]
        if mark:
            change = hit if mark == RETURNED else miss
            value = min(max(np.int64(log_odds[x, y, z]) + change, -limit), limit)
            # 0 stands for cells that no image has touched.
            log_odds[x, y, z] = value if value != 0 else -1
            scratch[x, y, z] = 0


@jit()
def _integrate_depth(
    log_odds, scratch, origin, directions, range_cells, truncation, band, hit, miss, limit
):  # type: ignore[no-untyped-def]
    half, one = np.float32(0.5), np.float32(1.0)
    # Marks first, as a cell gains or loses once an image, however many rays touch it, and a
    # return beats a pass; the second walk takes each mark away where it finds it.
    for r in range(len(directions)):
        t = half
        while t < range_cells[r] - truncation:
            _mark(scratch, origin, directions[r], t, PASSED)
            t += one
        t = max(range_cells[r] - band, np.float32(0.0))
        while t <= range_cells[r] + band:
            _mark(scratch, origin, directions[r], t, RETURNED)
            t += half
    for r in range(len(directions)):
        t = half
        while t < range_cells[r] - truncation:
            _update(log_odds, scratch, origin, directions[r], t, hit, miss, limit)
            t += one
        t = max(range_cells[r] - band, np.float32(0.0))
        while t <= range_cells[r] + band:
            _update(log_odds, scratch, origin, directions[r], t, hit, miss, limit)
            t += half
