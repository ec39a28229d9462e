# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The rays of an eager step and their samples, on any device; `captured.rays` has kernels for it.

How many rays are drawn follows the samples that they have, so that the budget is just filled
(instant-ngp).
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, RaySamplingConfig, march_all, sample_rays
from ineus_core.training.config import TrainingConfig
from ineus_core.types import RayBatch, RaySamples


@dataclass(frozen=True)
class SampledRays:
    """What a step trains on."""

    batch: RayBatch
    samples: RaySamples
    seen_directions: Float[Tensor, "rays 3"]
    """What the colour sees of the directions: them, or zero."""
    samples_used: Int[Tensor, ""]
    """How many samples are no padding."""


class RaySource(Protocol):
    """Where the rays of a step come from."""

    def prepare(self) -> None:
        """Allocate what the next step needs, which may wait for the device."""
        ...

    def draw(self) -> None:
        """Draw random rays of the keyframes."""
        ...

    def sample(self) -> SampledRays:
        """Place samples on the rays that were drawn last."""
        ...

    def take_count(self, steps: int) -> int:
        """Return how many rays were drawn in the steps since the last call."""
        ...


class ReplayRays:
    """Rays drawn and sampled by the operators of `keyframes` and `rendering`.

    Args:
        config: With every automatic value resolved.
        ray_sampling: Where samples lie.
        grid: Where to sample rays without depth.
        replay: Where rays come from.
        generator: Source of randomness, on the device.
    """

    def __init__(
        self,
        config: TrainingConfig,
        ray_sampling: RaySamplingConfig,
        grid: OccupancyGrid,
        replay: Replay,
        generator: torch.Generator,
    ) -> None:
        """Begin with as many rays as are configured."""
        self._config, self._ray_sampling = config, ray_sampling
        self._grid, self._replay, self._generator = grid, replay, generator
        self._rays, self._rays_drawn = config.rays_per_step, 0

    def prepare(self) -> None:
        """Allocate nothing: a step makes its tensors anew."""

    def draw(self) -> None:
        """Draw random rays of the keyframes."""
        self._batch = self._replay.draw(self._rays)
        self._rays_drawn += self._rays

    def sample(self) -> SampledRays:
        """Place samples on the rays that were drawn last."""
        batch, samples = self._batch, self._place(self._batch)
        seen = batch.directions * self._sees_directions()
        return SampledRays(batch, samples, seen, samples.valid.sum())

    def take_count(self, steps: int) -> int:
        """Return how many rays were drawn in the steps since the last call."""
        rays, self._rays_drawn = self._rays_drawn, 0
        return rays

    def _place(self, batch: RayBatch) -> RaySamples:
        if self._grid.has_sensor:
            return sample_rays(batch, self._grid, self._ray_sampling, self._generator)
        rays, device = len(batch.origins), batch.origins.device
        jitter = torch.rand(rays, generator=self._generator, device=device)
        budget = self._config.samples_per_step
        samples = march_all(self._grid, batch.origins, batch.directions, budget, jitter)
        self._adapt_rays(int(samples.count.sum()))
        return samples

    def _sees_directions(self) -> Float[Tensor, "rays 1"]:
        """Return 1 for rays whose direction the colour sees, 0 for those that it does not."""
        directions = self._batch.directions
        shape = (len(directions), 1)
        kept = torch.rand(shape, generator=self._generator, device=directions.device)
        return (kept >= self._config.view_dropout).to(directions.dtype)

    def _adapt_rays(self, samples: int) -> None:
        # Nothing is known of how many samples a ray has.
        if samples == 0:
            self._rays = self._config.rays_per_step
            return
        # A tenth below the budget, as batches differ and rays beyond it are lost.
        wanted = self._rays * 0.9 * self._config.samples_per_step / samples
        self._rays = int(
            min(max(0.9 * self._rays + 0.1 * wanted, 64), 8 * self._config.rays_per_step)
        )
