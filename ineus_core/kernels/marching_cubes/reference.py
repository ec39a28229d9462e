# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching cubes over a batch of blocks in plain torch, by the generated table."""

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.marching_cubes.tables import EDGE_AXES, EDGE_STARTS, triangle_table

MIN_FRACTION = 1e-3
"""Least distance in cells of a vertex from the ends of its edge: keeps vertices apart."""


class BlockTriangles(NamedTuple):
    """The surfaces of a batch of blocks, packed block after block."""

    vertices: Float[Tensor, "v 3"]
    """In cells, from the first corner of the own block."""
    triangles: Int[Tensor, "t 3"]
    """Vertices counted within the own block; normals by the right hand point to positive sdf."""
    vertices_per_block: Int[Tensor, " b"]
    triangles_per_block: Int[Tensor, " b"]


def marching_cubes(
    sdf: Float[Tensor, "b k k k"], valid_cells: Bool[Tensor, "b k-1 k-1 k-1"]
) -> BlockTriangles:
    """Extract the zero level; see the door."""
    sdf = sdf.detach()
    cells, cases = _crossed_cells(sdf, valid_cells)
    edges, triangle_cell = _triangle_edges(cells, cases, sdf.shape[1])
    # Sorted, so that vertices have the order of their edges: the same field gives the same mesh.
    edge_keys, vertex_index = torch.unique(edges, return_inverse=True)
    vertices, vertex_block = _vertices(sdf, edge_keys)
    blocks = sdf.shape[0]
    vertices_per_block = torch.bincount(vertex_block, minlength=blocks)
    first_vertex = vertices_per_block.cumsum(0) - vertices_per_block
    triangle_block = cells[triangle_cell, 0]
    triangles = vertex_index - first_vertex[triangle_block, None]
    return BlockTriangles(
        vertices, triangles, vertices_per_block, torch.bincount(triangle_block, minlength=blocks)
    )


def _crossed_cells(sdf: Tensor, valid_cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return block and place [m 4] and case [m] of the valid cells that the surface crosses."""
    n = sdf.shape[1] - 1
    inside, finite = (sdf < 0).to(torch.uint8), torch.isfinite(sdf)
    cases = torch.zeros_like(valid_cells, dtype=torch.uint8)
    usable = valid_cells.clone()
    for corner in range(8):
        x, y, z = corner & 1, corner >> 1 & 1, corner >> 2 & 1
        window = (slice(None), slice(x, x + n), slice(y, y + n), slice(z, z + n))
        cases |= inside[window] << corner
        # Corners that nobody has evaluated are NaN.
        usable &= finite[window]
    crossed = usable & (cases != 0) & (cases != 255)
    return crossed.nonzero(), cases[crossed].long()


def _triangle_edges(cells: Tensor, cases: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the edges [t 3] of the triangles' corners, and each triangle's row in `cells`."""
    table, edge_offsets = _tables(cells.device, k)
    slots = table[cases]
    filled = slots[..., 0] >= 0
    triangle_cell = filled.nonzero()[:, 0]
    block, x, y, z = cells.unbind(-1)
    first_corner = ((block * k + x) * k + y) * k + z
    return 3 * first_corner[triangle_cell, None] + edge_offsets[slots[filled]], triangle_cell


@lru_cache
def _tables(device: torch.device, k: int) -> tuple[Tensor, Tensor]:
    """Return the triangle table, and the keys (3 corner + axis) of the edges of the first cell."""
    starts = torch.from_numpy(EDGE_STARTS)
    corner = (starts[:, 0] * k + starts[:, 1]) * k + starts[:, 2]
    edge_offsets = 3 * corner + torch.from_numpy(EDGE_AXES)
    return torch.from_numpy(triangle_table()).to(device), edge_offsets.to(device)


def _vertices(sdf: Tensor, edge_keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return zero crossings [v 3] of linear interpolation along edges, and the block of each."""
    k = sdf.shape[1]
    corner, axis = edge_keys // 3, edge_keys % 3
    stride = torch.tensor((k * k, k, 1), device=sdf.device)[axis]
    samples = sdf.reshape(-1)
    start, end = samples[corner], samples[corner + stride]
    fraction = (start / (start - end)).clamp(MIN_FRACTION, 1 - MIN_FRACTION)
    place = torch.stack((corner // (k * k) % k, corner // k % k, corner % k), dim=-1)
    along = torch.nn.functional.one_hot(axis, 3) * fraction[:, None]
    return place + along, corner // k**3
