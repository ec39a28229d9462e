# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing of random rays from stored keyframes for NVIDIA GPUs, in Triton.

One launch, no allocation.

The rays are those of `keyframes.Replay.draw`; the random numbers are Philox of a counter on the
device, so that a captured step draws anew at every replay.
"""

import triton
import triton.language as tl
from jaxtyping import Int
from torch import Tensor

from ineus_core.kernels.ray_batch import ray_store
from ineus_core.kernels.ray_batch.ray_buffers import (
    HAS_DEPTH,
    IS_BACKGROUND,
    IS_FOREGROUND,
    IS_VALID,
    DrawnRays,
)
from ineus_core.kernels.ray_batch.ray_store import RayStore

_BLOCK = 128
_REACH_PARTS = 160
"""Of the width of an image: how far the neighbours lie that a normal is taken from."""
_MOST_BEND = tl.constexpr(0.03)
"""By the depth: neighbours that bend more lie across an edge."""
_IS_VALID = tl.constexpr(IS_VALID)
_HAS_DEPTH = tl.constexpr(HAS_DEPTH)
_IS_BACKGROUND = tl.constexpr(IS_BACKGROUND)
_IS_FOREGROUND = tl.constexpr(IS_FOREGROUND)
_ORIGIN = tl.constexpr(ray_store.ORIGIN)
_DIRECTION = tl.constexpr(ray_store.DIRECTION)
_RGB = tl.constexpr(ray_store.RGB)
_NORMAL = tl.constexpr(ray_store.NORMAL)
_RANGE = tl.constexpr(ray_store.RANGE)
_USE = tl.constexpr(ray_store.USE)
_RESERVOIR_COLUMNS = tl.constexpr(ray_store.RESERVOIR_COLUMNS)
_UNUSABLE = tl.constexpr(ray_store.UNUSABLE)
_KNOWN_FOREGROUND = tl.constexpr(ray_store.KNOWN_FOREGROUND)
_WHOLE = tl.constexpr(float(ray_store.WHOLE))
_POSE_ROW = tl.constexpr(4)
"""Entries of a row of a pose: three of the rotation, one of the position."""
_POSE = tl.constexpr(12)


def draw(
    store: RayStore,
    counter: Int[Tensor, ""],
    width_px: int,
    depth_step_m: float,
    view_dropout: float,
    out: DrawnRays,
    one_keyframe: bool = False,
) -> None:
    """Fill `out` with random rays; the same counter gives the same rays.

    Args:
        one_keyframe: All rays that are not of the reservoir are of one random keyframe.
    """
    rays = len(out.origins)
    slots, pixels = store.depth.shape
    _draw[(triton.cdiv(rays, _BLOCK),)](
        store.rgb, store.depth, store.world_from_camera, store.camera_index, store.camera_rays,
        store.slot_cdf, store.reservoir, store.reservoir_share, store.reservoir_count,
        store.foreground, store.confidence, counter, out.origins, out.directions,
        out.seen_directions, out.rgb, out.range_m, out.normal, out.kind, out.jitter,
        out.foreground, out.depth_weight, rays, slots, pixels, width_px,
        # Wider than a pixel, or the noise of a depth sensor would be all there is.
        max(1, width_px // _REACH_PARTS), depth_step_m, view_dropout,
        SEARCH=max(1, (slots - 1).bit_length() + 1), ONE=one_keyframe, BLOCK=_BLOCK,
    )  # fmt: skip


@triton.jit
def _load2(base, first, second, mask):
    return tl.load(base + first, mask, other=0.0), tl.load(base + second, mask, other=0.0)


@triton.jit
def _load3(base, at, mask):
    return (
        tl.load(base + at, mask, other=0.0),
        tl.load(base + at + 1, mask, other=0.0),
        tl.load(base + at + 2, mask, other=0.0),
    )


@triton.jit
def _store3(base, at, x, y, z, mask):
    tl.store(base + at, x, mask)
    tl.store(base + at + 1, y, mask)
    tl.store(base + at + 2, z, mask)


@triton.jit
def _rotate(pose, x, y, z, mask):
    a, b, c = _load3(pose, 0, mask)
    d, e, f = _load3(pose, _POSE_ROW, mask)
    g, h, i = _load3(pose, 2 * _POSE_ROW, mask)
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


@triton.jit
def _point(depth, camera_rays, frame, rays_at, pixel, step_m, mask):
    """Return the depth of a pixel and its point in the camera frame."""
    depth_m = (
        tl.maximum(tl.load(depth + frame + pixel, mask, other=0).to(tl.float32), 0.0) * step_m
    )
    x, y, z = _load3(camera_rays, (rays_at + pixel) * 3, mask)
    # A fisheye also has rays at a right angle to its axis, which no depth along that reaches.
    along = depth_m / tl.maximum(z, 1e-6)
    return depth_m, x * along, y * along, z * along


@triton.jit
def _normal(depth, camera_rays, frame, rays_at, pixel, width, height, reach, step_m, mask):
    """Return the unit normal, camera, from four neighbours; 0 across an edge or a hole."""
    row, column = pixel // width, pixel % width
    left = row * width + tl.maximum(column - reach, 0)
    right = row * width + tl.minimum(column + reach, width - 1)
    up = tl.maximum(row - reach, 0) * width + column
    down = tl.minimum(row + reach, height - 1) * width + column
    dl, lx, ly, lz = _point(depth, camera_rays, frame, rays_at, left, step_m, mask)
    dr, rx, ry, rz = _point(depth, camera_rays, frame, rays_at, right, step_m, mask)
    du, ux, uy, uz = _point(depth, camera_rays, frame, rays_at, up, step_m, mask)
    dd, dx, dy, dz = _point(depth, camera_rays, frame, rays_at, down, step_m, mask)
    c, _, _, _ = _point(depth, camera_rays, frame, rays_at, pixel, step_m, mask)
    bend = tl.maximum(tl.abs(dl + dr - 2 * c), tl.abs(du + dd - 2 * c))
    nearest = tl.minimum(tl.minimum(tl.minimum(dl, dr), tl.minimum(du, dd)), c)
    ax, ay, az = dx - ux, dy - uy, dz - uz
    bx, by, bz = rx - lx, ry - ly, rz - lz
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = tl.sqrt(nx * nx + ny * ny + nz * nz)
    smooth = (nearest > 0) & (bend < _MOST_BEND * nearest) & (length > 1e-12)
    scale = tl.where(smooth, 1.0 / tl.maximum(length, 1e-12), 0.0)
    return nx * scale, ny * scale, nz * scale


@triton.jit
def _kind(valid, range_m, foreground, pixel, reservoir, row, old, mask):
    """Return the bits of a ray, and its share of the object."""
    kind = tl.where(valid, _IS_VALID, 0) + tl.where(valid & (range_m > 0), _HAS_DEPTH, 0)
    # A block of -1 of the type that both branches have to give.
    shows = 0.0 * range_m - 1.0
    if foreground is not None:
        shows = tl.load(foreground + pixel, mask, other=-1).to(tl.float32)
        shows = tl.where(shows > 0, shows / _WHOLE, shows)
        packed = tl.load(reservoir + row + _USE, old, other=0.0) - _KNOWN_FOREGROUND
        shows = tl.where(old, tl.maximum(packed, -1.0), shows)
        kind += tl.where(valid & (shows == 0), _IS_BACKGROUND, 0)
        kind += tl.where(valid & (shows > 0), _IS_FOREGROUND, 0)
    return kind, shows


@triton.jit
def _store_trust(trusts, confidence, at, i, old, mask):
    """Write how much the depth of rays counts, if it is not all the same."""
    if trusts is not None:
        # Of the reservoir only depth that was trusted is left, which counts as a whole.
        trust = tl.load(confidence + at, mask, other=0).to(tl.float32) / _WHOLE
        tl.store(trusts + i, tl.where(old, 1.0, trust), mask)


@triton.jit
def _random_row(u, count):
    # A number just below 1 times the count may round up to it.
    return tl.minimum(u * count, tl.maximum(count - 1.0, 0.0)).to(tl.int32)


@triton.jit(do_not_specialize=["slots", "pixels", "width", "reach"])
def _draw(
    rgb, depth, poses, camera_index, camera_rays, cdf, reservoir, share, kept, foreground,
    confidence, counter, origins, directions, seen, colours, ranges, normals, kinds, jitters,
    shares, trusts, rays, slots, pixels, width, reach, step_m, dropout,
    SEARCH: tl.constexpr, ONE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < rays
    seed = tl.load(counter)
    # Philox gives four numbers at the price of one.
    u_slot, u_pixel, u_jitter, u_drop = tl.rand4x(seed, 2 * i)
    u_old, u_row, _, _ = tl.rand4x(seed, 2 * i + 1)
    # Numbers by ray and counter, without a state that rays would have to share.
    u_slot = tl.rand(seed, 0 * i) if ONE else u_slot
    # A bisection of static length: threads that end early would wait for the others anyway.
    low, high = 0 * i, 0 * i + slots - 1
    for _ in tl.static_range(SEARCH):
        middle = (low + high) // 2
        beyond = tl.load(cdf + middle) < u_slot
        low = tl.where(beyond, tl.minimum(middle + 1, slots - 1), low)
        high = tl.where(beyond, high, middle)
    pixel = tl.minimum((u_pixel * pixels).to(tl.int32), pixels - 1)
    # Pixels of all slots may be more than 32 bits count.
    frame = low.to(tl.int64) * pixels
    rays_at = tl.load(camera_index + low, mask, other=0).to(tl.int64) * pixels
    pose = poses + low * _POSE
    x, y, z = _load3(camera_rays, (rays_at + pixel) * 3, mask)
    dx, dy, dz = _rotate(pose, x, y, z, mask)
    ox = tl.load(pose + 3, mask, other=0.0)
    oy, oz = _load2(pose, _POSE_ROW + 3, 2 * _POSE_ROW + 3, mask)
    raw = tl.load(depth + frame + pixel, mask, other=0)
    # A masked pixel is below 0: it has no depth either.
    range_m = tl.maximum(raw.to(tl.float32), 0.0) * step_m / tl.maximum(z, 1e-6)
    cx, cy, cz = _normal(
        depth, camera_rays, frame, rays_at, pixel, width, pixels // width, reach, step_m, mask
    )
    nx, ny, nz = _rotate(pose, cx, cy, cz, mask)
    at = (frame + pixel) * 3
    r = tl.load(rgb + at, mask, other=0).to(tl.float32) / 255.0
    g = tl.load(rgb + at + 1, mask, other=0).to(tl.float32) / 255.0
    b = tl.load(rgb + at + 2, mask, other=0).to(tl.float32) / 255.0
    valid = raw >= 0
    old = mask & (u_old < tl.load(share))
    row = _random_row(u_row, tl.load(kept)) * _RESERVOIR_COLUMNS
    px, py, pz = _load3(reservoir, row + _ORIGIN, old)
    qx, qy, qz = _load3(reservoir, row + _DIRECTION, old)
    pr, pg, pb = _load3(reservoir, row + _RGB, old)
    mx, my, mz = _load3(reservoir, row + _NORMAL, old)
    old_m, use = _load2(reservoir, row + _RANGE, row + _USE, old)
    range_m = tl.where(old, old_m, range_m)
    valid = tl.where(old, use > _UNUSABLE, valid)
    dx, dy, dz = tl.where(old, qx, dx), tl.where(old, qy, dy), tl.where(old, qz, dz)
    _store3(
        origins, i * 3, tl.where(old, px, ox), tl.where(old, py, oy), tl.where(old, pz, oz), mask
    )
    _store3(directions, i * 3, dx, dy, dz, mask)
    # Without a direction now and then, the colour head learns what is seen from anywhere.
    sees = tl.where(u_drop >= dropout, 1.0, 0.0)
    _store3(seen, i * 3, dx * sees, dy * sees, dz * sees, mask)
    _store3(colours, i * 3, tl.where(old, pr, r), tl.where(old, pg, g), tl.where(old, pb, b), mask)
    _store3(
        normals, i * 3, tl.where(old, mx, nx), tl.where(old, my, ny), tl.where(old, mz, nz), mask
    )
    tl.store(ranges + i, range_m, mask)
    kind, shows = _kind(valid, range_m, foreground, frame + pixel, reservoir, row, old, mask)
    tl.store(kinds + i, kind.to(tl.uint8), mask)
    tl.store(jitters + i, u_jitter, mask)
    tl.store(shares + i, shows, mask)
    _store_trust(trusts, confidence, frame + pixel, i, old, mask)
