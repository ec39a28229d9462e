# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far the gradients of the step on kernels are from those of plain torch."""

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ineus_core.rendering import render_rays
from ineus_core.training.losses import loss_terms
from ineus_core.training.rays import SampledRays
from ineus_core.training.terms import LossInputs, over_colour

if TYPE_CHECKING:
    from ineus_core.training.captured.step import CapturedStep


def gradient_errors(step: "CapturedStep", batches: int = 9) -> dict[str, float]:
    """Compare gradients by parameter, and losses, on the same rays and samples.

    Of gradients the median relative difference over some batches, as in one of them they may
    nearly cancel, or a single sample may outweigh all others; of losses the largest. Nothing is
    updated.
    """
    off: dict[str, list[float]] = {}
    worst = 0.0
    for _ in range(batches):
        ours, losses, rays = step.gradients_once()
        theirs, their_losses = _by_torch(step, rays)
        for name, gradient in theirs.items():
            # Of the whole gradient, as single entries of a table are touched by one sample.
            difference = (ours[name] - gradient).norm() / gradient.norm().clamp(min=1e-12)
            off.setdefault(name, []).append(float(difference))
        worst = max(worst, float((losses - their_losses).abs().max() / their_losses.abs().max()))
    return {name: median(values) for name, values in off.items()} | {"losses": worst}


def _by_torch(step: "CapturedStep", sampled: SampledRays) -> tuple[dict[str, Tensor], Tensor]:
    """Return gradients by parameter, and losses."""
    rays, samples = sampled.batch, sampled.samples
    # Over the colour that the kernels have drawn, or the two would compare other pictures.
    if step.config.background == "random":
        rays = over_colour(rays, step.background[None], step.image_background)
    field = step.field
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)
    ray = samples.ray_index.long()
    samples = replace(
        # Torch indexes by 64 bits, kernels count in 32.
        samples,
        ray_index=ray,
        first=samples.first.long(),
        count=samples.count.long(),
    )
    points = rays.origins[ray] + rays.directions[ray] * t_mid[:, None]
    output = field.by_torch(points, sampled.seen_directions[ray])
    # The exact cosine, as `gradients_once` has it.
    one = torch.ones((), device=points.device)
    rendered = render_rays(rays.directions, samples, output, field.inv_s, one)
    behind = (1.0 - rendered.opacity[:, None]) * step.background
    rendered = replace(rendered, rgb=rendered.rgb + behind)
    measures = (step.truncation_m, step.config.sparsity_per_m)
    terms = loss_terms(LossInputs(rays, samples, output, rendered, *measures), step.weights)
    field.zero_grad()
    terms.total(step.weights.stacked(points.device)).backward()
    gradients = {}
    for name, parameter in field.named_parameters():
        # A density has no sharpness.
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        gradients[name], parameter.grad = gradient, None
    return gradients, terms.stacked()
