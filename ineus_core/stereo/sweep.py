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

from ineus_core.kernels.host_copy import HostCopy
from ineus_core.kernels.stereo_matching import (
    Planes,
    SourceView,
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
_ROUGH = 0.05
_SAMPLE_SIDE = 16
"""The picture is divided in so many cells each way, and the clearest point of each is a sample."""
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
    views = [source.as_source_of(reference) for source in sources]
    # Even in inverse depth, and so in pixels.
    step = nearest / (config.planes - 1)
    base = torch.zeros_like(reference.levels[coarsest].grey)
    all_depths = Planes(0.0, step, config.planes)
    q, cost, coarse_margin = _match(reference, views, coarsest, base, all_depths, config)
    margin = coarse_margin
    passes = [(level, _REFINING_PLANES) for level in range(coarsest - 1, -1, -1)]
    passes = [*passes, (0, _LAST_PLANES)][: levels - 1 if levels else None]
    for number, (level, planes) in enumerate(passes):
        if number == 0 or level != passes[number - 1][0]:
            # Each size has twice as many pixels to tell depths by.
            step /= 2
        around = Planes(-(planes // 2) * step, step, planes)
        size = reference.levels[level].grey.shape
        # The median, as a pixel that went wrong would lead the finer level astray.
        base = _resized(median_of_25(q), size)
        q, cost, _ = _match(reference, views, level, base, around, config)
        # Of the coarsest level, the only one that has compared all depths.
        margin = _resized(coarse_margin, size)
    # Behind infinity there is nothing.
    q = q * (q > 0)
    roughness = ((q - median_of_25(q)).abs() / q.clamp(min=1e-12)).clamp(max=_ROUGH) / _ROUGH
    at = reference.levels[passes[-1][0] if passes else coarsest]
    return MeasuredDepth(
        q * at.usable,
        cost,
        margin,
        roughness,
        _pixel_step(reference, sources),
        # On its way while the device goes on: it is asked for when the next keyframe comes.
        HostCopy(clear_points(q, margin, at.plane_xy)),
    )


def _match(
    reference: StereoView,
    views: Sequence[Sequence[SourceView]],
    level: int,
    base: Float[Tensor, "h w"],
    planes: Planes,
    config: StereoConfig,
) -> tuple[Tensor, Tensor, Tensor]:
    """Inverse depth, cost and margin on one level."""
    at = reference.levels[level]
    # A smaller picture may have fewer sizes.
    sources = [of_all_sizes[min(level, len(of_all_sizes) - 1)] for of_all_sizes in views]
    is_coarsest = level == len(reference.levels) - 1
    costs = matching_cost(at.grey, at.plane_xy, base, planes, sources, config.noise_grey)
    radius_px = _COARSEST_RADIUS_PX if is_coarsest else _RADIUS_PX
    best = best_plane(filtered_cost(costs, at.grey, radius_px, _EDGE_GREY))
    return base + planes.first + best.index * planes.step, best.cost, best.margin


def _resized(image: Float[Tensor, "h w"], size: tuple[int, ...]) -> Float[Tensor, "h2 w2"]:
    if tuple(image.shape) == tuple(size):
        return image
    return functional.interpolate(image[None, None], tuple(size), mode="bilinear")[0, 0]


def _pixel_step(reference: StereoView, sources: Sequence[StereoView]) -> float:
    offsets = [source.position_m - reference.position_m for source in sources]
    baseline = float(np.sqrt(np.mean([offset @ offset for offset in offsets])))
    return 1 / (min(reference.camera.fx, reference.camera.fy) * max(baseline, 1e-9))


def clear_points(
    q: Float[Tensor, "h w"], margin: Float[Tensor, "h w"], plane_xy: Float[Tensor, "h w 2"]
) -> Float[Tensor, "n 4"]:
    """Choose points whose depth is clear, evenly from all over the picture; 1 behind each."""
    margin = torch.where(q > 0, margin, -1.0)
    clearest, index = functional.adaptive_max_pool2d(
        margin[None], _SAMPLE_SIDE, return_indices=True
    )
    index = index.flatten()
    xy = plane_xy.reshape(-1, 2)[index]
    points = functional.pad(xy, (0, 1), value=1.0) / q.flatten()[index, None].clamp(min=1e-12)
    is_clear = clearest.view(-1, 1) > _CLEAR_MARGIN
    return torch.cat((points, is_clear.float()), dim=1)
