# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One optimiser step, from drawn rays to updated parameters, and the way back from a bad one."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.fields import Background, HashSdf, VariantField
from ineus_core.keyframes import Replay
from ineus_core.rendering import (
    OccupancyGrid,
    RaySamplingConfig,
    RenderRays,
    render_rays,
    sample_rays,
)
from ineus_core.timing import Timers
from ineus_core.training.config import TrainingConfig
from ineus_core.training.losses import (
    LossInputs,
    LossTerms,
    loss_names,
    loss_terms,
    over_colour,
)
from ineus_core.training.optimiser import Optimiser
from ineus_core.training.ranks import Ranks
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays

_LOG = logging.getLogger(__name__)


class EagerStep:
    """Draws, renders, compares, updates.

    Args:
        config: With every automatic value resolved.
        ray_sampling: Where samples lie.
        field: What is trained.
        grid: Where to sample rays without depth.
        replay: Where rays come from.
        generator: Source of randomness, on the device.
        render: Compositing.
        ranks: The processes that train the same field, if there are several.
    """

    def __init__(
        self,
        config: TrainingConfig,
        ray_sampling: RaySamplingConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        replay: Replay,
        generator: torch.Generator,
        render: RenderRays = render_rays,
        ranks: Ranks | None = None,
    ) -> None:
        """Allocate the optimiser's state and the first snapshot."""
        self._config, self._ray_sampling = config, ray_sampling
        self._field, self._grid, self._replay = field, grid, replay
        self._generator, self._render, self._ranks = generator, render, ranks
        self._timers: Timers | None = None
        self._optimiser = Optimiser(config.optimiser, field)
        self._weights = config.weights
        self.steps = 0
        self.counters: Counter[str] = Counter()
        self._rays = config.rays_per_step
        self._loss_sum = torch.zeros(len(loss_names()), device=replay.device)
        self._steps_summed = self._rays_drawn = 0
        self._samples_valid = torch.zeros((), dtype=torch.int64, device=replay.device)
        self._snapshot = self._state()

    def __call__(self) -> None:
        """Take one step; one with a loss or gradient not finite changes nothing and is counted."""
        self._weights = self._config.ramps.weights_at(self.steps, self._config.weights)
        with self._stage("draw"):
            batch = self._replay.draw(self._rays)
        self._rays_drawn += self._rays
        terms = self._loss(batch)
        with self._stage("backward"):
            terms.total(self._weights).backward()
            losses = terms.stacked().detach()
            self._average(losses)
        with self._stage("optimiser"):
            finite = self._optimiser.gradients_are_finite()
            if not finite:
                self._roll_back()
                return
            self._optimiser.step(self.steps)
        self.steps += 1
        self._field.set_step(self.steps)
        self._loss_sum += losses
        self._steps_summed += 1
        if self.steps % self._config.snapshot_every == 0:
            self._keep_if_finite()

    def resume_at(self, steps: int) -> None:
        """Count on from a number of steps that were taken before."""
        self.steps = steps
        self._field.set_step(steps)

    def scale_rates(self, factor: float) -> None:
        """Multiply all learning rates from now on."""
        self._optimiser.scale(factor)

    def _average(self, losses: Float[Tensor, " terms"]) -> None:
        """Let every process have the means of all gradients and losses."""
        if self._ranks is None:
            return
        parameters = list(self._field.parameters())
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self._ranks.average([*(p.grad for p in parameters if p.grad is not None), losses])

    @contextmanager
    def timed(self, timers: Timers) -> Iterator[None]:
        """Time the parts of the steps that are taken inside."""
        self._timers = timers
        try:
            yield
        finally:
            self._timers = None

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return self._timers.stage(name) if self._timers is not None else nullcontext()

    def _loss(self, batch: RayBatch) -> LossTerms:
        with self._stage("place"):
            samples = self._place(batch)
        with self._stage("field"):
            t_mid = 0.5 * (samples.t_starts + samples.t_ends)
            directions = batch.directions[samples.ray_index]
            points = batch.origins[samples.ray_index] + directions * t_mid[:, None]
            seen = self._seen_directions(batch)[samples.ray_index]
            output = self._field(points, directions * seen)
        with self._stage("composite"):
            rendered = self._rendered(batch, samples, output)
            colour = self._background(len(batch.origins), batch.origins.device)
            behind = self._learned_background(batch)
            batch, rendered = self._over_background(batch, rendered, behind, colour)
        self._samples_valid += samples.valid.sum()
        with self._stage("loss"):
            inputs = LossInputs(
                batch,
                samples,
                output,
                rendered,
                self._ray_sampling.truncation_m,
                self._config.sparsity_per_m,
                behind,
                self._grid.has_sensor,
            )
            return loss_terms(inputs, self._weights)

    def _place(self, batch: RayBatch) -> RaySamples:
        if self._grid.has_sensor:
            return sample_rays(batch, self._grid, self._ray_sampling, self._generator)
        rays, device = len(batch.origins), batch.origins.device
        jitter = torch.rand(rays, generator=self._generator, device=device)
        budget = self._config.samples_per_step
        samples = self._grid.march(batch.origins, batch.directions, budget, jitter)
        self._adapt_rays(int(samples.count.sum()))
        return samples

    def _rendered(self, batch: RayBatch, samples: RaySamples, output: FieldOutput) -> RenderedRays:
        device = batch.origins.device
        cos_anneal = torch.tensor(self._config.cos_anneal(self.steps), device=device)
        return self._render(batch.directions, samples, output, self._field.inv_s, cos_anneal)

    def _learned_background(self, batch: RayBatch) -> tuple[RenderedRays, RaySamples] | None:
        """What the rays see behind the box, if that is learned."""
        if self._field.background is None:
            return None
        rays, device = len(batch.origins), batch.origins.device
        jitter = torch.rand(rays, generator=self._generator, device=device)
        return self._field.background(  # type: ignore[no-any-return]
            batch.origins, batch.directions, self._grid.aabb, jitter
        )

    def _over_background(
        self,
        batch: RayBatch,
        rendered: RenderedRays,
        behind: tuple[RenderedRays, RaySamples] | None,
        colour: Float[Tensor, "rays 3"] | None,
    ) -> tuple[RayBatch, RenderedRays]:
        """Both over the same colour, as far as it is known which pixels show the object."""
        through = 1.0 - rendered.opacity[:, None]
        if behind is not None:
            rendered = replace(rendered, rgb=rendered.rgb + through * behind[0].rgb)
            through = through * (1.0 - behind[0].opacity[:, None])
        if colour is None:
            return batch, rendered
        rendered = replace(rendered, rgb=rendered.rgb + through * colour)
        if self._config.background == "random":
            batch = over_colour(batch, colour, self._replay.image_background)
        return batch, rendered

    def _seen_directions(self, batch: RayBatch) -> Float[Tensor, "rays 1"]:
        """1 for rays whose direction the colour sees, 0 for those that get the zero vector."""
        kept = torch.rand(
            (len(batch.origins), 1), generator=self._generator, device=batch.origins.device
        )
        return (kept >= self._config.view_dropout).to(batch.directions.dtype)

    def _background(self, rays: int, device: torch.device) -> Float[Tensor, "rays 3"] | None:
        match self._config.background:
            case "white":
                return torch.ones((rays, 3), device=device)
            case "black" | "none":
                return None
        return torch.rand((1, 3), generator=self._generator, device=device).expand(rays, 3)

    def _adapt_rays(self, samples: int) -> None:
        """Let the rays follow their samples, so that the budget is just filled (instant-ngp)."""
        if samples == 0:
            self._rays = self._config.rays_per_step
            return
        wanted = self._rays * 0.9 * self._config.samples_per_step / samples
        self._rays = int(
            min(max(0.9 * self._rays + 0.1 * wanted, 64), 8 * self._config.rays_per_step)
        )

    def update_grid(self, cells: int, generator: torch.Generator) -> None:
        """Let the occupancy grid follow the field in random cells, as many as given."""
        if isinstance(self._field.background, Background):
            self._field.background.update_grid(generator)
        if isinstance(self._field, VariantField) and self._field.config.kind == "density":
            self._grid.update_density(self._field.density, cells, generator)
            return
        self._grid.update(self._field.sdf, self._field.inv_s.detach(), cells, generator)

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Mean losses, valid samples and rays since the last call; waits for the device."""
        steps = max(self._steps_summed, 1)
        means = dict(zip(loss_names(), (self._loss_sum / steps).tolist(), strict=True))
        means["total"] = sum(getattr(self._weights, name) * means[name] for name in loss_names())
        samples = int(self._samples_valid)
        rays, self._rays_drawn = self._rays_drawn, 0
        self._loss_sum.zero_()
        self._samples_valid.zero_()
        self._steps_summed = 0
        return means, samples, rays

    def _state(self) -> list[Tensor]:
        return [p.detach().clone() for p in self._field.parameters()]

    def _keep_if_finite(self) -> None:
        if all(bool(p.isfinite().all()) for p in self._field.parameters()):
            self._snapshot = self._state()
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        self.counters["steps_rolled_back"] += 1
        _LOG.warning("step %d is not finite: parameters of the last snapshot are back", self.steps)
        with torch.no_grad():
            for parameter, kept in zip(self._field.parameters(), self._snapshot, strict=True):
                parameter.copy_(kept)
        self._optimiser.reset()
