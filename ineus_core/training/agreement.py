# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far the gradients of the step on kernels are from those of plain torch."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ineus_core.rendering import render_rays
from ineus_core.training.losses import loss_terms
from ineus_core.types import RayBatch, RaySamples

if TYPE_CHECKING:
    from ineus_core.training.graph_step import GraphStep

_HAS_DEPTH = 3


def gradient_errors(step: "GraphStep") -> dict[str, float]:
    """Relative difference by parameter, on the same rays and samples, and that of the losses.

    Nothing is updated.
    """
    ours, batch, samples, losses = step.gradients_once()
    rays = RayBatch(
        origins=batch.origins,
        directions=batch.directions,
        rgb=batch.rgb,
        range_m=batch.range_m,
        normal=batch.normal,
        has_depth=batch.kind == _HAS_DEPTH,
        valid=batch.kind > 0,
    )
    packed = RaySamples(
        t_starts=samples.t_starts,
        t_ends=samples.t_ends,
        ray_index=samples.ray_index.long(),
        valid=samples.valid,
        first=samples.first.long(),
        count=samples.count.long(),
    )
    field = step.field
    t_mid = 0.5 * (packed.t_starts + packed.t_ends)
    points = rays.origins[packed.ray_index] + rays.directions[packed.ray_index] * t_mid[:, None]
    output = field(points, batch.seen_directions[packed.ray_index])
    one = torch.ones((), device=points.device)
    rendered = render_rays(rays.directions, packed, output, field.inv_s, one)
    if step.background_is_white:
        rgb = rendered.rgb + 1.0 - rendered.opacity[:, None]
        rendered = type(rendered)(rgb, rendered.range_m, rendered.normal, rendered.opacity)
    terms = loss_terms(rays, packed, output, rendered, step.truncation_m)
    field.zero_grad()
    terms.total(step.weights).backward()
    errors = {}
    for name, parameter in field.named_parameters():
        assert parameter.grad is not None
        errors[name] = _relative(ours[name], parameter.grad)
        parameter.grad = None
    theirs = terms.stacked().detach()
    errors["losses"] = float((losses - theirs).abs().max() / theirs.abs().max())
    return errors


def _relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm().clamp(min=1e-12))
