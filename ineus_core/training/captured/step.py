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

import torch

from ineus_core.fields import HashSdf
from ineus_core.kernels.compositing import RENDERED_COLUMNS
from ineus_core.kernels.compositing.gpu import composite_backward, composite_forward
from ineus_core.kernels.fused_field.gpu import (
    Stages,
    backward_stages,
    field_buffers,
    forward_stages,
)
from ineus_core.kernels.losses.gpu import count_terms, ray_losses, sample_losses, term_counts
from ineus_core.kernels.ray_batch import DrawnRays, drawn_rays
from ineus_core.kernels.ray_batch.gpu import draw
from ineus_core.kernels.ray_marching.gpu import march_packed_into, sample_buffers
from ineus_core.kernels.ray_sampling.gpu import sample_rays_into
from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, RaySamplingConfig
from ineus_core.training.captured.field_options import (
    density_scales,
    output_buffers,
    unseen_inputs,
)
from ineus_core.training.captured.flat_field import FlatField
from ineus_core.training.captured.occupancy import CapturedOccupancyUpdate
from ineus_core.training.captured.scalars import StepScalars
from ineus_core.training.config import TrainingConfig
from ineus_core.training.losses import LossWeights, loss_names
from ineus_core.training.optimiser import Rates
from ineus_core.training.ranks import Ranks
from ineus_core.types import RaySamples

_LOG = logging.getLogger(__name__)
_EIKONAL = loss_names().index("eikonal")
_RUN_LEVELS = 10
"""Coarse levels, where neighbouring samples share cells and runs of them are summed first."""


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
        """Allocate every buffer of a step."""
        self.config, self._ray_sampling = config, ray_sampling
        self._field, self._grid, self._replay = field, grid, replay
        self.field, self.truncation_m = field, ray_sampling.truncation_m
        self.image_background = replay.image_background
        self._is_captured, self._ranks = is_captured, ranks
        self._rates_by_step = Rates(config.optimiser)
        self.steps = 0
        self.counters: Counter[str] = Counter()
        self._flat = FlatField(field)
        self._density = density_scales(field)
        self._frozen = unseen_inputs(field)
        for weight, columns in self._frozen:
            # What the network may not see counts for nothing as long as its weights stay 0.
            self._flat.value_view(weight)[:, columns] = 0.0
        self._has_sensor: bool | None = None
        self._snapshot = self._flat.value.clone()
        self._update_grid = CapturedOccupancyUpdate(field, self._flat.weights(), grid)
        self._graphs: list[torch.cuda.CUDAGraph] = []
        self._captured_for: object = None

    def _allocate(self) -> None:
        device, config = self._replay.device, self.config
        has_sensor = self._has_sensor = self._grid.has_sensor
        # Rays without depth differ in their samples, so many may be drawn; what does not fit is
        # left out.
        self._rays = config.rays_per_step if has_sensor else 4 * config.rays_per_step
        self._budget = (
            self._rays * self._ray_sampling.samples_per_ray
            if has_sensor
            else config.samples_per_step
        )
        self._batch = drawn_rays(self._rays, device)
        self._samples = sample_buffers(self._rays, self._budget, device)
        self._points = torch.zeros((3, self._budget), device=device).t()
        self._run_levels = min(_RUN_LEVELS, self._field.layout.levels)
        layout, outputs = self._field.layout, self._field.config.geometry_features
        self._buffers = field_buffers(self._budget, layout, outputs, device)
        self._output, self._d_output = (output_buffers(self._budget, device) for _ in range(2))
        self._rendered, self._d_rendered = (
            torch.zeros((self._rays, RENDERED_COLUMNS), device=device) for _ in range(2)
        )
        integers = torch.zeros(3, dtype=torch.int64, device=device)
        self._counter, self._samples_seen, self._bad_steps = integers.unbind()
        # Counters of other processes are so far away that they never meet.
        rank = 0 if self._ranks is None else self._ranks.rank
        self._counter.fill_(int(torch.randint(1 << 40, ())) + (rank << 42))
        self._total = torch.zeros((), dtype=torch.int32, device=device)
        # Before anything is known to be empty a ray has as many samples as it has steps.
        first_rays = min(self._rays, max(64, self._budget // self._grid.max_steps))
        limit = self._rays if has_sensor else first_rays
        self._ray_limit = torch.full((), limit, dtype=torch.int32, device=device)
        self._demand = torch.zeros((), device=device)
        scalars = torch.zeros(4, device=device)
        self._inv_s, self._eikonal_scale, self._d_inv_s, self._adam_count = scalars.unbind()
        self._scalars = StepScalars(config, self._rates_by_step, device)
        self._counts = term_counts(self._rays, device)
        terms = len(loss_names())
        self._losses, self._loss_sum = (torch.zeros(terms, device=device) for _ in range(2))
        white = 1.0 if config.background == "white" else 0.0
        self.background = torch.full((3,), white, device=device)
        """Colour behind everything in the newest step."""
        self._steps_summed = 0
        self._scales = self._scalars.scales(
            self.truncation_m, self._replay.has_foreground, self.image_background
        )
        cube = [*self._field.origin_m.tolist(), self._field.side_m]
        self._cube = torch.tensor(cube, device=device)
        self._metres = (self._field.sdf_scale_m, self._field.sdf_scale_m / self._field.side_m)
        self._stages = self._make_stages()

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
        self.steps += 1
        self._steps_summed += 1
        if self.steps % self.config.snapshot_every == 0:
            self._keep_if_finite()

    def resume_at(self, steps: int) -> None:
        """Count on from a number of steps that were taken before."""
        self.steps = steps
        self._field.set_step(steps)

    def scale_rates(self, factor: float) -> None:
        """Multiply all learning rates from now on."""
        self._rates_by_step.scale(factor)

    def _prepare(self) -> None:
        """Bring buffers and scalars up to what has changed since the last step."""
        if self._has_sensor != self._grid.has_sensor:
            # Only the first keyframe decides whether there is depth.
            self._allocate()
            self._captured_for = None
        key = self._shape_key()
        if key != self._captured_for:
            self._box, self._graphs, self._captured_for = self._grid.aabb, [], key
        self._scalars.write(self.steps)

    def _shape_key(self) -> object:
        """What a captured graph has baked in and others may replace: cells, camera rays."""
        return (
            self._grid.occupied.data_ptr(),
            tuple(self._grid.occupied.shape),
            self._replay.store().camera_rays.data_ptr(),
        )

    def _capture(self) -> None:
        kept = [t.clone() for t in self._state()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                # Compiles every kernel; what these steps change is put back.
                self._launch(self._stages)
        torch.cuda.current_stream().wait_stream(stream)
        for target, value in zip(self._state(), kept, strict=True):
            target.copy_(value)
        for names in self._parts():
            graph = torch.cuda.CUDAGraph()
            # Other threads, as that which watches over NCCL, may go on.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._launch(names)
            self._graphs.append(graph)
        _LOG.info("training step captured: %d rays, %d samples", self._rays, self._budget)

    def _state(self) -> list[torch.Tensor]:
        flat = self._flat
        return [
            flat.value,
            flat.half,
            flat.mean,
            flat.square,
            flat.gradient,
            self._counter,
            self._adam_count,
            self._loss_sum,
            self._samples_seen,
            self._bad_steps,
            self._ray_limit,
        ]

    @property
    def weights(self) -> LossWeights:
        """Of the newest step."""
        return self._scalars.weights_now

    @property
    def rays_placed(self) -> torch.Tensor:
        """How many rays of the newest step, the first ones, found room in the budget."""
        return self._counts.placed

    def update_grid(self, cells: int, generator: torch.Generator) -> None:
        """Let the occupancy grid follow the field in random cells, as many as given."""
        self._update_grid(cells, generator)

    def stages(self) -> Stages:
        """The parts of a step by name, in their order.

        One after the other they are the step; a benchmark calls each alone.
        """
        self._prepare()
        return dict(self._stages)

    def _make_stages(self) -> Stages:
        flat = self._flat
        measures_distance = self._grid.has_sensor and self._density is None
        weighs_samples = measures_distance or self._scales.with_sparsity
        call = (
            self._points, self._batch.seen_directions, self._samples.ray_index, flat.weights(),
            self._field.layout, self._metres, self._buffers, self._output,
        )  # fmt: skip
        return {
            "draw": self._draw,
            "place": self._place,
            **forward_stages(*call, self._total),
            "composite": self._composite,
            "loss": self._compare_rays,
            "composite backward": self._composite_backward,
            **({"loss of samples": self._compare_samples} if weighs_samples else {}),
            **backward_stages(*call, self._d_output, flat.gradients(), self._run_levels),
            **({"freeze": self._freeze} if self._frozen else {}),
            "optimiser": self._update,
        }

    def _parts(self) -> list[list[str]]:
        """Names of the stages; several processes average their gradients between two parts."""
        names = list(self._stages)
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

    def _draw(self) -> None:
        replay = self._replay
        self._counter += 1
        draw(
            replay.store(), self._counter, replay.width_px, replay.depth_step_m,
            self.config.view_dropout, self._batch, replay.one_keyframe,
        )  # fmt: skip

    def _place(self) -> None:
        batch, grid, samples, box = self._batch, self._grid, self._samples, self._box
        if grid.has_sensor:
            place = self._ray_sampling
            sample_rays_into(
                batch, grid.occupied, box, grid.step_m, grid.max_steps,
                place.samples_in_free_space, place.samples_in_band, place.truncation_m,
                place.near_m, self._counter, self._cube, samples, self._total, self._points,
            )  # fmt: skip
        else:
            march_packed_into(
                batch.origins, batch.directions, grid.occupied, box, grid.step_m, grid.max_steps,
                batch.jitter, samples, self._total, self._ray_limit, self._points, self._cube,
                self._demand, self._counts.placed,
            )  # fmt: skip
            # The rays follow their samples, so that the budget is just filled (instant-ngp); rays
            # that found no room are work for nothing, so too many are corrected at once.
            wanted = self._ray_limit * (0.95 * self._budget) / self._demand.clamp(min=1.0)
            smooth = 0.9 * self._ray_limit + 0.1 * wanted
            limit = torch.where(self._demand > self._budget, wanted, smooth)
            self._ray_limit.copy_(limit.clamp(64, self._rays))

    def _composite(self) -> None:
        torch.exp(10.0 * self._field.log_inv_s.detach(), out=self._inv_s)
        composite_forward(
            self._batch.directions, self._samples, self._output, self._inv_s,
            self._scalars.cos_anneal, self._rendered, self._density,
        )  # fmt: skip

    def _compare_rays(self) -> None:
        batch, samples = self._batch, self._samples
        self._losses.zero_()
        self._d_inv_s.zero_()
        count_terms(batch, samples, self._total, self._scales, self._counts)
        if self.config.background == "random":
            self.background.uniform_()
        ray_losses(
            batch, samples, self._rendered, self.background, self._counts, self._scales,
            self._d_rendered, self._losses,
        )  # fmt: skip

    def _composite_backward(self) -> None:
        batch, samples = self._batch, self._samples
        share = self._total.clamp(min=1)
        torch.div(self._scalars.weights[_EIKONAL], share, out=self._eikonal_scale)
        composite_backward(
            batch.directions, samples, self._output, self._inv_s, self._scalars.cos_anneal,
            self._rendered, self._d_rendered, self._d_output, self._d_inv_s,
            self._eikonal_scale, None if self._density else self._losses[_EIKONAL], self._density,
        )  # fmt: skip
        self._losses[_EIKONAL].div_(share)
        # inv_s = exp(10 v)
        self._flat.sharpness_gradient.copy_(10.0 * self._inv_s * self._d_inv_s)

    def _compare_samples(self) -> None:
        sample_losses(
            self._batch, self._samples, self._total, self._output.sdf, self._counts,
            self._scales, self._d_output.sdf, self._losses,
        )  # fmt: skip

    def _freeze(self) -> None:
        for weight, columns in self._frozen:
            self._flat.gradient_views()[weight][:, columns].zero_()

    def _update(self) -> None:
        flat = self._flat
        self._loss_sum += self._losses
        self._samples_seen += self._total
        heads = flat.gradient[flat.heads_start :]
        self._bad_steps += ~(heads.sum() + self._losses.sum()).isfinite()
        self._adam_count += 1
        flat.update(self._scalars.rates, self._adam_count, self.config.optimiser)

    def gradients_once(
        self,
    ) -> tuple[dict[str, torch.Tensor], DrawnRays, RaySamples, torch.Tensor]:
        """Gradients of one batch by parameter, its rays, samples and losses, for tests.

        Nothing is updated.
        """
        stages = self.stages()
        self._scalars.write(self.steps, cos_anneal=1.0)
        del stages["optimiser"]
        for stage in stages.values():
            stage()
        gradients = {name: view.clone() for name, view in self._flat.gradient_views().items()}
        self._flat.gradient.zero_()
        return gradients, self._batch, self._samples, self._losses.clone()

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Mean losses, valid samples and rays since the last call; waits for the device."""
        if self._has_sensor is None:
            return dict.fromkeys((*loss_names(), "total"), 0.0), 0, 0
        self._check_finite()
        steps = max(self._steps_summed, 1)
        means = dict(zip(loss_names(), (self._loss_sum / steps).tolist(), strict=True))
        means["total"] = sum(getattr(self.weights, name) * means[name] for name in loss_names())
        samples = int(self._samples_seen)
        rays = self._steps_summed * min(self._rays, int(self._ray_limit))
        self._loss_sum.zero_()
        self._samples_seen.zero_()
        self._steps_summed = 0
        return means, samples, rays

    def _keep_if_finite(self) -> None:
        if self._check_finite():
            self._snapshot.copy_(self._flat.value)

    def _check_finite(self) -> bool:
        """Whether steps and parameters are finite; else the last snapshot comes back."""
        # An entry that no ray has touched since makes no step bad, but a snapshot that is.
        bad = int(torch.maximum(self._bad_steps, (~self._flat.value.sum().isfinite()).long()))
        if bad == 0:
            return True
        self.counters["steps_rolled_back"] += bad
        _LOG.warning("%d steps up to %d not finite: the last snapshot is back", bad, self.steps)
        self._flat.restart_from(self._snapshot)
        self._bad_steps.zero_()
        self._loss_sum.zero_()
        return False
