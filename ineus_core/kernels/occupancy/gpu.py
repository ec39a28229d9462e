# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Log odds of grid cells from a depth image, and its rays, on NVIDIA GPUs, in Triton.

Two launches mark the cells on the rays, passes before returns, so that a return beats a pass
without an atomic operation; one over the grid updates the cells that were marked.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int8, Int16, UInt8
from torch import Tensor

from ineus_core.kernels.occupancy.block_flags import BlockFlags
from ineus_core.kernels.occupancy.reference import NO_RETURN, PASSED, RETURNED, UNKNOWN

_RAYS = 128
_CELLS = 2048
_NO_RETURN = tl.constexpr(NO_RETURN)
_UNKNOWN = tl.constexpr(UNKNOWN)
_PASSED = tl.constexpr(PASSED)
_RETURNED = tl.constexpr(RETURNED)
_POSE_ROW = tl.constexpr(4)
"""Entries of a row of a pose: three of the rotation, one of the position."""


def integrate_depth(
    log_odds: Int8[Tensor, "gx gy gz"],
    scratch: UInt8[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    truncation_cells: float,
    band_cells: float,
    gains: tuple[int, int, int],
) -> None:
    """Update in place, without a wait; see the door."""
    rays = len(range_cells)
    if rays:
        shape = log_odds.shape
        origin_cells = origin_cells.contiguous()
        # A ray passes up to where its band begins, in whole cells; the band is walked in halves,
        # so that no cell of it is stepped over.
        for mark, back, step in ((PASSED, truncation_cells, 1.0), (RETURNED, band_cells, 0.5)):
            _mark[(triton.cdiv(rays, _RAYS),)](
                scratch, origin_cells, directions, range_cells, float(back), rays, *shape,
                *directions.stride(), MARK=mark, STEP=step, BLOCK=_RAYS,
            )  # fmt: skip
    n = log_odds.numel()
    if n:
        _update[(triton.cdiv(n, _CELLS),)](log_odds, scratch, n, *gains, BLOCK=_CELLS)


def rays_of_depth(
    depth: Int16[Tensor, " pixels"],
    camera_rays: Float[Tensor, "pixels 3"],
    world_from_camera: Float[Tensor, "3 4"],
    depth_step_m: float,
    width_px: int,
    stride_px: int,
    blocks: BlockFlags,
    number: int,
) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, " rays"]]:
    """Return directions and ranges, flag the blocks of the returns; see the door."""
    height_px = len(depth) // width_px
    columns, rows = -(-width_px // stride_px), -(-height_px // stride_px)
    directions = torch.empty((columns * rows, 3), device=depth.device)
    # Of all pixels, those without a return too: to leave these out would wait for their number.
    range_m = torch.empty(columns * rows, device=depth.device)
    _unproject[(triton.cdiv(columns * rows, _RAYS),)](
        depth, camera_rays, world_from_camera.contiguous(), directions, range_m, blocks.flags,
        columns * rows, columns, width_px, stride_px, float(depth_step_m), number, *blocks.low,
        *blocks.flags.shape, 1.0 / blocks.block_m, float(blocks.margin_m), BLOCK=_RAYS,
    )  # fmt: skip
    return directions, range_m


@triton.jit
def _cell(x, y, z, mask, gx, gy, gz):
    """Return the offset of the cell of a point, and whether it is in the grid."""
    cx, cy, cz = tl.floor(x).to(tl.int32), tl.floor(y).to(tl.int32), tl.floor(z).to(tl.int32)
    inside = mask & (cx >= 0) & (cx < gx) & (cy >= 0) & (cy < gy) & (cz >= 0) & (cz < gz)
    return (cx.to(tl.int64) * gy + cy) * gz + cz, inside


@triton.jit(do_not_specialize=["rays", "gx", "gy", "gz"])
def _mark(
    scratch, origin, directions, ranges, back, rays, gx, gy, gz, stride_n, stride_k,
    MARK: tl.constexpr, STEP: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < rays
    ox, oy, oz = tl.load(origin), tl.load(origin + 1), tl.load(origin + 2)
    d = directions + i.to(tl.int64) * stride_n
    dx = tl.load(d, mask, other=0.0)
    dy = tl.load(d + stride_k, mask, other=0.0)
    dz = tl.load(d + 2 * stride_k, mask, other=0.0)
    reach = tl.load(ranges + i, mask, other=_NO_RETURN)
    if MARK == _PASSED:
        # Half a cell off the camera, whose own cell says nothing.
        t = tl.full((BLOCK,), 0.5, tl.float32)
        end = reach - back
    else:
        t = tl.maximum(reach - back, 0.0)
        end = reach + back
    # Rays that cross write the same mark, so it does not matter which of them wins.
    one = tl.full((BLOCK,), MARK, tl.uint8)
    # As many rounds as the longest ray of the program needs; bounded below, as a ray that nothing
    # is known of is -inf long, which no integer is.
    longest = tl.max(tl.where(mask, tl.maximum(end - t, -1.0), -1.0))
    for _ in range(0, tl.maximum(tl.floor(longest / STEP).to(tl.int32) + 1, 0)):
        live = mask & ((t < end) if MARK == _PASSED else (t <= end))
        at, inside = _cell(ox + dx * t, oy + dy * t, oz + dz * t, live, gx, gy, gz)
        tl.store(scratch + at, one, inside)
        t += STEP


@triton.jit(do_not_specialize=["n"])
def _update(log_odds, scratch, n, hit, miss, limit, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mark = tl.load(scratch + i, i < n, other=0)
    touched = mark != 0
    value = tl.load(log_odds + i, touched, other=0).to(tl.int32)
    value += tl.where(mark == _RETURNED, hit, miss)
    value = tl.minimum(tl.maximum(value, -limit), limit)
    # 0 stands for cells that no image has touched.
    value = tl.where(value == 0, -1, value)
    tl.store(log_odds + i, value.to(tl.int8), touched)
    # Clean for the next image, without a pass of its own.
    tl.store(scratch + i, tl.zeros((BLOCK,), tl.uint8), touched)


@triton.jit(
    do_not_specialize=[
        "n", "columns", "width", "stride", "number", "bx", "by", "bz", "low_x", "low_y", "low_z"
    ],
    # Of a slot among many, whose size is that of a camera.
    do_not_specialize_on_alignment=["depth", "rays", "pose"],
)  # fmt: skip
def _unproject(
    depth, rays, pose, directions, ranges, flags, n, columns, width, stride, step, number,
    low_x, low_y, low_z, bx, by, bz, per_m, margin, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    pixel = i // columns * stride * width + i % columns * stride
    x = tl.load(rays + 3 * pixel, mask, other=0.0)
    y = tl.load(rays + 3 * pixel + 1, mask, other=0.0)
    z = tl.load(rays + 3 * pixel + 2, mask, other=1.0)
    steps = tl.load(depth + pixel, mask, other=0).to(tl.float32)
    hit = mask & (steps > 0)
    # Depth is along the axis of the camera, a range along the ray.
    reach = steps * step / tl.maximum(z, 1e-6)
    row = pose
    dx = tl.load(row) * x + tl.load(row + 1) * y + tl.load(row + 2) * z
    px = tl.load(row + 3) + dx * reach
    row += _POSE_ROW
    dy = tl.load(row) * x + tl.load(row + 1) * y + tl.load(row + 2) * z
    py = tl.load(row + 3) + dy * reach
    row += _POSE_ROW
    dz = tl.load(row) * x + tl.load(row + 1) * y + tl.load(row + 2) * z
    pz = tl.load(row + 3) + dz * reach
    tl.store(directions + 3 * i, dx, mask)
    tl.store(directions + 3 * i + 1, dy, mask)
    tl.store(directions + 3 * i + 2, dz, mask)
    none = tl.where(steps < 0, _UNKNOWN, _NO_RETURN)
    tl.store(ranges + i, tl.where(hit, reach, none), mask)
    # A return near a face of its block changes the block beyond too: both ends of the margin are
    # looked up.
    for side in tl.static_range(2):
        shift = margin * (2 * side - 1)
        at, inside = _cell(
            (px + shift) * per_m - low_x,
            (py + shift) * per_m - low_y,
            (pz + shift) * per_m - low_z,
            hit,
            bx,
            by,
            bz,
        )
        # Two rays of an image may both find 0 here, and write the same number.
        old = tl.load(flags + at, inside, other=1)
        tl.store(flags + at, number + 0 * old, inside & (old == 0))
