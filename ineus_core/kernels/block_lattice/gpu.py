# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""World points of flat places in the lattices of blocks for NVIDIA GPUs, in Triton."""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

_BLOCK = 1024


def lattice_points(
    places: Int[Tensor, " n"],
    origins: Int[Tensor, "b 3"],
    side: int,
    spacing: tuple[float, float],
    voxel_size_m: float,
) -> Float[Tensor, "n 3"]:
    """Return the points of places; see the door."""
    n = len(places)
    points = torch.empty((3, n), device=places.device)
    if n:
        _points[(triton.cdiv(n, _BLOCK),)](
            places, origins, points, n, side, *map(float, spacing), float(voxel_size_m),
            BLOCK=_BLOCK,
        )  # fmt: skip
    return points.t()


@triton.jit(do_not_specialize=["n", "side"])
def _points(places, origins, points, n, side, step, first, voxel, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    place = tl.load(places + i, mask, other=0)
    block = place // (side * side * side)
    rest = (place - block * side * side * side).to(tl.int32)
    origin = origins + block * 3
    for axis in tl.static_range(3):
        if axis == 0:
            at = rest // (side * side)
        elif axis == 1:
            at = rest // side % side
        else:
            at = rest % side
        # Whole voxels are exact, so the one rounding is that of the product.
        lattice = tl.load(origin + axis, mask, other=0).to(tl.float32) + (at * step + first)
        tl.store(points + axis * n.to(tl.int64) + i, lattice * voxel, mask)
