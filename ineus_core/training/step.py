# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One optimiser step by autograd, for every device and every option.

On a GPU with Triton its parts are the same kernels that the captured step has, and nothing in it
waits for the device.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.fields import Background, HashSdf, VariantField
from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, RaySamplingConfig, RenderRays, render_rays
from ineus_core.timing import Timers
from ineus_core.training.config import TrainingConfig
from ineus_core.training.flat_parameters import FlatOptimiser, FlatParameters
from ineus_core.training.losses import LossTerms, loss_names, loss_terms
from ineus_core.training.optimiser import Optimiser, Rates
from ineus_core.training.ranks import Ranks
from ineus_core.training.rays import RaySource, ReplayRays, SampledRays
from ineus_core.training.scalars import StepScalars
from ineus_core.training.step_record import StepRecord
from ineus_core.training.terms import LossInputs, over_colour
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays

Record = Callable[
    [Callable[[], object], Callable[[], object], Callable[[], None], torch.Generator],
    Callable[[], object],
]
"""As `captured.recording.Recording`: from work, its key, its cleaning up and its generator, a
callable that does the work."""


class EagerStep:
    """Draws, renders, compares, updates; see `Step`.

    Args:
        config: With every automatic value resolved.
        ray_sampling: Where samples lie.
        field: What is trained.
        grid: Where to sample rays without depth.
        replay: Where rays come from.
        generator: Source of randomness, on the device.
        render: Compositing.
        ranks: The processes that train the same field, if there are several.
        rays: How rays are drawn and sampled, if not by `ReplayRays`.
        record: Lets a GPU replay what a step launches, instead of the host launching it anew.
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
        rays: RaySource | None = None,
        record: Record | None = None,
    ) -> None:
        """Allocate the optimiser's state and the first snapshot."""
        self._config, self._ray_sampling = config, ray_sampling
        self._field, self._grid, self._replay = field, grid, replay
        self._generator, self._render, self._ranks = generator, render, ranks
        self._rays = rays or ReplayRays(config, ray_sampling, grid, replay, generator)
        self._timers: Timers | None = None
        self._is_rolled_back = False
        self._rates = Rates(config.optimiser)
        device = replay.device
        # To look at a CPU's numbers costs nothing; of a GPU's a step may not wait for any.
        self._looks = device.type == "cpu"
        self._optimiser: Optimiser | FlatOptimiser
        if self._looks:
            self._scalars = StepScalars(config, self._rates, (), device)
            self._optimiser = Optimiser(config.optimiser, field, self._rates)
        else:
            flat = FlatParameters(field, self._rates)
            self._scalars = StepScalars(config, self._rates, flat.parts, device)
            self._optimiser = FlatOptimiser(config.optimiser, flat, self._scalars.rates)
        self._record = StepRecord(config, self._optimiser.values, self._optimiser.reset, device)
        self._recorded: Callable[[], object] | None = None
        if record is not None:
            clear = self._optimiser.clear_gradients
            self._recorded = record(self._work, self._decided_by_the_host, clear, generator)

    @property
    def steps(self) -> int:
        """How many were taken."""
        return self._record.steps

    @property
    def counters(self) -> Counter[str]:
        """Of steps that were not finite."""
        return self._record.counters

    def __call__(self) -> None:
        """Take one step; one with a loss or gradient not finite is taken back and counted."""
        # Before anything is recorded: a recorded step reads them from their place on the device.
        self._scalars.write(self.steps, self._record.begin_step())
        self._rays.prepare()
        # A replayed graph has no parts that could be timed.
        if self._recorded is None or self._timers is not None:
            self._work()
        else:
            self._recorded()
        # It does not count: schedules follow the steps that the parameters have taken.
        if self._is_rolled_back:
            return
        self._record.end_step()
        self._field.set_step(self.steps)

    def _decided_by_the_host(self) -> tuple[object, ...]:
        """Return what a recorded step has baked in: cells, cameras, terms, state of the field."""
        store = self._replay.store()
        return (
            self._grid.captured_key,
            (store.camera_rays.data_ptr(), self._replay.has_foreground),
            # Which terms are computed at all; their weights themselves are read from the device.
            tuple(bool(getattr(self._record.weights, name)) for name in loss_names()),
            self._field.step_state(),
        )

    def _work(self) -> None:
        """Do all that a device has to do in a step."""
        with self._stage("draw"):
            self._rays.draw()
        with self._stage("place"):
            rays = self._rays.sample()
        terms = self._loss(rays)
        with self._stage("backward"):
            terms.total(self._scalars.weights).backward()
            losses = terms.stacked()
            if self._ranks is not None:
                self._ranks.average([*self._optimiser.gradients(), losses])
        with self._stage("optimiser"):
            is_sound = self._optimiser.has_finite_gradients()
            self._is_rolled_back = self._looks and not is_sound
            if self._is_rolled_back:
                self._record.roll_back()
                return
            self._optimiser.step(self.steps)
        # On a CPU a bad step has been taken back above.
        is_bad = None if self._looks else ~(is_sound & losses.sum().isfinite())
        self._record.add(losses, rays.samples_used, is_bad)

    def resume_at(self, steps: int) -> None:
        """Count on from a number of steps that were taken before."""
        self._record.steps = steps
        self._field.set_step(steps)

    def scale_rates(self, factor: float) -> None:
        """Multiply all learning rates from now on."""
        self._rates.scale(factor)

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

    def _loss(self, rays: SampledRays) -> LossTerms:
        batch, samples = rays.batch, rays.samples
        # At the middle of each interval, where alpha takes the distance from (NeuS, eq. 13).
        with self._stage("field"):
            t_mid = 0.5 * (samples.t_starts + samples.t_ends)
            ray = samples.ray_index
            points = batch.origins[ray] + batch.directions[ray] * t_mid[:, None]
            output = self._field(points, rays.seen_directions[ray])
        with self._stage("composite"):
            rendered = self._rendered(batch, samples, output)
            colour = self._background(len(batch.origins), batch.origins.device)
            behind = self._learned_background(batch)
            batch, rendered = self._over_background(batch, rendered, behind, colour)
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
                self._config.estimate_fades_below,
            )
            return loss_terms(inputs, self._record.weights)

    def _rendered(self, batch: RayBatch, samples: RaySamples, output: FieldOutput) -> RenderedRays:
        inv_s, cos_anneal = self._field.inv_s, self._scalars.cos_anneal
        return self._render(batch.directions, samples, output, inv_s, cos_anneal)

    def _learned_background(self, batch: RayBatch) -> tuple[RenderedRays, RaySamples] | None:
        """Return what the rays see behind the box, if that is learned."""
        if self._field.background is None:
            return None
        rays, device = len(batch.origins), batch.origins.device
        jitter = torch.rand(rays, generator=self._generator, device=device)
        return self._field.background(  # type: ignore[no-any-return]
            batch.origins, batch.directions, self._grid.aabb, jitter, batch.valid
        )

    def _over_background(
        self,
        batch: RayBatch,
        rendered: RenderedRays,
        behind: tuple[RenderedRays, RaySamples] | None,
        colour: Float[Tensor, "rays 3"] | None,
    ) -> tuple[RayBatch, RenderedRays]:
        """Composite both over one colour, as far as it is known which pixels show the object."""
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

    def _background(self, rays: int, device: torch.device) -> Float[Tensor, "rays 3"] | None:
        match self._config.background:
            case "white":
                return torch.ones((rays, 3), device=device)
            # Compositing leaves black anyhow.
            case "black" | "none":
                return None
        return torch.rand((1, 3), generator=self._generator, device=device).expand(rays, 3)

    def update_grid(self, cells: int, generator: torch.Generator) -> None:
        """Let the occupancy grid follow the field in random cells, as many as given."""
        if isinstance(self._field.background, Background):
            self._field.background.update_grid(generator)
        if isinstance(self._field, VariantField) and self._field.config.kind == "density":
            self._grid.update_density(self._field.density, cells, generator)
            return
        self._grid.update(self._field.sdf, self._field.inv_s.detach(), cells, generator)

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Return mean losses, valid samples and rays since the last call; waits for the device."""
        means, samples, steps = self._record.take_means()
        return means, samples, self._rays.take_count(steps)
