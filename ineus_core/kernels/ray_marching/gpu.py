# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching of rays through an occupancy grid for NVIDIA GPUs, in Triton: a warp takes a ray.

Three launches into preallocated buffers: count the occupied steps, place the rays, fill. The grid
is walked twice, as where a ray writes depends on the counts of all rays before it, and slots taken
by an atomic would give the samples another order in every run. Rays of a batch lie anywhere, so a
warp tests steps of one ray side by side; threads with a ray each would wait for the longest.
"""

from dataclasses import replace
from functools import lru_cache

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.ray_marching import reference
from ineus_core.types import RaySamples

_STEPS = 128
_SCAN = 4096
march_padded = reference.march_padded
"""Equal room for each ray is asked for by plain torch only."""


def march_packed(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupied: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    budget: int,
    jitter: Float[Tensor, " rays"],
) -> RaySamples:
    """Pack the occupied steps of all rays into a budget; see the door."""
    # Of the door, which allocates; a captured step brings its own.
    samples = sample_buffers(len(origins), budget, origins.device)
    march_packed_into(origins, directions, occupied, aabb, step_m, max_steps, jitter, samples)
    # Plain torch, which takes them from here, indexes by 64 bits.
    return replace(
        samples,
        ray_index=samples.ray_index.long(),
        first=samples.first.long(),
        count=samples.count.long(),
    )


def sample_buffers(rays: int, budget: int, device: torch.device) -> RaySamples:
    """Allocate buffers for `march_packed_into`, without samples."""
    return RaySamples(
        t_starts=torch.zeros(budget, device=device),
        t_ends=torch.zeros(budget, device=device),
        ray_index=torch.zeros(budget, dtype=torch.int32, device=device),
        valid=torch.zeros(budget, dtype=torch.bool, device=device),
        first=torch.zeros(rays, dtype=torch.int32, device=device),
        count=torch.zeros(rays, dtype=torch.int32, device=device),
    )


def march_packed_into(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupied: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    jitter: Float[Tensor, " rays"],
    samples: RaySamples,
    total: Int[Tensor, ""] | None = None,
    ray_limit: Int[Tensor, ""] | None = None,
    points_unit: Float[Tensor, "samples 3"] | None = None,
    cube: Float[Tensor, " 4"] | None = None,
    demand: Float[Tensor, ""] | None = None,
    placed: Int[Tensor, ""] | None = None,
    sizes: Int[Tensor, " 3"] | None = None,
) -> None:
    """Write the samples into buffers; allocates nothing and never waits for the device.

    Args:
        total: Receives the number of samples.
        ray_limit: Rays from this index on get no sample: a captured step adapts its rays by it.
        points_unit: Receives the midpoints in the unit cube; 0 in the padding.
        cube: Low corner and side of that cube, world.
        demand: Receives the samples that the rays would have without a budget.
        placed: Receives how many rays, the first ones, have all the samples they should have.
        sizes: Cells along each axis, on the device: what is captured follows a grid that grows.
    """
    rays, budget = len(origins), len(samples.t_starts)
    if not occupied.is_contiguous():
        raise ValueError(f"occupancy of strides {occupied.stride()}: expected it contiguous")
    sizes = sizes_of(occupied) if sizes is None else sizes
    box = (origins, directions, occupied.view(torch.uint8), aabb, sizes, jitter)
    strides = (*origins.stride(), *directions.stride())
    size = (float(step_m), int(max_steps), rays)
    if rays:
        _count[(rays,)](*box, samples.count, ray_limit, *strides, *size, STEPS=_STEPS, num_warps=1)
    place_rays(samples, total, demand, ray_limit, placed)
    points = samples.t_starts if points_unit is None else points_unit
    _fill[(max(rays, triton.cdiv(budget, 4 * _STEPS)),)](
        *box, samples.first, samples.count, samples.t_starts, samples.t_ends, samples.ray_index,
        samples.valid.view(torch.uint8), points, aabb if cube is None else cube, budget, *strides,
        *((0, 0) if points_unit is None else points_unit.stride()), *size,
        WITH_POINTS=points_unit is not None, STEPS=_STEPS, num_warps=1,
    )  # fmt: skip


def place_rays(
    samples: RaySamples,
    total: Int[Tensor, ""] | None = None,
    demand: Float[Tensor, ""] | None = None,
    ray_limit: Int[Tensor, ""] | None = None,
    placed: Int[Tensor, ""] | None = None,
) -> None:
    """Turn `samples.count` into `samples.first`; rays that do not fit the budget get no sample."""
    rays, budget = len(samples.count), len(samples.t_starts)
    _place[(1,)](
        samples.first, samples.count, total, demand, ray_limit, placed, rays, budget,
        BLOCK=_SCAN, num_warps=16,
    )  # fmt: skip


def sizes_of(occupied: Bool[Tensor, "gx gy gz"]) -> Int[Tensor, " 3"]:
    """Return the cells along each axis, on the device."""
    return _sizes(tuple(occupied.shape), occupied.device)


# A copy to the device for each call would be another command to it.
@lru_cache(maxsize=16)
def _sizes(shape: tuple[int, ...], device: torch.device) -> Int[Tensor, " 3"]:
    return torch.tensor(shape, dtype=torch.int32, device=device)


@triton.jit
def _slab(origin, direction, low, high):
    # A ray along a face divides by a tiny number instead of 0: its slab is hit nowhere or all
    # along.
    safe = tl.where(tl.abs(direction) < 1e-12, 1e-12, direction)
    a, b = (low - origin) / safe, (high - origin) / safe
    return tl.minimum(a, b), tl.maximum(a, b)


@triton.jit
def ray_in_box(
    origins, directions, aabb, jitter, ray, origin_n, origin_k, direction_n, direction_k, step
):
    """Return a ray, its first step, where it leaves the box, and its jitter."""
    o, d = origins + ray * origin_n, directions + ray * direction_n
    ox, oy, oz = tl.load(o), tl.load(o + origin_k), tl.load(o + 2 * origin_k)
    dx, dy, dz = tl.load(d), tl.load(d + direction_k), tl.load(d + 2 * direction_k)
    ax, bx = _slab(ox, dx, tl.load(aabb), tl.load(aabb + 3))
    ay, by = _slab(oy, dy, tl.load(aabb + 1), tl.load(aabb + 4))
    az, bz = _slab(oz, dz, tl.load(aabb + 2), tl.load(aabb + 5))
    # A camera within the box begins at itself, not behind itself.
    near = tl.maximum(tl.maximum(tl.maximum(ax, ay), az), 0.0)
    far = tl.minimum(tl.minimum(bx, by), bz)
    return ox, oy, oz, dx, dy, dz, near, far, tl.load(jitter + ray)


@triton.jit
def occupied_at(x, y, z, mask, occupied, aabb, sizes):
    """Tell which points lie in occupied cells."""
    gx, gy, gz = tl.load(sizes), tl.load(sizes + 1), tl.load(sizes + 2)
    lx, ly, lz = tl.load(aabb), tl.load(aabb + 1), tl.load(aabb + 2)
    # Floor, not truncation: a point just below the box would fall into its first cell.
    cx = tl.floor((x - lx) / (tl.load(aabb + 3) - lx) * gx).to(tl.int32)
    cy = tl.floor((y - ly) / (tl.load(aabb + 4) - ly) * gy).to(tl.int32)
    cz = tl.floor((z - lz) / (tl.load(aabb + 5) - lz) * gz).to(tl.int32)
    inside = mask & (cx >= 0) & (cx < gx) & (cy >= 0) & (cy < gy) & (cz >= 0) & (cz < gz)
    # A grid of a building at a few centimetres has more cells than 32 bits count.
    cell = (cx.to(tl.int64) * gy + cy) * gz + cz
    return tl.load(occupied + cell, inside, other=0) != 0


@triton.jit
def _count(
    origins, directions, occupied, aabb, sizes, jitter, counts, ray_limit,
    origin_n, origin_k, direction_n, direction_k, step, max_steps, rays,
    STEPS: tl.constexpr,
):  # fmt: skip
    ray = tl.program_id(0)
    ox, oy, oz, dx, dy, dz, near, far, shift = ray_in_box(
        origins, directions, aabb, jitter, ray, origin_n, origin_k, direction_n, direction_k, step
    )
    # A ray that misses the box has far before near, and no step.
    steps = tl.minimum(tl.maximum((far - near) / step + 1.0, 0.0), max_steps).to(tl.int32)
    # How many rays a batch has follows the device's own count of samples; launches do not change.
    if ray_limit is not None:
        steps = tl.where(ray < tl.load(ray_limit), steps, 0)
    total = tl.zeros((STEPS,), tl.int32)
    for chunk in range(0, steps, STEPS):
        k = chunk + tl.arange(0, STEPS)
        # The cell of its midpoint decides about a step.
        t = near + (k + shift) * step + 0.5 * step
        mask = (k < max_steps) & (t < far)
        hit = occupied_at(ox + dx * t, oy + dy * t, oz + dz * t, mask, occupied, aabb, sizes)
        # Summed over lanes once, at the end of the ray.
        total += hit.to(tl.int32)
    tl.store(counts + ray, tl.sum(total))


@triton.jit
def _place(firsts, counts, total, demand, ray_limit, placed, rays, budget, BLOCK: tl.constexpr):
    """Write the exclusive sum of the counts; those of rays that do not fit become 0.

    One program does it, block after block: a few thousand rays take less time than the launches
    of a parallel scan.
    """
    taken = tl.zeros((), tl.int32)
    kept = tl.zeros((), tl.int32)
    wanted = tl.zeros((), tl.float32)
    fitting = tl.zeros((), tl.int32)
    for block in range(0, rays, BLOCK):
        ray = block + tl.arange(0, BLOCK)
        mask = ray < rays
        count = tl.load(counts + ray, mask, other=0)
        last = taken + tl.cumsum(count, 0)
        # Whole rays fit or not: half of a ray would composite as if nothing were behind.
        fits = last <= budget
        kept = tl.maximum(kept, tl.max(tl.where(fits, last, 0)))
        # Bounded, so that the sum over many rays cannot overflow.
        taken = tl.minimum(taken + tl.sum(count), budget + 1)
        wanted += tl.sum(count).to(tl.float32)
        fitting += tl.sum((mask & fits).to(tl.int32))
        # One without room points behind the last that has some, so that differences of firsts
        # stay right.
        tl.store(firsts + ray, tl.where(fits, last - count, kept), mask)
        tl.store(counts + ray, tl.where(fits, count, 0), mask)
    if total is not None:
        tl.store(total, kept)
    if demand is not None:
        tl.store(demand, wanted)
    if placed is not None:
        if ray_limit is not None:
            # Rays beyond the limit fit, having nothing, but were never asked.
            fitting = tl.minimum(fitting, tl.load(ray_limit))
        tl.store(placed, fitting)


@triton.jit
def _fill(
    origins, directions, occupied, aabb, sizes, jitter, firsts, counts, t_starts, t_ends,
    ray_indices, valids, points, cube,
    budget, origin_n, origin_k, direction_n, direction_k, point_n, point_k, step, max_steps, rays,
    WITH_POINTS: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    ray = tl.program_id(0)
    lane = tl.arange(0, STEPS)
    # The padding behind the last sample is cleared by all programs together.
    used = 0
    if rays > 0:
        used = (tl.load(firsts + rays - 1) + tl.load(counts + rays - 1)).to(tl.int32)
    if ray < rays:
        count = tl.load(counts + ray)
        if count > 0:
            first = tl.load(firsts + ray)
            ox, oy, oz, dx, dy, dz, near, far, shift = ray_in_box(
                origins,
                directions,
                aabb,
                jitter,
                ray,
                origin_n,
                origin_k,
                direction_n,
                direction_k,
                step,
            )
            steps = tl.minimum(tl.maximum((far - near) / step + 1.0, 0.0), max_steps).to(tl.int32)
            for chunk in range(0, steps, STEPS):
                k = chunk + lane
                start = near + (k + shift) * step
                t = start + 0.5 * step
                mask = (k < max_steps) & (t < far)
                x, y, z = ox + dx * t, oy + dy * t, oz + dz * t
                hit = occupied_at(x, y, z, mask, occupied, aabb, sizes)
                # Occupied steps of a chunk close up: each knows how many come before it.
                rank = tl.cumsum(hit.to(tl.int32), 0)
                at = first + rank - 1
                first += tl.sum(hit.to(tl.int32))
                tl.store(t_starts + at, start, hit)
                # The end is not the start of the next step: steps between may be empty.
                tl.store(t_ends + at, start + step, hit)
                tl.store(ray_indices + at, ray + 0 * at, hit)
                tl.store(valids + at, 1 + 0 * at, hit)
                if WITH_POINTS:
                    side = tl.load(cube + 3)
                    target = points + at * point_n
                    tl.store(target, (x - tl.load(cube)) / side, hit)
                    tl.store(target + point_k, (y - tl.load(cube + 1)) / side, hit)
                    tl.store(target + 2 * point_k, (z - tl.load(cube + 2)) / side, hit)
    # Stages behind read the whole budget, and its padding must be numbers that do no harm.
    zero = lane.to(tl.float32) * 0.0
    for chunk in range(used + ray * STEPS, budget, tl.num_programs(0) * STEPS):
        at, mask = chunk + lane, chunk + lane < budget
        tl.store(t_starts + at, zero, mask)
        tl.store(t_ends + at, zero, mask)
        tl.store(ray_indices + at, lane * 0, mask)
        tl.store(valids + at, lane * 0, mask)
        if WITH_POINTS:
            target = points + at * point_n
            tl.store(target, zero, mask)
            tl.store(target + point_k, zero, mask)
            tl.store(target + 2 * point_k, zero, mask)
