# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Opacity of NeuS intervals and their compositing along packed rays, in plain torch."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.types import RaySamples

_EPSILON = 1e-5


def neus_alpha(
    sdf: Float[Tensor, "*batch"],
    cos_incidence: Float[Tensor, "*batch"],
    dt: Float[Tensor, "*batch"],
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
    valid: Bool[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Opacity of each interval from its midpoint SDF (NeuS, eq. 13).

    Args:
        cos_incidence: Ray direction dot surface normal; negative where the ray enters.
        inv_s: Sharpness of the logistic CDF, in 1/m.
        cos_anneal: 0 ignores the normal half, which lets wrong surfaces move early; 1 is the
            exact formula.
    """
    slope = -(
        torch.relu(0.5 - 0.5 * cos_incidence) * (1.0 - cos_anneal)
        + torch.relu(-cos_incidence) * cos_anneal
    )
    half_step = 0.5 * slope * dt
    cdf_near = torch.sigmoid((sdf - half_step) * inv_s)
    cdf_far = torch.sigmoid((sdf + half_step) * inv_s)
    alpha = (cdf_near - cdf_far + _EPSILON) / (cdf_near + _EPSILON)
    # Masking by value, not by index, keeps the shape static for CUDA-graph capture.
    return torch.where(valid, alpha.clamp(0.0, 1.0), torch.zeros_like(alpha))


def density_alpha(
    density: Float[Tensor, "*batch"],
    dt: Float[Tensor, "*batch"],
    valid: Bool[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Opacity of each interval of constant density (NeRF, eq. 3)."""
    alpha = -torch.expm1(-density * dt)
    return torch.where(valid, alpha, torch.zeros_like(alpha))


def transmittance_weights(
    alpha: Float[Tensor, " samples"], samples: RaySamples
) -> Float[Tensor, " samples"]:
    """Share of its ray's light that each interval gives.

    This is alpha times what the nearer intervals let through.
    """
    # Differences of a running sum over all rays need more digits than float32 has.
    log_clear = torch.log1p(-alpha.double().clamp(max=1.0 - 1e-7))
    before = torch.cumsum(log_clear, dim=0) - log_clear
    # A ray without samples may begin behind the last one.
    ray_start = before[samples.first.clamp(max=len(alpha) - 1)]
    weights = alpha * torch.exp(before - ray_start[samples.ray_index]).to(alpha.dtype)
    return torch.where(samples.valid, weights, torch.zeros_like(weights))


def accumulate(
    weights: Float[Tensor, " samples"],
    values: Float[Tensor, "samples channels"],
    ray_index: Int[Tensor, " samples"],
    rays: int,
) -> Float[Tensor, "rays channels"]:
    """Weighted sum of the values of each ray's samples."""
    total = torch.zeros((rays, values.shape[1]), dtype=values.dtype, device=values.device)
    return total.index_add(0, ray_index, weights[:, None] * values)
