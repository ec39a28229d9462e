# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the newest keyframe tells of returns whose keyframes are not held any more."""

import numpy as np
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
from ineus_core.kernels.voxel_evidence import DepthView


def told_of(view: DepthView, points: Float[Tensor, "n 3"]) -> Int8[Tensor, " n"]:
    """Return for points what `compare_depth` returns for pixels, on the device of the points."""
    height_px, width_px = view.depth_m.shape
    motion = _there(view.camera_from_world.astype(np.float32), points.device)
    x, y, z = (points @ motion[:3, :3].T + motion[:3, 3]).unbind(1)
    fx, fy, cx, cy = view.intrinsics
    is_ahead = z > NEAREST_M
    depth = z.clamp(min=NEAREST_M)
    u, v = fx * x / depth + cx, fy * y / depth + cy
    inside = is_ahead & (u >= 0) & (v >= 0) & (u < width_px) & (v < height_px)
    pixel = v.clamp(0, height_px - 1).long() * width_px + u.clamp(0, width_px - 1).long()
    there_m, nearest_m = (
        _there(plane, points.device).reshape(-1)[pixel] for plane in (view.depth_m, view.nearest_m)
    )
    tolerance_m = view.tolerance_m + view.tolerance_per_m * depth**2
    shows = inside & (there_m > 0) & ((there_m - depth).abs() <= tolerance_m)
    through = inside & ~shows & (nearest_m > depth + tolerance_m)
    nothing = torch.full_like(pixel, TELLS_NOTHING)
    return (nothing + SHOWS * shows + LOOKS_THROUGH * through).to(torch.int8)


def _there(on_host: Float[np.ndarray, "..."], device: torch.device) -> Tensor:
    """Return an array on a device, without waiting for what the device has to do before."""
    there = torch.empty(on_host.shape, dtype=torch.float32, device=device)
    write_to(there, on_host)
    return there
