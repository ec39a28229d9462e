# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the newest keyframe tells of returns whose keyframes are not held any more."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from ineus_core.kernels.depth_comparison import (
    LOOKS_THROUGH,
    NEAREST_M,
    SHOWS,
    TELLS_NOTHING,
)
from ineus_core.kernels.host_copy import write_to


@dataclass(frozen=True)
class DepthWitness:
    """Depth of one keyframe that tells of points."""

    depth_m: Float[Tensor, "h w"]
    """0 where there is no return."""
    nearest_m: Float[Tensor, "h w"]
    """The least in and around a pixel; 0 where any return is missing."""
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy."""
    camera_from_world: Float[Tensor, "4 4"]
    tolerance_m: float
    tolerance_per_m: float


def told_of(witness: DepthWitness, points: Float[Tensor, "n 3"]) -> Int8[Tensor, " n"]:
    """Return for points what `compare_depth` returns for pixels, on the device of the points."""
    height_px, width_px = witness.depth_m.shape
    motion = _there(witness.camera_from_world.float(), points.device)
    x, y, z = (points @ motion[:3, :3].T + motion[:3, 3]).unbind(1)
    fx, fy, cx, cy = witness.intrinsics
    is_ahead = z > NEAREST_M
    depth = z.clamp(min=NEAREST_M)
    u, v = fx * x / depth + cx, fy * y / depth + cy
    inside = is_ahead & (u >= 0) & (v >= 0) & (u < width_px) & (v < height_px)
    pixel = v.clamp(0, height_px - 1).long() * width_px + u.clamp(0, width_px - 1).long()
    there_m, nearest_m = (
        _there(plane, points.device).reshape(-1)[pixel]
        for plane in (witness.depth_m, witness.nearest_m)
    )
    tolerance_m = witness.tolerance_m + witness.tolerance_per_m * depth**2
    shows = inside & (there_m > 0) & ((there_m - depth).abs() <= tolerance_m)
    through = inside & ~shows & (nearest_m > depth + tolerance_m)
    nothing = torch.full_like(pixel, TELLS_NOTHING)
    return (nothing + SHOWS * shows + LOOKS_THROUGH * through).to(torch.int8)


def _there(on_host: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, without waiting for what the device has to do before."""
    there = torch.empty(on_host.shape, dtype=on_host.dtype, device=device)
    write_to(there, on_host.numpy())
    return there
