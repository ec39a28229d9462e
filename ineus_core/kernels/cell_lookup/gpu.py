# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Look-up of the cells of many points for NVIDIA GPUs, in Triton: one launch for all."""

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float
from torch import Tensor

_BLOCK = 1024


def cells_at(
    points: Float[Tensor, "n 3"],
    cells: Bool[Tensor, "gx gy gz"],
    low_cell: tuple[int, int, int],
    cell_m: float,
) -> Bool[Tensor, " n"]:
    """Tell which points lie in set cells; see the door."""
    n = len(points)
    result = torch.empty(n, dtype=torch.bool, device=points.device)
    if n:
        _look_up[(triton.cdiv(n, _BLOCK),)](
            points, cells.contiguous().view(torch.uint8), result.view(torch.uint8), n,
            float(cell_m), *low_cell, *cells.shape, *points.stride(), BLOCK=_BLOCK,
        )  # fmt: skip
    return result


@triton.jit(do_not_specialize=["n", "low_x", "low_y", "low_z", "gx", "gy", "gz"])
def _look_up(
    points, cells, result, n, cell_m, low_x, low_y, low_z, gx, gy, gz, stride_n, stride_k,
    BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    at = points + i * stride_n
    # Rounded as torch rounds: a reciprocal would put points on faces into other cells.
    x = tl.floor(tl.div_rn(tl.load(at, mask, other=0.0), cell_m)).to(tl.int32) - low_x
    y = tl.floor(tl.div_rn(tl.load(at + stride_k, mask, other=0.0), cell_m)).to(tl.int32) - low_y
    z = tl.load(at + 2 * stride_k, mask, other=0.0)
    z = tl.floor(tl.div_rn(z, cell_m)).to(tl.int32) - low_z
    inside = mask & (x >= 0) & (x < gx) & (y >= 0) & (y < gy) & (z >= 0) & (z < gz)
    value = tl.load(cells + (x.to(tl.int64) * gy + y) * gz + z, inside, other=0)
    tl.store(result + i, value, mask)
