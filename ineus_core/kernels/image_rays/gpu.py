# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of the rays of a whole image for NVIDIA GPUs, in Triton: a thread takes a ray.

Neighbouring pixels walk through the same cells, so a thread for each wins over a warp for each.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.image_rays.reference import CLEAR
from ineus_core.types import RaySamples

_RAYS = 128
_CLEAR = tl.constexpr(CLEAR)


def march_view(
    origin: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    cells: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    per_ray: int,
) -> tuple[RaySamples, Float[Tensor, "samples 3"]]:
    """Return the first steps of each ray in set cells; waits for their number; see the door."""
    rays, device = len(directions), directions.device
    cells, directions = cells.contiguous().view(torch.uint8), directions.contiguous()
    # Zero, for when launches are noted to be compiled ahead and nothing is written.
    count = torch.zeros(rays, dtype=torch.int32, device=device)
    call = (origin.contiguous(), directions, cells, aabb.contiguous(), count)
    size = (rays, float(step_m), max_steps, per_ray, *cells.shape)
    grid = (triton.cdiv(rays, _RAYS),)
    if rays:
        _march[grid](*call, count, count, aabb, aabb, 0, *size, FILL=False, BLOCK=_RAYS)
    # An exclusive sum says where each ray writes.
    end = count.cumsum(0, dtype=torch.int32)
    # The one wait: buffers of an image are as long as its samples, not as long as could be.
    total = int(end[-1]) if rays else 0
    first = end - count
    t_starts = torch.empty(total, device=device)
    ray_index = torch.empty(total, dtype=torch.int32, device=device)
    points = torch.empty((3, total), device=device)
    if rays:
        _march[grid](
            *call, first, ray_index, t_starts, points, total, *size, FILL=True, BLOCK=_RAYS
        )
    # No padding, so one element stands for all.
    valid = torch.ones((), dtype=torch.bool, device=device).expand(total)
    samples = RaySamples(t_starts, t_starts + step_m, ray_index, valid, first, count)
    return samples, points.t()


def keep_visible(
    samples: RaySamples,
    points: Float[Tensor, "samples 3"],
    sdf: Float[Tensor, " samples"],
    inv_s: Float[Tensor, ""],
    step_m: float,
) -> tuple[RaySamples, Float[Tensor, "kept 3"]]:
    """Leave out what lies clearly before the surface of a ray or behind it; see the door."""
    rays, device = len(samples.count), sdf.device
    begin, count = torch.zeros_like(samples.first), torch.zeros_like(samples.count)
    grid = (triton.cdiv(rays, _RAYS),)
    if rays:
        _trim[grid](
            sdf, samples.first, samples.count, inv_s, begin, count, rays, 0.5 * step_m, BLOCK=_RAYS
        )
    end = count.cumsum(0, dtype=torch.int32)
    total = int(end[-1]) if rays else 0
    first = end - count
    t_starts = torch.empty(total, device=device)
    ray_index = torch.empty(total, dtype=torch.int32, device=device)
    kept = torch.empty((3, total), device=device)
    if rays:
        _gather[grid](
            samples.t_starts, points, begin, first, count, t_starts, ray_index, kept, rays,
            len(sdf), total, BLOCK=_RAYS,
        )  # fmt: skip
    valid = torch.ones((), dtype=torch.bool, device=device).expand(total)
    return RaySamples(t_starts, t_starts + step_m, ray_index, valid, first, count), kept.t()


@triton.jit
def _slab(origin, direction, low, high):
    # A ray along a wall of the box would divide by 0.
    safe = tl.where(tl.abs(direction) < 1e-12, 1e-12, direction)
    a, b = (low - origin) / safe, (high - origin) / safe
    return tl.minimum(a, b), tl.maximum(a, b)


@triton.jit(do_not_specialize=["total", "rays", "max_steps", "per_ray", "gx", "gy", "gz"])
def _march(
    origin, directions, cells, aabb, counts, firsts, ray_indices, t_starts, points, total, rays,
    step, max_steps, per_ray, gx, gy, gz, FILL: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Count, or with FILL write, the steps of each ray whose midpoints lie in set cells.

    Walked twice, as where a ray writes depends on the counts of all rays before it.
    """
    ray = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = ray < rays
    ox, oy, oz = tl.load(origin), tl.load(origin + 1), tl.load(origin + 2)
    dx = tl.load(directions + 3 * ray, mask, other=0.0)
    dy = tl.load(directions + 3 * ray + 1, mask, other=0.0)
    dz = tl.load(directions + 3 * ray + 2, mask, other=0.0)
    lx, ly, lz = tl.load(aabb), tl.load(aabb + 1), tl.load(aabb + 2)
    hx, hy, hz = tl.load(aabb + 3), tl.load(aabb + 4), tl.load(aabb + 5)
    ax, bx = _slab(ox, dx, lx, hx)
    ay, by = _slab(oy, dy, ly, hy)
    az, bz = _slab(oz, dz, lz, hz)
    # A camera within the box begins at itself.
    near = tl.maximum(tl.maximum(tl.maximum(ax, ay), az), 0.0)
    far = tl.minimum(tl.minimum(bx, by), bz)
    steps = tl.minimum(tl.maximum((far - near) / step + 1.0, 0.0), max_steps).to(tl.int32)
    steps = tl.where(mask, steps, 0)
    sx, sy, sz = gx / (hx - lx), gy / (hy - ly), gz / (hz - lz)
    found = tl.zeros((BLOCK,), tl.int32)
    if FILL:
        first = tl.load(firsts + ray, mask, other=0)
    # Neighbouring pixels have about as many steps, so few threads wait.
    for k in range(0, tl.max(steps)):
        start = near + (k + 0.5) * step
        t = start + 0.5 * step
        x, y, z = ox + dx * t, oy + dy * t, oz + dz * t
        cx = tl.floor((x - lx) * sx).to(tl.int32)
        cy = tl.floor((y - ly) * sy).to(tl.int32)
        cz = tl.floor((z - lz) * sz).to(tl.int32)
        # Threads that are done go along until the last of their program is.
        live = (start < far) & (k < steps) & (found < per_ray)
        live = live & (cx >= 0) & (cx < gx) & (cy >= 0) & (cy < gy) & (cz >= 0) & (cz < gz)
        hit = tl.load(cells + (cx.to(tl.int64) * gy + cy) * gz + cz, live, other=0) != 0
        if FILL:
            at = first + found
            tl.store(t_starts + at, start, hit)
            tl.store(ray_indices + at, ray, hit)
            tl.store(points + at, x, hit)
            tl.store(points + total + at, y, hit)
            tl.store(points + 2 * total + at, z, hit)
        found += hit.to(tl.int32)
    if not FILL:
        tl.store(counts + ray, found, mask)


@triton.jit(do_not_specialize=["rays"])
def _trim(sdf, firsts, counts, inv_s, begins, kept, rays, half_step, BLOCK: tl.constexpr):
    ray = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = ray < rays
    first = tl.load(firsts + ray, mask, other=0)
    count = tl.load(counts + ray, mask, other=0)
    sharpness = tl.load(inv_s)
    begin = tl.zeros((BLOCK,), tl.int32)
    # Shrinks to the first sample clearly behind the surface, which is kept to close the alpha.
    end = count
    for k in range(0, tl.max(count)):
        distance = tl.load(sdf + first + k, k < end, other=0.0)
        # Only an unbroken run from the front counts as before the surface. Beyond so many widths
        # of the sigmoid, alpha is 0 to the last bit that is seen.
        is_before = (begin == k) & ((distance - half_step) * sharpness > _CLEAR)
        begin += ((k < end) & is_before).to(tl.int32)
        is_behind = (k < end) & ((distance + half_step) * sharpness < -_CLEAR)
        end = tl.where(is_behind, k + 1, end)
    tl.store(begins + ray, first + begin, mask)
    tl.store(kept + ray, end - begin, mask)


@triton.jit(do_not_specialize=["rays", "n", "total"])
def _gather(
    t_starts, points, begins, firsts, counts, t_kept, ray_indices, kept, rays, n, total,
    BLOCK: tl.constexpr,
):  # fmt: skip
    ray = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = ray < rays
    begin = tl.load(begins + ray, mask, other=0)
    first = tl.load(firsts + ray, mask, other=0)
    count = tl.load(counts + ray, mask, other=0)
    for k in range(0, tl.max(count)):
        live = k < count
        at, source = first + k, begin + k
        tl.store(t_kept + at, tl.load(t_starts + source, live), live)
        tl.store(ray_indices + at, ray, live)
        # Axes lie one after the other in memory, so neighbouring threads write neighbouring
        # numbers.
        for axis in tl.static_range(3):
            value = tl.load(points + axis * n + source, live)
            tl.store(kept + axis * total + at, value, live)
