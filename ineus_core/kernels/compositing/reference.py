# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Opacity of intervals, of NeuS or of a density, and compositing of rays, in plain torch."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.types import FieldOutput, RaySamples, RenderedRays

# As in the code of NeuS.
_EPSILON = 1e-5


def neus_alpha(
    sdf: Float[Tensor, "*batch"],
    cos_incidence: Float[Tensor, "*batch"],
    dt: Float[Tensor, "*batch"],
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
    valid: Bool[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Return the opacity of each interval from its midpoint SDF (NeuS, eq. 13).

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
    # Far behind a surface both are 0, and nothing is to be divided by nothing.
    alpha = (cdf_near - cdf_far + _EPSILON) / (cdf_near + _EPSILON)
    # Masking by value, not by index, keeps the shape static for CUDA-graph capture.
    return torch.where(valid, alpha.clamp(0.0, 1.0), torch.zeros_like(alpha))


def density_alpha(
    density: Float[Tensor, "*batch"],
    dt: Float[Tensor, "*batch"],
    valid: Bool[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Return the opacity of each interval of constant density in 1/m (NeRF, eq. 3)."""
    # Not 1 - exp, which is 0 in float32 for thin air.
    alpha = -torch.expm1(-density * dt)
    return torch.where(valid, alpha, torch.zeros_like(alpha))


def transmittance_weights(
    alpha: Float[Tensor, " samples"], samples: RaySamples
) -> Float[Tensor, " samples"]:
    """Return the share of its ray's light that each interval gives.

    This is alpha times what the nearer intervals let through.
    """
    # Differences of a running sum over all rays need more digits than float32 has.
    log_clear = torch.log1p(-alpha.double().clamp(max=1.0 - 1e-7))
    before = torch.cumsum(log_clear, dim=0) - log_clear
    # A ray without samples may begin behind the last one.
    ray_start = before.index_select(0, samples.first.clamp(max=len(alpha) - 1))
    log_reached = before - ray_start.index_select(0, samples.ray_index)
    weights = alpha * torch.exp(log_reached).to(alpha.dtype)
    return torch.where(samples.valid, weights, torch.zeros_like(weights))


def accumulate(
    weights: Float[Tensor, " samples"],
    values: Float[Tensor, "samples channels"],
    ray_index: Int[Tensor, " samples"],
    rays: int,
) -> Float[Tensor, "rays channels"]:
    """Return the weighted sum of the values of each ray's samples."""
    # A sum by index: rays have unlike numbers of samples, which a matrix would pad.
    total = torch.zeros((rays, values.shape[1]), dtype=values.dtype, device=values.device)
    return total.index_add(0, ray_index, weights[:, None] * values)


def render_rays(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
) -> RenderedRays:
    """Composite colour, range, normal and opacity of each ray; differentiable."""
    # The unit normal, as a gradient that has not the length 1 yet must not steepen alpha.
    normal = torch.nn.functional.normalize(output.gradient, dim=1, eps=1e-6)
    dt = samples.t_ends - samples.t_starts
    if output.density is not None:
        alpha = density_alpha(output.density, dt, samples.valid)
    else:
        cos_incidence = (directions[samples.ray_index] * normal).sum(dim=1)
        alpha = neus_alpha(output.sdf, cos_incidence, dt, inv_s, cos_anneal, samples.valid)
    weights = transmittance_weights(alpha, samples)
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)
    values = torch.cat(
        (output.rgb, t_mid[:, None], normal, torch.ones_like(t_mid)[:, None]), dim=1
    )
    total = accumulate(weights, values, samples.ray_index, len(directions))
    return RenderedRays(total[:, :3], total[:, 3], total[:, 4:7], total[:, 7], weights)
