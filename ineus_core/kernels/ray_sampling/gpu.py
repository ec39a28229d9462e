# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of an RGB-D ray for NVIDIA GPUs, in Triton; `reference` says where they lie.

Three launches into preallocated buffers: count,
place the rays one after the other, fill.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.ray_batch.ray_buffers import HAS_DEPTH, IS_VALID, DrawnRays
from ineus_core.kernels.ray_marching.gpu import occupied_at, place_rays, ray_in_box, sizes_of
from ineus_core.types import RaySamples

_STEPS = 64
_RUNS_CLEARED = 4
"""Runs of `_STEPS` places that a program looks after, and clears where they are padding."""
_RUNS = tl.constexpr(_RUNS_CLEARED)
_MOST_EDGES = tl.constexpr(128)
"""Random numbers set aside for a ray."""
_IS_VALID = tl.constexpr(IS_VALID)
_MEASURED = tl.constexpr(IS_VALID | HAS_DEPTH)


def sample_rays_into(
    rays: DrawnRays,
    occupied: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    free: int,
    band: int,
    truncation_m: float,
    near_m: float,
    counter: Int[Tensor, ""],
    cube: Float[Tensor, " 4"],
    samples: RaySamples,
    total: Int[Tensor, ""],
    points_unit: Float[Tensor, "samples 3"],
    sizes: Int[Tensor, " 3"] | None = None,
) -> None:
    """Write the samples, their number and their midpoints in the unit cube; allocates nothing.

    Args:
        free: Samples of a ray with depth before the band.
        band: Samples in it. A ray without depth has at most as many as both together.
        cube: Low corner and side of the unit cube, world.
        sizes: Cells along each axis, on the device: what is captured follows a grid that grows.
    """
    n = len(rays.origins)
    common = (
        rays.origins,
        rays.directions,
        rays.kind,
        occupied.view(torch.uint8),
        aabb,
        sizes_of(occupied) if sizes is None else sizes,
        rays.jitter,
    )
    size = (float(step_m), int(max_steps))
    _count[(n,)](*common, samples.count, *size, free + band, STEPS=_STEPS, num_warps=1)
    # Rays without depth have fewer samples than there is room for, and are packed.
    place_rays(samples, total)
    blocks = max(n, triton.cdiv(len(samples.t_starts), _RUNS_CLEARED * _STEPS))
    _fill[(blocks,)](
        *common, rays.range_m, counter, cube, samples.first, samples.count, samples.t_starts,
        samples.t_ends, samples.ray_index, samples.valid.view(torch.uint8), points_unit, n,
        len(samples.t_starts), *size, float(truncation_m), float(near_m), *points_unit.stride(),
        FREE=free, BAND=band, STEPS=_STEPS, num_warps=1,
    )  # fmt: skip


@triton.jit
def _count(
    origins, directions, kinds, occupied, aabb, sizes, jitter, counts, step, max_steps,
    per_ray, STEPS: tl.constexpr,
):  # fmt: skip
    ray = tl.program_id(0)
    kind = tl.load(kinds + ray) & _MEASURED
    if kind != _IS_VALID:
        # A measured ray has all its samples, one that may not be used none.
        tl.store(counts + ray, tl.where(kind == _MEASURED, per_ray, 0))
    else:
        ox, oy, oz, dx, dy, dz, near, far, shift = ray_in_box(
            origins, directions, aabb, jitter, ray, 3, 1, 3, 1, step
        )
        lane = tl.arange(0, STEPS)
        # One after the other until the ray has enough: cells behind the first surfaces are never
        # read.
        found = 0
        chunk = 0
        while (chunk < max_steps) & (found < per_ray) & (near + chunk * step < far):
            k = chunk + lane
            t = near + (k + shift) * step + 0.5 * step
            mask = (k < max_steps) & (t < far)
            hit = occupied_at(ox + dx * t, oy + dy * t, oz + dz * t, mask, occupied, aabb, sizes)
            found += tl.sum(hit.to(tl.int32))
            chunk += STEPS
        tl.store(counts + ray, tl.minimum(found, per_ray))


@triton.jit
def _edge(j, ray, seed, range_m, truncation, near, FREE: tl.constexpr, BAND: tl.constexpr):
    """Return edge j of the intervals of a measured ray: jittered in free space, then in the band.

    The noise depends on ray and edge alone, so the end of an interval is the start of the next.
    """
    # A return nearer than the truncation has no free space before its band.
    start = tl.maximum(range_m - truncation, near)
    end = range_m + truncation
    noise = tl.rand(seed + 1, ray * _MOST_EDGES + j) - 0.5
    # Stratified: an edge moves by at most half of its interval, so edges stay in order.
    in_free = near + tl.maximum((j + noise) / FREE, 0.0) * (start - near)
    in_band = start + tl.maximum((j - FREE + noise) / BAND, 0.0) * (end - start)
    return tl.where(j < FREE, in_free, tl.where(j < FREE + BAND, in_band, end))


@triton.jit
def _store_samples(
    at, start, end, ray, x, y, z, cube, t_starts, t_ends, ray_indices, valids, points,
    point_n, point_k, mask,
):  # fmt: skip
    tl.store(t_starts + at, start, mask)
    tl.store(t_ends + at, end, mask)
    tl.store(ray_indices + at, ray + 0 * at, mask)
    tl.store(valids + at, 1 + 0 * at, mask)
    # In the unit cube, as the encoding takes them: a pass over all samples less.
    side = tl.load(cube + 3)
    target = points + at * point_n
    tl.store(target, (x - tl.load(cube)) / side, mask)
    tl.store(target + point_k, (y - tl.load(cube + 1)) / side, mask)
    tl.store(target + 2 * point_k, (z - tl.load(cube + 2)) / side, mask)


@triton.jit
def _fill(
    origins, directions, kinds, occupied, aabb, sizes, jitter, ranges, counter, cube, firsts,
    counts, t_starts, t_ends, ray_indices, valids, points, rays, budget, step, max_steps,
    truncation, near_m, point_n, point_k,
    FREE: tl.constexpr, BAND: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    lane = tl.arange(0, STEPS)
    used = 0
    if rays > 0:
        used = (tl.load(firsts + rays - 1) + tl.load(counts + rays - 1)).to(tl.int32)
    if program < rays:
        ray = program
        count = tl.load(counts + ray)
        first = tl.load(firsts + ray)
        ox, oy, oz, dx, dy, dz, near, far, shift = ray_in_box(
            origins, directions, aabb, jitter, ray, 3, 1, 3, 1, step
        )
        if (count > 0) & ((tl.load(kinds + ray) & _MEASURED) == _MEASURED):
            # The counter is on the device and grows with each step, also in a replayed graph.
            range_m, seed = tl.load(ranges + ray), tl.load(counter)
            # Both ends of an interval by the same formula: neighbours meet to the last bit.
            for chunk in tl.static_range(0, FREE + BAND, STEPS):
                j = chunk + lane
                start = _edge(j, ray, seed, range_m, truncation, near_m, FREE, BAND)
                end = _edge(j + 1, ray, seed, range_m, truncation, near_m, FREE, BAND)
                t = 0.5 * (start + end)
                _store_samples(
                    first + j, start, end, ray, ox + dx * t, oy + dy * t, oz + dz * t, cube,
                    t_starts, t_ends, ray_indices, valids, points, point_n, point_k,
                    j < FREE + BAND,
                )  # fmt: skip
        elif count > 0:
            found = 0
            chunk = 0
            while (chunk < max_steps) & (found < count) & (near + chunk * step < far):
                k = chunk + lane
                start = near + (k + shift) * step
                t = start + 0.5 * step
                mask = (k < max_steps) & (t < far)
                x, y, z = ox + dx * t, oy + dy * t, oz + dz * t
                hit = occupied_at(x, y, z, mask, occupied, aabb, sizes)
                rank = found + tl.cumsum(hit.to(tl.int32), 0) - 1
                _store_samples(
                    first + rank, start, start + step, ray, x, y, z, cube, t_starts, t_ends,
                    ray_indices, valids, points, point_n, point_k, hit & (rank < count),
                )  # fmt: skip
                found += tl.sum(hit.to(tl.int32))
                chunk += STEPS
    # All programs together clear what is left of the budget, which later stages read whole.
    for run in tl.static_range(_RUNS):
        at = (program * _RUNS + run) * STEPS + lane
        rest = (at >= used) & (at < budget)
        zero = tl.zeros((STEPS,), tl.float32)
        tl.store(t_starts + at, zero, rest)
        tl.store(t_ends + at, zero, rest)
        tl.store(ray_indices + at, 0 * at, rest)
        tl.store(valids + at, 0 * at, rest)
        for axis in tl.static_range(3):
            tl.store(points + at * point_n + axis * point_k, zero, rest)
