# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cells that the rays of a depth image have observed, on NVIDIA GPUs, in Triton, in one launch."""

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.observed_mask.reference import MOST_CELLS

_RAYS = 128


def mark_observed(
    cells: Bool[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    reach_cells: float,
    spread: float,
    longest_cells: float,
) -> None:
    """Set cells in place, without a wait; see the door."""
    rays = len(range_cells)
    if rays:
        _mark_observed[(triton.cdiv(rays, _RAYS),)](
            cells.view(torch.uint8), origin_cells.contiguous(), directions, range_cells,
            float(reach_cells), float(spread), MOST_CELLS, float(longest_cells), rays,
            *cells.shape, *directions.stride(), BLOCK=_RAYS,
        )  # fmt: skip


@triton.jit
def _set(cells, x, y, z, mask, gx, gy, gz):
    inside = mask & (x >= 0) & (x < gx) & (y >= 0) & (y < gy) & (z >= 0) & (z < gz)
    # Rays that meet in a cell write the same, so nothing is lost without atomic operations.
    one = (0 * x + 1).to(tl.uint8)
    tl.store(cells + (x.to(tl.int64) * gy + y) * gz + z, one, inside)


@triton.jit(do_not_specialize=["rays", "gx", "gy", "gz"])
def _mark_observed(
    cells, origin, directions, ranges, reach, spread, most, longest, rays, gx, gy, gz, stride_n,
    stride_k, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < rays
    ox, oy, oz = tl.load(origin), tl.load(origin + 1), tl.load(origin + 2)
    d = directions + i.to(tl.int64) * stride_n
    dx = tl.load(d, mask, other=0.0)
    dy = tl.load(d + stride_k, mask, other=0.0)
    dz = tl.load(d + 2 * stride_k, mask, other=0.0)
    ray = tl.load(ranges + i, mask, other=0.0)
    returned = mask & (ray >= 0)
    half = tl.minimum(tl.maximum(spread * ray, reach), most)
    px, py, pz = ox + dx * ray, oy + dy * ray, oz + dz * ray
    x, y, z = tl.floor(px - half), tl.floor(py - half), tl.floor(pz - half)
    # The widest cube of the block bounds the loops of all its rays.
    cubes = tl.where(returned, tl.floor(2 * half).to(tl.int32) + 2, 0)
    widest = tl.max(cubes)
    for a in range(0, widest):
        for b in range(0, widest):
            for c in range(0, widest):
                is_in_cube = returned & (x + a <= px + half) & (y + b <= py + half)
                is_in_cube = is_in_cube & (z + c <= pz + half)
                _set(
                    cells, (x + a).to(tl.int32), (y + b).to(tl.int32), (z + c).to(tl.int32),
                    is_in_cube, gx, gy, gz,
                )  # fmt: skip
    lost = mask & (ray < 0) & (ray > float("-inf"))
    # None where all rays of the block have returned.
    steps = tl.max(lost.to(tl.int32)) * tl.ceil(longest - 0.5).to(tl.int32)
    for step in range(0, steps):
        t = step + 0.5
        ax, ay, az = tl.floor(ox + dx * t), tl.floor(oy + dy * t), tl.floor(oz + dz * t)
        _set(cells, ax.to(tl.int32), ay.to(tl.int32), az.to(tl.int32), lost, gx, gy, gz)
