# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The nearest of many small discs to each point for NVIDIA GPUs, in Triton, in one launch."""

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.nearest_disc.reference import (
    DISC_COLUMNS,
    DISC_NORMAL,
    NEVER_ZERO_M,
    DiscGrid,
)

_BLOCK = 128
_DISC_COLUMNS = tl.constexpr(DISC_COLUMNS)
_DISC_NORMAL = tl.constexpr(DISC_NORMAL)


def nearest_disc(
    points: Float[Tensor, "n 3"], grid: DiscGrid
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
    """Return the nearest disc of each point; nothing but the answer is written; see the door."""
    n = len(points)
    points = points.contiguous()
    distance_m = torch.empty(n, device=points.device)
    away = torch.empty((n, 3), device=points.device)
    in_front = torch.empty(n, dtype=torch.bool, device=points.device)
    # A grid of no programs cannot be launched.
    if n:
        _nearest[(triton.cdiv(n, _BLOCK),)](
            points, grid.elements, grid.nearest, grid.others, grid.low_m, distance_m, away,
            in_front.view(torch.uint8), n, *grid.shape, float(grid.cell_m), float(grid.radius_m),
            NEVER_ZERO_M, PER_CELL=grid.per_cell, BLOCK=_BLOCK, num_warps=4,
        )  # fmt: skip
    return distance_m, away, in_front


@triton.jit
def _load3(base, at, mask):
    return (
        tl.load(base + at, mask, other=0.0),
        tl.load(base + at + 1, mask, other=0.0),
        tl.load(base + at + 2, mask, other=0.0),
    )


@triton.jit
def _to_disc(px, py, pz, elements, index, radius, mask):
    """Return the offset from a disc's nearest point, its square, height above the disc, normal."""
    cx, cy, cz = _load3(elements, index * _DISC_COLUMNS, mask)
    nx, ny, nz = _load3(elements, index * _DISC_COLUMNS + _DISC_NORMAL, mask)
    dx, dy, dz = px - cx, py - cy, pz - cz
    height = dx * nx + dy * ny + dz * nz
    ax, ay, az = dx - height * nx, dy - height * ny, dz - height * nz
    # Beside the disc its rim is nearest, above it the foot of the perpendicular.
    length = tl.sqrt(ax * ax + ay * ay + az * az)
    # 0 above the disc; beyond its radius, what is left of the way to the rim.
    share = 1.0 - radius / tl.maximum(length, radius)
    ox, oy, oz = height * nx + ax * share, height * ny + ay * share, height * nz + az * share
    return ox, oy, oz, ox * ox + oy * oy + oz * oz, height, nx, ny, nz


@triton.jit
def _cell_below(position, low, cell, count):
    """Return the lower of the two cells with centres around a position; at most one outside."""
    # Cells are known by their centres here, half a cell from their corners.
    below = tl.floor((position - low) / cell - 0.5)
    return tl.minimum(tl.maximum(below, -1.0), count - 1.0).to(tl.int32)


@triton.jit(do_not_specialize=["n", "gx", "gy", "gz"])
def _nearest(
    points, elements, nearest, others, low, distances, aways, in_fronts, n, gx, gy, gz, cell,
    radius, never_zero, PER_CELL: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    px, py, pz = _load3(points, i * 3, mask)
    bx = _cell_below(px, tl.load(low), cell, gx)
    by = _cell_below(py, tl.load(low + 1), cell, gy)
    bz = _cell_below(pz, tl.load(low + 2), cell, gz)
    # A disc is known by its cell: eight cells around hold all that can be nearest within half one.
    least = tl.full((BLOCK,), float("inf"), tl.float32)
    best = tl.zeros((BLOCK,), tl.int64)
    for corner in range(8):
        # Outside of the grid its border cells answer.
        x = tl.minimum(tl.maximum(bx + (corner // 4), 0), gx - 1).to(tl.int64)
        y = tl.minimum(tl.maximum(by + (corner // 2) % 2, 0), gy - 1)
        z = tl.minimum(tl.maximum(bz + corner % 2, 0), gz - 1)
        seed = tl.load(nearest + (x * gy + y) * gz + z, mask, other=0).to(tl.int64)
        count = tl.load(others + seed, mask, other=0)
        # Most cells hold fewer; a mask costs less than threads that diverge.
        for k in range(PER_CELL):
            used = mask & (k <= count)
            _, _, _, square, _, _, _, _ = _to_disc(px, py, pz, elements, seed + k, radius, used)
            is_better = used & (square < least)
            least = tl.where(is_better, square, least)
            best = tl.where(is_better, seed + k, best)
    ox, oy, oz, square, height, nx, ny, nz = _to_disc(px, py, pz, elements, best, radius, mask)
    distance = tl.sqrt(square)
    # On the disc itself no direction leads away from it but its normal.
    on_it = distance < never_zero
    scale = 1.0 / tl.maximum(distance, never_zero)
    tl.store(distances + i, distance, mask)
    tl.store(aways + i * 3, tl.where(on_it, nx, ox * scale), mask)
    tl.store(aways + i * 3 + 1, tl.where(on_it, ny, oy * scale), mask)
    tl.store(aways + i * 3 + 2, tl.where(on_it, nz, oz * scale), mask)
    tl.store(in_fronts + i, (height >= 0).to(tl.uint8), mask)
