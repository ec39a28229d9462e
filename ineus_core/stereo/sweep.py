# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The plane sweep from coarse to fine: all depths in a small picture, then around what was found.

On finer levels the planes follow the surface that the coarser one has found, so that slanted
surfaces are compared as they are, and a few planes are enough.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ineus_core.kernels.stereo_matching import (
    best_plane,
    filtered_cost,
    matching_cost,
    median_of_25,
)
from ineus_core.stereo.config import StereoConfig
from ineus_core.stereo.view import MeasuredDepth, StereoView

_EDGE_GREY = 8.0
"""Contrast that the filter of the costs keeps."""
_COARSEST_RADIUS_PX, _RADIUS_PX = 2, 4
_REFINING_PLANES = 9
_LAST_PLANES = 5
"""Planes of the second sweep in the finest picture, around the surface of the first."""
_SAMPLE = 256
_CLEAR_MARGIN = 0.03
"""Margin above which a pixel speaks for the depth of the scene."""


def sweep(
    reference: StereoView,
    sources: Sequence[StereoView],
    nearest: float,
    config: StereoConfig,
    levels: int = 0,
) -> MeasuredDepth:
    """Measure the inverse depth of a view by its sources.

    Args:
        sources: At least one.
        nearest: Inverse depth of the nearest surface, 1/m; the farthest is at infinity.
        levels: Sizes of the picture that are used, the coarsest first; 0: all.
    """
    coarsest = len(reference.levels) - 1
    device = reference.levels[0].grey.device
    step = nearest / (config.planes - 1)
    offsets = torch.arange(config.planes, device=device) * step
    base = torch.zeros_like(reference.levels[coarsest].grey)
    q, cost, coarse_margin = _match(reference, sources, coarsest, base, offsets, config)
    margin = coarse_margin
    passes = [(level, _REFINING_PLANES) for level in range(coarsest - 1, -1, -1)]
    passes = [*passes, (0, _LAST_PLANES)][: levels - 1 if levels else None]
    for number, (level, planes) in enumerate(passes):
        if number == 0 or level != passes[number - 1][0]:
            step /= 2
        offsets = (torch.arange(planes, device=device) - planes // 2) * step
        size = reference.levels[level].grey.shape
        base = _resized(median_of_25(q), size)
        q, cost, _ = _match(reference, sources, level, base, offsets, config)
        margin = _resized(coarse_margin, size)
    q = q * (q > 0)
    at = reference.levels[passes[-1][0] if passes else coarsest]
    return MeasuredDepth(
        q * at.usable,
        cost,
        margin,
        _pixel_step(reference, sources),
        _sample_m(q, margin, at.plane_xy),
    )


def _match(
    reference: StereoView,
    sources: Sequence[StereoView],
    level: int,
    base: Float[Tensor, "h w"],
    offsets: Float[Tensor, " planes"],
    config: StereoConfig,
) -> tuple[Tensor, Tensor, Tensor]:
    """Inverse depth, cost and margin on one level."""
    at = reference.levels[level]
    views = [source.as_source_of(reference, level) for source in sources]
    costs = matching_cost(at.grey, at.plane_xy, base, offsets, views, config.noise_grey)
    is_coarsest = level == len(reference.levels) - 1
    radius_px = _COARSEST_RADIUS_PX if is_coarsest else _RADIUS_PX
    best = best_plane(filtered_cost(costs, at.grey, radius_px, _EDGE_GREY))
    step = offsets[1] - offsets[0]
    return base + offsets[0] + best.index * step, best.cost, best.margin


def _resized(image: Float[Tensor, "h w"], size: tuple[int, ...]) -> Float[Tensor, "h2 w2"]:
    if tuple(image.shape) == tuple(size):
        return image
    return functional.interpolate(image[None, None], tuple(size), mode="bilinear")[0, 0]


def _pixel_step(reference: StereoView, sources: Sequence[StereoView]) -> float:
    offsets = [source.position_m - reference.position_m for source in sources]
    baseline = float(np.sqrt(np.mean([offset @ offset for offset in offsets])))
    return 1 / (min(reference.camera.fx, reference.camera.fy) * max(baseline, 1e-9))


def _sample_m(q: Tensor, margin: Tensor, plane_xy: Tensor) -> Float[np.ndarray, "n 3"]:
    """Choose points whose depth is clear, evenly from all over the picture."""
    at = (q > 0) & (margin > _CLEAR_MARGIN)
    index = at.flatten().nonzero()[:, 0]
    index = index[:: max(1, len(index) // _SAMPLE)][:_SAMPLE]
    xy = plane_xy.reshape(-1, 2)[index]
    points = functional.pad(xy, (0, 1), value=1.0) / q.flatten()[index, None]
    return points.double().cpu().numpy()
