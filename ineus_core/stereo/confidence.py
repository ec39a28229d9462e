# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The chance that a depth from motion is right, from what can be seen of it without the truth."""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.stereo_matching import Agreement
from ineus_core.stereo.view import MeasuredDepth

_BIAS = -0.02
_WEIGHTS = (2.58, -0.95, 0.60, -2.06, -0.29, -1.01, 1.44)
"""Of a logistic regression against true depth, or a sensor's, each set of the same weight: rooms
and houses as they are, with noise of two grey levels, with poses off by 2 mm and 0.1 degrees; a
shelf, a kitchen; at once and for good. `benchmarks/depth_from_motion.py` says how true it is."""
_AGREED = 2
"""Views that make a pixel count as agreed upon."""


def confidence_of(measured: MeasuredDepth, result: Agreement, others: int) -> Float[Tensor, "h w"]:
    """Return the chance that a depth is within 2 % of the truth."""
    features = features_of(measured, result, others)
    logit = _BIAS + features @ _weights(features.device)
    return torch.sigmoid(logit)


@functools.lru_cache(maxsize=4)
def _weights(device: torch.device) -> Float[Tensor, " 7"]:
    """Kept, as a copy to a device waits for what that does."""
    return torch.tensor(_WEIGHTS, device=device)


def features_of(measured: MeasuredDepth, result: Agreement, others: int) -> Float[Tensor, "h w 7"]:
    """Return what speaks for a depth: 0 to about 1 each."""
    # A common error of the poses shows in how little of a picture others agree with.
    agreed = ((result.agreeing >= _AGREED) & (measured.inverse_depth > 0)).float().mean()
    relative_step = measured.pixel_step / result.inverse_depth.clamp(min=1e-12)
    return torch.stack(
        (
            result.agreeing.clamp(max=4) / 4,
            result.against.clamp(max=4) / 4,
            measured.margin.clamp(0, 0.2) * 5,
            measured.cost.clamp(0, 0.5) * 2,
            result.spread.clamp(max=0.02) * 50,
            relative_step.clamp(max=0.2) * 5,
            agreed.expand_as(measured.cost),
        ),
        dim=-1,
    )
