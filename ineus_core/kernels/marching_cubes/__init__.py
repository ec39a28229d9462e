# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching cubes (Lorensen & Cline 1987) over a batch of blocks.

Versions: plain torch, Triton (count, sum, write). `tables.py` derives the triangles of each case.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest
from ineus_core.kernels.marching_cubes.reference import BlockTriangles
from ineus_core.kernels.shapes import expect_shape

__all__ = ["BlockTriangles", "marching_cubes"]


def marching_cubes(
    sdf: Float[Tensor, "b k k k"], valid_cells: Bool[Tensor, "b k-1 k-1 k-1"]
) -> BlockTriangles:
    """Extract the zero level of samples on the corners of blocks.

    Blocks that share the samples of their common face get the same vertices there, bit for bit,
    and triangles that close. The result is a constant to autograd.

    Args:
        sdf: Samples at corners [x, y, z]; a cell with a sample that is not finite is left out.
        valid_cells: False for cells that must not give triangles.
    """
    if sdf.ndim != 4 or len(set(sdf.shape[1:])) != 1 or sdf.shape[1] < 2:
        raise ValueError(f"sdf of shape {tuple(sdf.shape)}: expected (b, k, k, k) with k >= 2")
    expect_shape("valid_cells", valid_cells, (sdf.shape[0], *(sdf.shape[1] - 1,) * 3))
    return fastest("marching_cubes", sdf.device).marching_cubes(sdf, valid_cells)
