# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One optimiser step on an NVIDIA GPU: kernels over buffers that are kept, captured as one graph.

Nothing here waits for the device, allocates or branches on a value of the device; what changes
between steps are scalars on the device. `step.EagerStep` is the same step for every device and
the reference.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from functools import partial

import torch
from jaxtyping import Int

from ineus_core.fields import HashSdf
from ineus_core.kernels.compositing import RENDERED_COLUMNS
from ineus_core.kernels.compositing.gpu import composite_backward, composite_forward
from ineus_core.kernels.fused_field.gpu import (
    RUN_LEVELS,
    Stages,
    backward_stages,
    field_buffers,
    forward_stages,
)
from ineus_core.kernels.losses import COUNTS
from ineus_core.kernels.losses.gpu import TermCounts, count_terms, ray_losses, sample_losses
from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, RaySamplingConfig
from ineus_core.training.captured.capturing import capturing
from ineus_core.training.captured.field_options import (
    density_scales,
    field_weights,
    loss_scales,
    output_buffers,
    unseen_inputs,
)
from ineus_core.training.captured.occupancy import CapturedOccupancyUpdate
from ineus_core.training.captured.rays import KernelRays
from ineus_core.training.config import TrainingConfig
from ineus_core.training.flat_parameters import FlatParameters
from ineus_core.training.losses import LossWeights, loss_names
from ineus_core.training.optimiser import Rates
from ineus_core.training.ranks import Ranks
from ineus_core.training.rays import SampledRays
from ineus_core.training.scalars import StepScalars
from ineus_core.training.step_record import StepRecord

_LOG = logging.getLogger(__name__)
_EIKONAL = loss_names().index("eikonal")


class CapturedStep:
    """A step of kernels; see `Step`.

    Args:
        config: With every automatic value resolved.
        ray_sampling: Where samples lie.
        field: What is trained; its parameters move into one buffer.
        grid: Where to sample rays without depth.
        replay: Where rays come from.
        is_captured: Replay a captured graph; otherwise launch every kernel anew, for tests.
        ranks: The processes that train the same field, if there are several.
    """

    def __init__(
        self,
        config: TrainingConfig,
        ray_sampling: RaySamplingConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        replay: Replay,
        is_captured: bool = True,
        ranks: Ranks | None = None,
    ) -> None:
        """Move the parameters; the first step allocates, as only then depth is known to come."""
        self.config, self._ray_sampling = config, ray_sampling
        self._field, self._grid, self._replay = field, grid, replay
        self.field, self.truncation_m = field, ray_sampling.truncation_m
        self.image_background = replay.image_background
        self._is_captured, self._ranks = is_captured, ranks
        self._rates = Rates(config.optimiser)
        self._flat = FlatParameters(field, self._rates)
        self._weights = field_weights(self._flat.value_views(), self._flat.half_view("table"))
        gradients = self._flat.gradient_views()
        self._d_weights = field_weights(gradients, gradients["table"])
        self._density = density_scales(field)
        self._frozen = unseen_inputs(field)
        for weight, columns in self._frozen:
            # What the network may not see counts for nothing as long as its weights stay 0.
            self._flat.value_views()[weight][:, columns] = 0.0
        self._record = StepRecord(config, [self._flat.value], self._flat.forget, replay.device)
        self._scalars = StepScalars(config, self._rates, self._flat.parts, replay.device)
        self._update_grid = CapturedOccupancyUpdate(field, self._weights, grid)
        self._rays: KernelRays | None = None
        self._graphs: list[torch.cuda.CUDAGraph] = []
        self._captured_for: object = None

    @property
    def steps(self) -> int:
        """How many were taken."""
        return self._record.steps

    @property
    def counters(self) -> Counter[str]:
        """Of steps that were not finite."""
        return self._record.counters

    def _allocate(self) -> KernelRays:
        """Allocate every buffer of a step."""
        device, config = self._replay.device, self.config
        parts = (config, self._ray_sampling, self._field, self._grid, self._replay)
        self._rays = rays = KernelRays(*parts, self._ranks)
        # Samples lie ray by ray here, which is what sums over runs need.
        self._run_levels = min(RUN_LEVELS, self._field.layout.levels)
        layout, outputs = self._field.layout, self._field.config.geometry_features
        self._buffers = field_buffers(rays.budget, layout, outputs, device)
        self._output, self._d_output = (output_buffers(rays.budget, device) for _ in range(2))
        self._rendered, self._d_rendered = (
            torch.zeros((rays.rays, RENDERED_COLUMNS), device=device) for _ in range(2)
        )
        # What kernels read as pointers, so that replays see what changes.
        scalars = torch.zeros(3, device=device)
        self._inv_s, self._eikonal_scale, self._d_inv_s = scalars.unbind()
        self._counts = TermCounts(torch.zeros(COUNTS, device=device), rays.placed)
        self._losses = torch.zeros(len(loss_names()), device=device)
        white = 1.0 if config.background == "white" else 0.0
        self.background = torch.full((3,), white, device=device)
        """Colour behind everything in the newest step."""
        self._scales = loss_scales(
            config, self._scalars.weights, self.truncation_m, self._replay.has_foreground,
            self.image_background,
        )  # fmt: skip
        self._metres = (self._field.sdf_scale_m, self._field.sdf_scale_m / self._field.side_m)
        self._stages = self._make_stages(rays)
        return rays

    def __call__(self) -> None:
        """Take one step."""
        self._prepare()
        if self._is_captured:
            if not self._graphs:
                self._capture()
            for index, graph in enumerate(self._graphs):
                if index:
                    self._average()
                graph.replay()
        else:
            self._step()
        self._record.end_step()

    def resume_at(self, steps: int) -> None:
        """Count on from a number of steps that were taken before."""
        self._record.steps = steps

    def scale_rates(self, factor: float) -> None:
        """Multiply all learning rates from now on."""
        self._rates.scale(factor)

    def _prepare(self) -> None:
        """Bring buffers and scalars up to what has changed since the last step."""
        if self._rays is None or self._rays.has_sensor != self._grid.has_sensor:
            # Only the first keyframe decides whether there is depth.
            self._allocate()
            self._captured_for = None
        key = self._shape_key()
        if key != self._captured_for:
            self._graphs, self._captured_for = [], key
        self._scalars.write(self.steps, self._record.begin_step())

    def _shape_key(self) -> object:
        """Return what a captured graph has baked in and others may replace: cells, camera rays."""
        return self._grid.captured_key, self._replay.store().camera_rays.data_ptr()

    def _capture(self) -> None:
        state = self._state()
        kept = [t.clone() for t in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                # Compiles every kernel; what these steps change is put back.
                self._launch(self._stages)
        torch.cuda.current_stream().wait_stream(stream)
        # Steps that only warm up must not train.
        for target, value in zip(state, kept, strict=True):
            target.copy_(value)
        for names in self._parts():
            graph = torch.cuda.CUDAGraph()
            with capturing(graph):
                self._launch(names)
            self._graphs.append(graph)
        rays, samples = len(self._rendered), len(self._output.sdf)
        _LOG.info("training step captured: %d rays, %d samples", samples, rays)

    def _state(self) -> list[torch.Tensor]:
        """Return all that one step leaves to the next."""
        flat, record = self._flat, self._record
        assert self._rays is not None
        return [
            *(flat.value, flat.half, flat.mean, flat.square, flat.gradient, flat.count),
            *(record.loss_sum, record.samples, record.bad_steps),
            *self._rays.state,
        ]

    @property
    def weights(self) -> LossWeights:
        """Of the newest step."""
        return self._record.weights

    def update_grid(self, cells: int, generator: torch.Generator) -> None:
        """Let the occupancy grid follow the field in random cells, as many as given."""
        self._update_grid(cells, generator)

    def stages(self) -> Stages:
        """Return the parts of a step by name, in their order.

        One after the other they are the step; a benchmark calls each alone.
        """
        self._prepare()
        return dict(self._stages)

    def _make_stages(self, rays: KernelRays) -> Stages:
        measures_distance = rays.has_sensor and self._density is None
        weighs_samples = measures_distance or self._scales.with_sparsity
        call = (
            rays.points, rays.batch.seen_directions, rays.samples.ray_index, self._weights,
            self._field.layout, self._metres, self._buffers, self._output,
        )  # fmt: skip
        backward = backward_stages(*call, self._d_output, self._d_weights, self._run_levels)
        compare_samples = partial(self._compare_samples, rays)
        return {
            "draw": rays.draw,
            "place": rays.place,
            **forward_stages(*call, rays.total),
            "composite": partial(self._composite, rays),
            "loss": partial(self._compare_rays, rays),
            "composite backward": partial(self._composite_backward, rays),
            **({"loss of samples": compare_samples} if weighs_samples else {}),
            **backward,
            **({"freeze": self._freeze} if self._frozen else {}),
            "optimiser": partial(self._update, rays.total),
        }

    def _parts(self) -> list[list[str]]:
        """Names of the stages; several processes average their gradients between two parts."""
        names = list(self._stages)
        # Between two graphs, as the exchange of gradients is not part of one.
        return [names] if self._ranks is None else [names[:-1], names[-1:]]

    def _step(self) -> None:
        for index, names in enumerate(self._parts()):
            if index:
                self._average()
            self._launch(names)

    def _launch(self, names: Iterable[str]) -> None:
        for name in names:
            self._stages[name]()

    def _average(self) -> None:
        """Let every process have the means of all gradients and losses."""
        assert self._ranks is not None
        self._ranks.average([self._flat.gradient])
        self._ranks.average([self._losses])

    def _composite(self, rays: KernelRays) -> None:
        # `HashSdf.inv_s`, less its bounds, into the place that the kernels read.
        torch.exp(10.0 * self._field.log_inv_s.detach(), out=self._inv_s)
        composite_forward(
            rays.batch.directions, rays.samples, self._output, self._inv_s,
            self._scalars.cos_anneal, self._rendered, self._density,
        )  # fmt: skip

    def _compare_rays(self, rays: KernelRays) -> None:
        batch, samples = rays.batch, rays.samples
        # Kernels add to these.
        self._losses.zero_()
        self._d_inv_s.zero_()
        count_terms(batch, samples, rays.total, self._scales, self._counts)
        if self.config.background == "random":
            self.background.uniform_()
        ray_losses(
            batch, samples, self._rendered, self.background, self._counts, self._scales,
            self._d_rendered, self._losses,
        )  # fmt: skip

    def _composite_backward(self, rays: KernelRays) -> None:
        batch, samples = rays.batch, rays.samples
        # A batch without samples must not divide by 0, and asking whether it is one would be a
        # wait.
        share = rays.total.clamp(min=1)
        torch.div(self._scalars.weights[_EIKONAL], share, out=self._eikonal_scale)
        composite_backward(
            batch.directions, samples, self._output, self._inv_s, self._scalars.cos_anneal,
            self._rendered, self._d_rendered, self._d_output, self._d_inv_s,
            self._eikonal_scale, None if self._density else self._losses[_EIKONAL], self._density,
        )  # fmt: skip
        self._losses[_EIKONAL].div_(share)
        # inv_s = exp(10 v)
        self._flat.gradient_views()["log_inv_s"].copy_(10.0 * self._inv_s * self._d_inv_s)

    def _compare_samples(self, rays: KernelRays) -> None:
        sample_losses(
            rays.batch, rays.samples, rays.total, self._output.sdf, self._counts,
            self._scales, self._d_output.sdf, self._losses,
        )  # fmt: skip

    def _freeze(self) -> None:
        # Adam leaves a weight that is 0 where it is, if its gradient is always 0.
        for weight, columns in self._frozen:
            self._flat.gradient_views()[weight][:, columns].zero_()

    def _update(self, total: Int[torch.Tensor, ""]) -> None:
        # Not looked at here, which would wait for the device; `StepRecord` does so now and then.
        is_sound = self._flat.has_finite_gradients() & self._losses.sum().isfinite()
        self._record.add(self._losses, total, ~is_sound)
        self._flat.update(self._scalars.rates, self.config.optimiser)

    def gradients_once(
        self,
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, SampledRays]:
        """Return the gradients of one batch by parameter, its losses and its rays, for tests.

        Nothing is updated.
        """
        stages = self.stages()
        # Plain torch compares with the exact cosine.
        self._scalars.write(self.steps, self._record.weights, cos_anneal=1.0)
        del stages["optimiser"]
        for stage in stages.values():
            stage()
        gradients = {name: view.clone() for name, view in self._flat.gradient_views().items()}
        # What the optimiser would have cleared: the next step adds to it.
        self._flat.gradient.zero_()
        assert self._rays is not None
        return gradients, self._losses.clone(), self._rays.sampled()

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Return mean losses, valid samples and rays since the last call; waits for the device."""
        means, samples, steps = self._record.take_means()
        return means, samples, 0 if self._rays is None else self._rays.take_count(steps)
