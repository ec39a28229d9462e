# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Terms of the loss that say what surfaces and opacities are like, apart from what a pixel saw."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.compositing import accumulate
from ineus_core.types import RaySamples

_LEAST_OPACITY = 1e-3


def masked_mean(values: Float[Tensor, "*n"], mask: Bool[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Mean over the masked entries; 0 where there is none."""
    # By value, not by index: shapes stay static, and nobody waits for their number.
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


def mask_error(
    opacity: Float[Tensor, " rays"],
    foreground: Float[Tensor, " rays"],
    valid: Bool[Tensor, " rays"],
) -> Float[Tensor, ""]:
    """Cross entropy of the opacity where it is known whether there is an object (foreground >= 0).

    The opacity stays away from 0 and 1, where the logarithm has no bound.
    """
    known = valid & (foreground >= 0)
    return masked_mean(_cross_entropy(_inner(opacity), foreground.clamp(0, 1)), known)


def opaque_error(
    opacity: Float[Tensor, " rays"], valid: Bool[Tensor, " rays"]
) -> Float[Tensor, ""]:
    """Entropy of the opacity: a ray should meet a surface or nothing."""
    inner = _inner(opacity)
    return masked_mean(_cross_entropy(inner, inner), valid)


def sparsity_error(
    sdf: Float[Tensor, " samples"], valid: Bool[Tensor, " samples"], per_m: float
) -> Float[Tensor, ""]:
    """exp(-s |sdf|): surface where no ray asks for any."""
    return masked_mean(torch.exp(-per_m * sdf.abs()), valid)


def curvature_error(
    laplacian: Float[Tensor, " samples"], valid: Bool[Tensor, " samples"]
) -> Float[Tensor, ""]:
    """Mean of |laplacian| (Neuralangelo, eq. 6)."""
    return masked_mean(laplacian.abs(), valid)


def distortion_error(
    weights: Float[Tensor, " samples"],
    samples: RaySamples,
    valid: Bool[Tensor, " rays"],
) -> Float[Tensor, ""]:
    """Measure how far apart along a ray its weights lie (Mip-NeRF 360, eq. 15), mean over rays.

    The sum over pairs is a running sum, as the samples of a ray are in order (Sun et al. 2022).
    """
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)
    dt = samples.t_ends - samples.t_starts
    before, t_before = _sums_before(weights, samples), _sums_before(weights * t_mid, samples)
    pairs = 2.0 * weights * (t_mid * before - t_before)
    each = pairs + weights.square() * dt / 3.0
    ones = torch.ones_like(weights)
    per_ray = accumulate(ones, each[:, None], samples.ray_index, len(samples.first))[:, 0]
    return masked_mean(per_ray, valid & (samples.count > 0))


def _sums_before(
    values: Float[Tensor, " samples"], samples: RaySamples
) -> Float[Tensor, " samples"]:
    """Sum of the values of a ray's nearer samples."""
    # Differences of a running sum over all rays need more digits than float32 has.
    before = torch.cumsum(values.double(), dim=0) - values
    # On a GPU the gradient of a selection is a sum, that of an index a sort before it.
    at_start = before.index_select(0, samples.first.clamp(max=max(len(values) - 1, 0)))
    return (before - at_start.index_select(0, samples.ray_index)).to(values.dtype)


def _inner(opacity: Float[Tensor, " rays"]) -> Float[Tensor, " rays"]:
    return opacity.clamp(_LEAST_OPACITY, 1.0 - _LEAST_OPACITY)


def _cross_entropy(
    found: Float[Tensor, " rays"], wanted: Float[Tensor, " rays"]
) -> Float[Tensor, " rays"]:
    # log1p keeps the digits of opacities near 0.
    return -(wanted * torch.log(found) + (1.0 - wanted) * torch.log1p(-found))
