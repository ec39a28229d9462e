# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of the training step: captured as one CUDA graph, or eager with any option."""

import logging

import torch

from ineus_core.errors import ConfigError
from ineus_core.fields import HashSdf
from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, RaySamplingConfig, renderer
from ineus_core.training.config import TrainingConfig
from ineus_core.training.losses import impure_losses
from ineus_core.training.ranks import Ranks
from ineus_core.training.rays import RaySource
from ineus_core.training.step import EagerStep, Record
from ineus_core.training.step_protocol import Step

_LOG = logging.getLogger(__name__)


def make_step(
    config: TrainingConfig,
    ray_sampling: RaySamplingConfig,
    field: HashSdf,
    grid: OccupancyGrid,
    replay: Replay,
    generator: torch.Generator,
    rendering: str = "torch",
    ranks: Ranks | None = None,
) -> Step:
    """Return the step that suits backends and options.

    Args:
        config: With every automatic value resolved.
        rendering: Resolved backend of the rendering.
        ranks: The processes that train the same field, if there are several.
    """
    if config.may_weigh("curvature") and field.config.gradient == "analytic":
        raise ConfigError(
            "training.weights.curvature needs field.gradient finite_difference, not analytic"
        )
    rays: RaySource | None = None
    record: Record | None = None
    if field.config.backend == "triton":
        option = field.config.option_without_step or config.option_without_kernel
        option = option or ("background.kind learned" if field.background is not None else "")
        if rendering == "triton" and not option:
            # Only here, as it imports Triton.
            from ineus_core.training.captured.step import CapturedStep

            return CapturedStep(config, ray_sampling, field, grid, replay, ranks=ranks)
        from ineus_core.training.captured.rays import EagerKernelRays
        from ineus_core.training.captured.recording import Recording

        option = option or f"rendering.backend {rendering}"
        _LOG.info("training step by autograd, as the captured one does not know %s", option)
        rays = EagerKernelRays(config, ray_sampling, field, grid, replay, ranks)
        is_impure = any(config.may_weigh(name) for name in impure_losses())
        # Several processes average their gradients in the middle of a step.
        if config.record_autograd and ranks is None and not is_impure:
            record = Recording
    if config.may_weigh("distortion") or field.config.kind == "density":
        if rendering == "nerfacc":
            raise ConfigError(
                "rendering.backend nerfacc knows neither field.kind density nor "
                "training.weights.distortion: expected auto or torch"
            )
        # Of the others only plain torch tells the weights of the samples.
        rendering = "torch"
    render = renderer(rendering)
    return EagerStep(
        config, ray_sampling, field, grid, replay, generator, render, ranks, rays, record
    )
