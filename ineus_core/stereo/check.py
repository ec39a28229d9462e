# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is left of a measured depth when other views are asked: fused depth with confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ineus_core.kernels.stereo_matching import SourceDepth, agreement
from ineus_core.stereo.confidence import confidence_of
from ineus_core.stereo.config import StereoConfig
from ineus_core.stereo.view import MeasuredDepth, StereoView

_LEAST_TOLERANCE, _MOST_TOLERANCE = 0.004, 0.02
"""Shares of the depth between which views may differ, whatever their baselines."""
_STEEPEST, _LEAST_STEP = 3.5, 0.018
"""Tangent of the largest angle between a ray and the normal of a surface, here of 74 degrees, and
share of the depth that may lie between neighbours anyway, as pixels may be finer than errors."""
_NORMAL_REACH_PX = 2
_BEND = 0.03
"""Share of the depth by which four neighbours of a smooth surface may bend."""


@dataclass(frozen=True)
class CheckedDepth:
    """Depth that other views agree with."""

    depth: Float[Tensor, "h w"]
    """Along the optical axis; 0 where too few agree."""
    confidence: Float[Tensor, "h w"]
    """Chance that the depth is right within 2 %; 0 where there is none."""


def check(view: StereoView, others: Sequence[StereoView], config: StereoConfig) -> CheckedDepth:
    """Keep of a measured depth what other views have found as well.

    Args:
        others: Measured, too.
    """
    measured = _measured(view)
    found = []
    for other in others:
        theirs = _measured(other)
        # The coarser of the two decides how well they can agree.
        step = max(measured.pixel_step, theirs.pixel_step)
        tolerance = config.tolerance_px * step
        weight = (measured.pixel_step / theirs.pixel_step) ** 2
        at = other.from_(view)
        found.append(SourceDepth(theirs.inverse_depth, other.camera, at, tolerance, weight))
    plane_xy = view.levels[0].plane_xy
    result = agreement(measured.inverse_depth, plane_xy, found, _LEAST_TOLERANCE, _MOST_TOLERANCE)
    focal_px = min(view.camera.fx, view.camera.fy)
    kept = (result.agreeing >= config.min_agreeing) & ~is_ramp(measured.inverse_depth, focal_px)
    depth = torch.where(kept, 1 / result.inverse_depth.clamp(min=1e-12), 0.0)
    confidence = torch.where(kept, confidence_of(measured, result), 0.0)
    return CheckedDepth(depth, confidence)


def _measured(view: StereoView) -> MeasuredDepth:
    assert view.measured is not None
    return view.measured


def is_ramp(inverse_depth: Float[Tensor, "h w"], focal_px: float) -> Bool[Tensor, "h w"]:
    """Tell which pixels lie steeply between one that is nearer and one that is farther.

    The windows of the matching make ramps of edges, and what lies on them is in the air. The rim
    of a thing has nothing nearer beside it, and stays.

    Args:
        inverse_depth: 0 where there is none.
        focal_px: The smaller one of the camera.
    """
    apart = 1 + max(_LEAST_STEP, _STEEPEST / focal_px)
    nearest = functional.max_pool2d(inverse_depth[None], 3, 1, 1)[0]
    known = torch.where(inverse_depth > 0, inverse_depth, torch.inf)
    farthest = -functional.max_pool2d(-known[None], 3, 1, 1)[0]
    return (nearest > apart * inverse_depth) & (inverse_depth > apart * farthest)


def normals_of(
    depth: Float[Tensor, "h w"], plane_xy: Float[Tensor, "h w 2"]
) -> Float[Tensor, "h w 3"]:
    """Return normals in the camera frame, towards the camera; 0 across an edge or a hole."""
    points = functional.pad(plane_xy, (0, 1), value=1.0) * depth[..., None]
    reach = _NORMAL_REACH_PX
    # With zeros, which count as holes: there is no normal at the border.
    padded = functional.pad(points.permute(2, 0, 1), (reach,) * 4).permute(1, 2, 0)
    left, right = padded[reach:-reach, : -2 * reach], padded[reach:-reach, 2 * reach :]
    above, below = padded[: -2 * reach, reach:-reach], padded[2 * reach :, reach:-reach]
    normal = torch.linalg.cross(below - above, right - left)
    around = torch.stack([side[..., 2] for side in (left, right, above, below)])
    bend = torch.maximum(
        (around[0] + around[1] - 2 * depth).abs(), (around[2] + around[3] - 2 * depth).abs()
    )
    is_smooth = (around.amin(dim=0) > 0) & (depth > 0) & (bend < _BEND * depth)
    return functional.normalize(normal, dim=-1, eps=1e-20) * is_smooth[..., None]
