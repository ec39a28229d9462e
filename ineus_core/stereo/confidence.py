# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The chance that a depth from motion is right, from what can be seen of it without the truth."""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.stereo_matching import Agreement, mean_around
from ineus_core.stereo.view import MeasuredDepth

_BIAS = -1.50
_WEIGHTS = (0.51, 2.01, 0.79, -1.24, -2.19, -2.08, 1.12, 0.43, 1.62)
"""Of a logistic regression against true depth, or a sensor's, each set of the same weight: rooms
and houses as they are, with noise of two grey levels, with poses off by 2 mm and 0.1 degrees; a
shelf, a kitchen. `benchmarks/depth_from_motion.py` says how true it is on others."""
_CLEAR_MARGIN = 0.03
"""Margin above which the depth of a pixel is clear from the pictures alone."""
_SUPPORT_PX = 4
"""Reach of the square in which others agree or do not."""


def confidence_of(measured: MeasuredDepth, result: Agreement) -> Float[Tensor, "h w"]:
    """Return the chance that a depth is within 2 % of the truth."""
    features = features_of(measured, result)
    return torch.sigmoid(_BIAS + features @ _weights(features.device))


@functools.lru_cache(maxsize=4)
def _weights(device: torch.device) -> Float[Tensor, " 9"]:
    """Kept, as a copy to a device waits for what that does."""
    return torch.tensor(_WEIGHTS, device=device)


def features_of(measured: MeasuredDepth, result: Agreement) -> Float[Tensor, "h w 9"]:
    """Return what speaks for a depth: 0 to about 1 each."""
    q = measured.inverse_depth
    ratio = result.agreeing / result.seen.clamp(min=1)
    # Where the pictures are clear and others still do not agree, poses are off: all counts less.
    clear = (measured.margin > _CLEAR_MARGIN) & (result.seen >= 2)
    rate = (ratio * clear).sum() / clear.sum().clamp(min=1)
    support = mean_around(((result.agreeing >= 1) & (q > 0)).float()[None], _SUPPORT_PX)[0]
    relative_step = measured.pixel_step / result.inverse_depth.clamp(min=1e-12)
    return torch.stack(
        (
            result.agreeing.clamp(max=4) / 4,
            ratio,
            # Bounded, as a logistic regression follows what is far out.
            measured.margin.clamp(0, 0.2) * 5,
            measured.cost.clamp(0, 0.5) * 2,
            relative_step.clamp(max=0.2) * 5,
            measured.roughness,
            support,
            rate.expand_as(q),
            support * rate,
        ),
        dim=-1,
    )
