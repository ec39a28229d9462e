# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Inverse depth of a picture from others for NVIDIA GPUs: the costs in Triton.

Filter, planes and agreement are a few passes over images, which torch makes as fast.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.stereo_matching.reference import (
    BORDER,
    NEAREST_Z,
    UNSEEN_COST,
    SourceView,
    agreement,
    best_plane,
    coefficients_of,
    filtered_cost,
    median_of_25,
    warp,
)

__all__ = ["agreement", "best_plane", "filtered_cost", "matching_cost", "median_of_25"]

_BLOCK = 256


def matching_cost(
    grey: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    base: Float[Tensor, "h w"],
    offsets: Float[Tensor, " planes"],
    sources: Sequence[SourceView],
    dead_zone: float,
) -> Float[Tensor, "planes h w"]:
    """Compare a picture with others at planes of inverse depth, source by source; see the door."""
    planes, (height, width) = len(offsets), grey.shape
    grey, plane_xy, base = grey.contiguous(), plane_xy.contiguous(), base.contiguous()
    shape = (planes, height, width)
    warped, sees = (torch.empty(shape, device=grey.device) for _ in range(2))
    total, seen = (torch.zeros(shape, device=grey.device) for _ in range(2))
    grid = (triton.cdiv(height * width, _BLOCK), planes)
    for source in sources:
        if source.camera.distortion_model == "equidistant":
            warped, sees = warp(source, plane_xy, base + offsets[:, None, None])
        else:
            _warp(source, plane_xy, base, offsets, warped, sees, grid)
        _add_cost[grid](
            grey, warped, sees, total, seen, height, width, 1 / dead_zone, BLOCK=_BLOCK,
            num_warps=4,
        )  # fmt: skip
    return torch.where(seen > 0, total / seen.clamp(min=1), torch.full_like(total, UNSEEN_COST))


def _warp(
    source: SourceView,
    plane_xy: Tensor,
    base: Tensor,
    offsets: Tensor,
    warped: Tensor,
    sees: Tensor,
    grid: tuple[int, int],
) -> None:
    pinhole, _, k, is_bent, widest = coefficients_of(source.camera)
    _warp_plane[grid](
        plane_xy, base, offsets, source.source_from_reference.contiguous(),
        source.grey.contiguous(), source.usable.contiguous(), warped, sees, base.numel(),
        *source.grey.shape, *pinhole.tolist(), *k.tolist(), NEAREST_Z, BORDER, widest,
        IS_BENT=is_bent, BLOCK=_BLOCK, num_warps=4,
    )  # fmt: skip


@triton.jit
def _warp_plane(
    plane_xy, base, offsets, pose, grey, usable, warped, sees, pixels, source_height,
    source_width, fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, nearest_z,
    border, widest, IS_BENT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Look a source up where the pixels of the reference are in it on one plane."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1).to(tl.int64)
    mask = i < pixels
    x = tl.load(plane_xy + 2 * i, mask, other=0.0)
    y = tl.load(plane_xy + 2 * i + 1, mask, other=0.0)
    q = tl.load(base + i, mask, other=0.0) + tl.load(offsets + plane)
    sx = tl.load(pose) * x + tl.load(pose + 1) * y + tl.load(pose + 2) + q * tl.load(pose + 3)
    sy = tl.load(pose + 4) * x + tl.load(pose + 5) * y + tl.load(pose + 6) + q * tl.load(pose + 7)
    z = tl.load(pose + 8) * x + tl.load(pose + 9) * y + tl.load(pose + 10) + q * tl.load(pose + 11)
    inverse = 1.0 / tl.maximum(z, nearest_z)
    sx, sy = sx * inverse, sy * inverse
    if IS_BENT:
        is_met = sx * sx + sy * sy <= widest
        sx, sy = tl.where(is_met, sx, 0.0), tl.where(is_met, sy, 0.0)
        r2 = sx * sx + sy * sy
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        bent_x = sx * radial + 2 * p1 * sx * sy + p2 * (r2 + 2 * sx * sx) + r2 * (s1 + r2 * s2)
        bent_y = sy * radial + p1 * (r2 + 2 * sy * sy) + 2 * p2 * sx * sy + r2 * (s3 + r2 * s4)
        sx, sy = bent_x, bent_y
        z = tl.where(is_met, z, 0.0)
    u, v = fx * sx + cx - 0.5, fy * sy + cy - 0.5
    inside = mask & (z > nearest_z) & (u > -0.5) & (v > -0.5)
    inside = inside & (u < source_width - 0.5) & (v < source_height - 0.5)
    u = tl.minimum(tl.maximum(u, 0.0), source_width - border)
    v = tl.minimum(tl.maximum(v, 0.0), source_height - border)
    left, top = u.to(tl.int32), v.to(tl.int32)
    fu, fv = u - left.to(tl.float32), v - top.to(tl.float32)
    at = top * source_width + left
    a = tl.load(grey + at, mask, other=0.0)
    b = tl.load(grey + at + 1, mask, other=0.0)
    c = tl.load(grey + at + source_width, mask, other=0.0)
    d = tl.load(grey + at + source_width + 1, mask, other=0.0)
    upper, lower = a + fu * (b - a), c + fu * (d - c)
    out = plane * pixels + i
    tl.store(warped + out, upper + fv * (lower - upper), mask)
    tl.store(sees + out, tl.load(usable + at, inside, other=0.0), mask)


@triton.jit
def _add_cost(grey, warped, sees, total, seen, height, width, sharpness, BLOCK: tl.constexpr):
    """Add the difference of the census of one source on one plane; 16 pixels 2 apart."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1).to(tl.int64) * height * width
    mask = i < height * width
    y, x = i // width, i % width
    ours = tl.load(grey + i, mask, other=0.0)
    theirs = tl.load(warped + plane + i, mask, other=0.0)
    difference = tl.zeros((BLOCK,), tl.float32)
    for pair in range(16):
        row = tl.minimum(tl.maximum(y + (pair // 4) * 2 - 3, 0), height - 1)
        column = tl.minimum(tl.maximum(x + (pair % 4) * 2 - 3, 0), width - 1)
        at = row * width + column
        one = (tl.load(grey + at, mask, other=0.0) - ours) * sharpness
        other = (tl.load(warped + plane + at, mask, other=0.0) - theirs) * sharpness
        one = tl.minimum(tl.maximum(one, -1.0), 1.0)
        other = tl.minimum(tl.maximum(other, -1.0), 1.0)
        difference += tl.abs(one - other)
    weight = tl.load(sees + plane + i, mask, other=0.0)
    before = tl.load(total + plane + i, mask, other=0.0)
    tl.store(total + plane + i, before + difference * weight / 32, mask)
    tl.store(seen + plane + i, tl.load(seen + plane + i, mask, other=0.0) + weight, mask)
