# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Volume rendering of a field along packed samples, by the opacity of NeuS or of a density."""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.compositing.reference import (
    accumulate,
    density_alpha,
    neus_alpha,
    transmittance_weights,
)
from ineus_core.types import FieldOutput, RaySamples, RenderedRays


def render_rays(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
) -> RenderedRays:
    """Composite colour, range, normal and opacity of each ray; differentiable."""
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
