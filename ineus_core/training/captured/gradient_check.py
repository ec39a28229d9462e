# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far the gradients of the step on kernels are from those of plain torch."""

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ineus_core.kernels.ray_batch import HAS_DEPTH, DrawnRays
from ineus_core.rendering import render_rays
from ineus_core.training.losses import LossInputs, loss_terms, over_colour
from ineus_core.types import RayBatch, RaySamples

if TYPE_CHECKING:
    from ineus_core.training.captured.step import CapturedStep


def gradient_errors(step: "CapturedStep", batches: int = 9) -> dict[str, float]:
    """Relative difference by parameter, on the same rays and samples, and that of the losses.

    Of gradients the median over some batches, as in one of them they may nearly cancel, or a
    single sample may outweigh all others; of losses the largest. Nothing is updated.
    """
    off: dict[str, list[float]] = {}
    worst = 0.0
    for _ in range(batches):
        ours, batch, samples, losses = step.gradients_once()
        theirs, their_losses = _by_torch(step, batch, samples)
        for name, gradient in theirs.items():
            difference = (ours[name] - gradient).norm() / gradient.norm().clamp(min=1e-12)
            off.setdefault(name, []).append(float(difference))
        worst = max(worst, float((losses - their_losses).abs().max() / their_losses.abs().max()))
    return {name: median(values) for name, values in off.items()} | {"losses": worst}


def _by_torch(
    step: "CapturedStep", batch: DrawnRays, samples: RaySamples
) -> tuple[dict[str, Tensor], Tensor]:
    """Gradients by parameter, and losses."""
    rays = _rays(step, batch)
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
    behind = (1.0 - rendered.opacity[:, None]) * step.background
    rendered = replace(rendered, rgb=rendered.rgb + behind)
    measures = (step.truncation_m, step.config.sparsity_per_m)
    terms = loss_terms(LossInputs(rays, packed, output, rendered, *measures), step.weights)
    field.zero_grad()
    terms.total(step.weights).backward()
    gradients = {}
    for name, parameter in field.named_parameters():
        # A density has no sharpness.
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        gradients[name], parameter.grad = gradient, None
    return gradients, terms.stacked()


def _rays(step: "CapturedStep", drawn: DrawnRays) -> RayBatch:
    """Drawn rays as plain torch takes them; those that found no room may not be used."""
    index = torch.arange(len(drawn.kind), device=drawn.kind.device)
    rays = RayBatch(
        origins=drawn.origins,
        directions=drawn.directions,
        rgb=drawn.rgb,
        range_m=drawn.range_m,
        normal=drawn.normal,
        has_depth=(drawn.kind & HAS_DEPTH) != 0,
        valid=(drawn.kind > 0) & (index < step.rays_placed),
        foreground=drawn.foreground,
    )
    if step.config.background == "random":
        rays = over_colour(rays, step.background[None], step.image_background)
    return rays
