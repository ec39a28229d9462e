# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching cubes over a batch of blocks for NVIDIA GPUs, in Triton: count, sum, write.

Same surface, in the same order, as `marching_cubes.reference`; the one wait is for the sizes of
the result.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.marching_cubes.reference import MIN_FRACTION, BlockTriangles
from ineus_core.kernels.marching_cubes.tables import EDGE_AXES, EDGE_STARTS, triangle_table

_CELLS = 512
_EDGES = 1024
_LEAST = tl.constexpr(MIN_FRACTION)


def marching_cubes(
    sdf: Float[Tensor, "b k k k"], valid_cells: Bool[Tensor, "b k-1 k-1 k-1"]
) -> BlockTriangles:
    """Extract the zero level; see the door.

    The counts are on the host.
    """
    blocks, k = sdf.shape[:2]
    n, device = k - 1, sdf.device
    sdf, valid = sdf.detach().contiguous(), valid_cells.contiguous().view(torch.uint8)
    table, sizes, edge_offsets = _tables(device, k)
    # A vertex belongs to an edge, and an edge to its lower corner: three for each corner.
    cell_programs, edge_programs = triton.cdiv(n**3, _CELLS), triton.cdiv(3 * k**3, _EDGES)
    cases = torch.empty((blocks, n**3), dtype=torch.uint8, device=device)
    # Zeros, as only crossed edges are written.
    is_vertex = torch.zeros((blocks, 3 * k**3), dtype=torch.uint8, device=device)
    # Zero, for when launches are noted to be compiled ahead and nothing is written.
    triangle_sums = torch.zeros((blocks, cell_programs), dtype=torch.int32, device=device)
    vertex_sums = torch.zeros((blocks, edge_programs), dtype=torch.int32, device=device)
    _classify[(cell_programs, blocks)](
        sdf, valid, sizes, cases, is_vertex, triangle_sums, k, BLOCK=_CELLS
    )
    _count[(edge_programs, blocks)](is_vertex, vertex_sums, k, BLOCK=_EDGES)
    # The one wait, as the result can be allocated only now.
    counts = torch.stack((vertex_sums.sum(1), triangle_sums.sum(1))).cpu()
    vertex_count, triangle_count = counts.sum(1).tolist()
    vertices = torch.empty((vertex_count, 3), device=device)
    triangles = torch.empty((triangle_count, 3), dtype=torch.int32, device=device)
    # Also without surface, so that these are compiled when launches are noted ahead.
    number = torch.empty((blocks, 3 * k**3), dtype=torch.int32, device=device)
    _write_vertices[(edge_programs, blocks)](
        sdf, is_vertex, _starts(vertex_sums), number, vertices, k, BLOCK=_EDGES
    )
    _write_triangles[(cell_programs, blocks)](
        cases, sizes, table, edge_offsets, _starts(triangle_sums), number, triangles, k,
        SLOTS=table.shape[1], BLOCK=_CELLS,
    )  # fmt: skip
    return BlockTriangles(vertices, triangles, counts[0], counts[1])


def _starts(sums: Int[Tensor, "b p"]) -> Int[Tensor, "b p"]:
    """Return the sum of all programs before each."""
    flat = sums.view(-1)
    return (flat.cumsum(0, dtype=torch.int32) - flat).view(sums.shape)


@lru_cache
def _tables(device: torch.device, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return triangles of each case, their number, and places (3 corner + axis) of edges."""
    table = torch.from_numpy(triangle_table()).int()
    starts = torch.from_numpy(EDGE_STARTS)
    corner = (starts[:, 0] * k + starts[:, 1]) * k + starts[:, 2]
    offsets = (3 * corner + torch.from_numpy(EDGE_AXES)).int()
    sizes = (table[..., 0] >= 0).sum(1, dtype=torch.int32)
    return table.contiguous().to(device), sizes.to(device), offsets.to(device)


@triton.jit
def _bit(case, x: tl.constexpr, y: tl.constexpr, z: tl.constexpr):
    return (case >> (x + 2 * y + 4 * z)) & 1


@triton.jit(do_not_specialize=["k"])
def _classify(sdf, valid, sizes, cases, is_vertex, sums, k, BLOCK: tl.constexpr):
    """Write the case of each cell (0: none), marks of crossed edges, triangles of the program."""
    block = tl.program_id(1).to(tl.int64)
    n = k - 1
    cell = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cell < n * n * n
    corner = (cell // (n * n) * k + cell // n % n) * k + cell % n
    usable = tl.load(valid + block * n * n * n + cell, mask, other=0) != 0
    samples = sdf + block * k * k * k + corner
    case = tl.zeros((BLOCK,), tl.int32)
    for c in tl.static_range(8):
        offset = ((c & 1) * k + (c >> 1 & 1)) * k + (c >> 2 & 1)
        value = tl.load(samples + offset, usable, other=0.0)
        # Cells that no ray has observed are infinite: no surface passes through one.
        usable = usable & (tl.abs(value) < float("inf"))
        case += (value < 0).to(tl.int32) << c
    # All corners inside is as empty as none.
    case = tl.where(usable & (case != 255), case, 0)
    tl.store(cases + block * n * n * n + cell, case.to(tl.uint8), mask)
    tl.store(sums + block * tl.num_programs(0) + tl.program_id(0), tl.sum(tl.load(sizes + case)))
    # Cells that share an edge all write the same 1, so no atomic operation is needed.
    one = tl.full((BLOCK,), 1, tl.uint8)
    edges = is_vertex + (block * k * k * k + corner) * 3
    for u in tl.static_range(2):
        for v in tl.static_range(2):
            along_x = (_bit(case, 0, u, v) != _bit(case, 1, u, v)) & mask
            tl.store(edges + 3 * (u * k + v), one, along_x)
            along_y = (_bit(case, u, 0, v) != _bit(case, u, 1, v)) & mask
            tl.store(edges + 3 * (u * k * k + v) + 1, one, along_y)
            along_z = (_bit(case, u, v, 0) != _bit(case, u, v, 1)) & mask
            tl.store(edges + 3 * (u * k + v) * k + 2, one, along_z)


@triton.jit(do_not_specialize=["k"])
def _count(is_vertex, sums, k, BLOCK: tl.constexpr):
    block = tl.program_id(1).to(tl.int64)
    edge = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    is_used = tl.load(is_vertex + block * 3 * k * k * k + edge, edge < 3 * k * k * k, other=0)
    tl.store(sums + block * tl.num_programs(0) + tl.program_id(0), tl.sum(is_used.to(tl.int32)))


@triton.jit(do_not_specialize=["k"])
def _write_vertices(sdf, is_vertex, starts, number, vertices, k, BLOCK: tl.constexpr):
    """Write zero crossings, and the number of each within its block."""
    block = tl.program_id(1).to(tl.int64)
    edge = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    edges = block * 3 * k * k * k + edge
    used = tl.load(is_vertex + edges, edge < 3 * k * k * k, other=0).to(tl.int32)
    first = tl.load(starts + block * tl.num_programs(0))
    start = tl.load(starts + block * tl.num_programs(0) + tl.program_id(0))
    # The order of edges, not of threads: the same field gives the same mesh, vertex by vertex.
    at = start + tl.cumsum(used, 0) - used
    mask = used != 0
    tl.store(number + edges, at - first, mask)
    corner, axis = edge // 3, edge % 3
    samples = sdf + block * k * k * k + corner
    # Values of unused edges divide to something finite.
    near = tl.load(samples, mask, other=1.0)
    stride = tl.where(axis == 0, k * k, tl.where(axis == 1, k, 1))
    far = tl.load(samples + stride, mask, other=-1.0)
    fraction = tl.div_rn(near, near - far)
    # A vertex on a corner would be one of several, and its triangles would have no area.
    fraction = tl.minimum(tl.maximum(fraction, _LEAST), 1 - _LEAST)
    target = vertices + at.to(tl.int64) * 3
    x, y, z = corner // (k * k), corner // k % k, corner % k
    tl.store(target, x.to(tl.float32) + tl.where(axis == 0, fraction, 0.0), mask)
    tl.store(target + 1, y.to(tl.float32) + tl.where(axis == 1, fraction, 0.0), mask)
    tl.store(target + 2, z.to(tl.float32) + tl.where(axis == 2, fraction, 0.0), mask)


@triton.jit(do_not_specialize=["k"])
def _write_triangles(
    cases, sizes, table, edge_offsets, starts, number, triangles, k,
    SLOTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    block = tl.program_id(1).to(tl.int64)
    n = k - 1
    cell = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    case = tl.load(cases + block * n * n * n + cell, cell < n * n * n, other=0).to(tl.int32)
    size = tl.load(sizes + case)
    corner = (cell // (n * n) * k + cell // n % n) * k + cell % n
    numbers = number + block * 3 * k * k * k + 3 * corner
    start = tl.load(starts + block * tl.num_programs(0) + tl.program_id(0))
    at = start + tl.cumsum(size, 0) - size
    for slot in range(0, tl.max(size)):
        # As many rounds as the busiest cell of the program has triangles, up to five.
        mask = slot < size
        for place in tl.static_range(3):
            edge = tl.load(table + (case * SLOTS + slot) * 3 + place, mask, other=0)
            vertex = tl.load(numbers + tl.load(edge_offsets + edge), mask, other=0)
            tl.store(triangles + (at + slot).to(tl.int64) * 3 + place, vertex, mask)
