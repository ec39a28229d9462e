# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The nearest of many small discs to each point for CPUs, compiled at run time by numba."""

from math import prod

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.jit import in_parallel, jit
from ineus_core.kernels.nearest_disc.reference import (
    DISC_COLUMNS,
    DISC_NORMAL,
    NEVER_ZERO_M,
    DiscGrid,
)
from ineus_core.kernels.shapes import expect_shape

_LEAST = 256
"""Points of a thread."""


def nearest_disc(
    points: Float[Tensor, "n 3"], grid: DiscGrid
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
    """Return the nearest disc of each point; see the door."""
    n = len(points)
    expect_shape("points", points, (n, 3))
    expect_shape("elements", grid.elements, (-1, DISC_COLUMNS))
    expect_shape("nearest", grid.nearest, (prod(grid.shape),))
    expect_shape("others", grid.others, (len(grid.elements),))
    distance_m, away = np.empty(n, np.float32), np.empty((n, 3), np.float32)
    in_front = np.empty(n, np.bool_)
    if n:
        in_parallel(
            _nearest, n,
            points.contiguous().numpy(), grid.elements.contiguous().numpy(), grid.nearest.numpy(),
            grid.others.numpy(), grid.low_m.numpy(), np.array(grid.shape), grid.cell_m,
            grid.radius_m, grid.per_cell, distance_m, away, in_front,
            least=_LEAST,
        )  # fmt: skip
    return torch.from_numpy(distance_m), torch.from_numpy(away), torch.from_numpy(in_front)


@jit(inline="always")
def _to_disc(px, py, pz, element, radius):  # type: ignore[no-untyped-def]
    """Return the offset from a disc's nearest point, and the height above the disc."""
    nx, ny, nz = element[DISC_NORMAL], element[DISC_NORMAL + 1], element[DISC_NORMAL + 2]
    dx, dy, dz = px - element[0], py - element[1], pz - element[2]
    height = dx * nx + dy * ny + dz * nz
    ax, ay, az = dx - height * nx, dy - height * ny, dz - height * nz
    length = np.sqrt(ax * ax + ay * ay + az * az)
    share = 1.0 - radius / max(length, radius)
    return height * nx + ax * share, height * ny + ay * share, height * nz + az * share, height


@jit(error_model="numpy")
def _nearest(
    begin, end, points, elements, nearest, others, low, shape, cell, radius, per_cell, distances,
    aways, in_fronts,
):  # type: ignore[no-untyped-def]  # fmt: skip
    seeds = np.empty(8, np.int64)
    for i in range(begin, end):
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        # In floats, as a place far outside may be more cells away than an integer holds.
        bx = min(max(np.floor((px - low[0]) / cell - 0.5), -1.0), shape[0] - 1.0)
        by = min(max(np.floor((py - low[1]) / cell - 0.5), -1.0), shape[1] - 1.0)
        bz = min(max(np.floor((pz - low[2]) / cell - 0.5), -1.0), shape[2] - 1.0)
        least, best, known = np.inf, 0, 0
        for corner in range(8):
            x = min(max(int(bx) + corner // 4, 0), shape[0] - 1)
            y = min(max(int(by) + corner // 2 % 2, 0), shape[1] - 1)
            z = min(max(int(bz) + corner % 2, 0), shape[2] - 1)
            seed = nearest[(x * shape[1] + y) * shape[2] + z]
            # Far from the surface the cells around a point mostly know the same discs.
            is_new = True
            for k in range(known):
                is_new = is_new and seeds[k] != seed
            if not is_new:
                continue
            seeds[known] = seed
            known += 1
            for index in range(seed, seed + min(per_cell - 1, others[seed]) + 1):
                ox, oy, oz, _ = _to_disc(px, py, pz, elements[index], radius)
                square = ox * ox + oy * oy + oz * oz
                if square < least:
                    least, best = square, index
        ox, oy, oz, height = _to_disc(px, py, pz, elements[best], radius)
        distance = np.sqrt(ox * ox + oy * oy + oz * oz)
        distances[i], in_fronts[i] = distance, height >= 0
        if distance < NEVER_ZERO_M:
            # Away from a disc that the point lies on is along its normal.
            ox, oy = elements[best, DISC_NORMAL], elements[best, DISC_NORMAL + 1]
            oz, distance = elements[best, DISC_NORMAL + 2], 1.0
        aways[i, 0], aways[i, 1], aways[i, 2] = ox / distance, oy / distance, oz / distance
