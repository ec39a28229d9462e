# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The chance that a depth from motion is right, from what can be seen of it without the truth."""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.stereo_matching import Agreement
from ineus_core.stereo.view import MeasuredDepth

_BIAS = 1.64
_WEIGHTS = (2.57, -1.41, 0.14, -2.33, -0.74, -1.42)
"""Of a logistic regression against true depth, over rooms and houses with and without noise of two
grey levels, at once and for good, each set of the same weight. `benchmarks/depth_from_motion.py`
prints how true it is."""


def confidence_of(measured: MeasuredDepth, result: Agreement, others: int) -> Float[Tensor, "h w"]:
    """Return the chance that a depth is within 2 % of the truth."""
    features = features_of(measured, result, others)
    logit = _BIAS + (features * features.new_tensor(_WEIGHTS)).sum(dim=-1)
    return torch.sigmoid(logit)


def features_of(measured: MeasuredDepth, result: Agreement, others: int) -> Float[Tensor, "h w 6"]:
    """Return what speaks for a depth: 0 to about 1 each."""
    relative_step = measured.pixel_step / result.inverse_depth.clamp(min=1e-12)
    return torch.stack(
        (
            result.agreeing.clamp(max=4) / 4,
            result.against.clamp(max=4) / 4,
            measured.margin.clamp(0, 0.2) * 5,
            measured.cost.clamp(0, 0.5) * 2,
            result.spread.clamp(max=0.02) * 50,
            relative_step.clamp(max=0.2) * 5,
        ),
        dim=-1,
    )
