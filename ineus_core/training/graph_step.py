# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One optimiser step on an NVIDIA GPU: kernels over buffers that are kept, captured as one graph.

Nothing here waits for the device, allocates or branches on a value of the device; what changes
between steps are scalars on the device. `step.TrainStep` is the same step for every device and
the reference.
"""

import logging
from collections import Counter

import torch

from ineus_core.fields import HashSdf
from ineus_core.kernels.adam_triton import adam_step
from ineus_core.kernels.composite_triton import composite_backward, composite_forward
from ineus_core.kernels.draw_triton import DrawnRays, draw, drawn_rays
from ineus_core.kernels.field_triton import field_backward, field_buffers, field_forward
from ineus_core.kernels.losses_triton import LossScales, count_terms, ray_losses, sample_losses
from ineus_core.kernels.placement_triton import place_samples_into
from ineus_core.kernels.ray_march_triton import ray_march_into, sample_buffers
from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, PlacementConfig
from ineus_core.training.flat_field import FlatField
from ineus_core.training.losses import LOSS_NAMES
from ineus_core.training.schedules import linear_ramp, warm_up
from ineus_core.training.step import TrainingConfig
from ineus_core.types import FieldOutput, RaySamples

_LOG = logging.getLogger(__name__)
_EIKONAL = LOSS_NAMES.index("eikonal")
_RUN_LEVELS = 10
"""Coarse levels, where neighbouring samples share cells and runs of them are summed first."""


class _Rates:
    """What `Reconstructor.settle` sets."""

    rate_factor = 1.0


class GraphStep:
    """The same interface as `TrainStep`.

    Args:
        config: With every automatic value resolved.
        placement: Where samples lie.
        field: What is trained; its parameters move into one buffer.
        grid: Where to sample rays without depth.
        replay: Where rays come from.
        is_captured: Replay a captured graph; otherwise launch every kernel anew, for tests.
    """

    def __init__(
        self,
        config: TrainingConfig,
        placement: PlacementConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        replay: Replay,
        is_captured: bool = True,
    ) -> None:
        """Allocate every buffer of a step."""
        self._config, self._placement = config, placement
        self._field, self._grid, self._replay = field, grid, replay
        self._is_captured = is_captured
        self.optimiser = _Rates()
        self.steps = 0
        self.counters: Counter[str] = Counter()
        self._flat = FlatField(field)
        self._has_sensor: bool | None = None
        self._snapshot = self._flat.value.clone()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured_for: object = None

    def _allocate(self) -> None:
        device, config = self._replay.device, self._config
        has_sensor = self._has_sensor = self._grid.has_sensor
        # Rays without depth differ in their samples, so many may be drawn; what does not fit is
        # left out.
        self._rays = config.rays_per_step if has_sensor else 4 * config.rays_per_step
        self._budget = (
            self._rays * self._placement.samples_per_ray if has_sensor else config.samples_per_step
        )
        self._batch = drawn_rays(self._rays, device)
        self._samples = sample_buffers(self._rays, self._budget, device)
        self._points = torch.zeros((3, self._budget), device=device).t()
        self._run_levels = min(_RUN_LEVELS, self._field.layout.levels)
        layout, outputs = self._field.layout, self._field.config.geometry_features
        self._buffers = field_buffers(self._budget, layout, outputs, device)
        self._output, self._d_output = (_output(self._budget, device) for _ in range(2))
        self._rendered, self._d_rendered = (
            torch.zeros((self._rays, 8), device=device) for _ in range(2)
        )
        integers = torch.zeros(3, dtype=torch.int64, device=device)
        self._counter, self._samples_seen, self._bad_steps = integers.unbind()
        self._counter.fill_(int(torch.randint(1 << 40, ())))
        self._total = torch.zeros((), dtype=torch.int32, device=device)
        self._ray_limit = torch.full((), self._rays, dtype=torch.int32, device=device)
        scalars = torch.zeros(8, device=device)
        self._inv_s, self._cos_anneal, self._eikonal_scale, self._d_inv_s = scalars[:4].unbind()
        self._adam_count, self._table_rate = scalars[4:6].unbind()
        self._heads_rate, self._sharpness_rate = scalars[6:].unbind()
        self._counts = torch.zeros(4, device=device)
        terms = len(LOSS_NAMES)
        self._losses, self._loss_sum = (torch.zeros(terms, device=device) for _ in range(2))
        white = 1.0 if config.background == "white" else 0.0
        self._background = torch.full((3,), white, device=device)
        self._steps_summed = 0
        self._written: tuple[float, ...] = ()
        w = config.weights
        self._scales = LossScales(
            w.photometric, w.depth, w.band, w.free_space, self._placement.truncation_m
        )
        cube = [*self._field.origin_m.tolist(), self._field.side_m]
        self._cube = torch.tensor(cube, device=device)
        self._metres = (self._field.sdf_scale_m, self._field.sdf_scale_m / self._field.side_m)

    def __call__(self) -> None:
        """Take one step."""
        if self._has_sensor != self._grid.has_sensor:
            # Only the first keyframe decides whether there is depth.
            self._allocate()
            self._graph = None
        self._write_scalars()
        if self._is_captured:
            key = self._shape_key()
            if self._graph is None or key != self._captured_for:
                self._capture()
                self._captured_for = key
            assert self._graph is not None
            self._graph.replay()
        else:
            self._step()
        self.steps += 1
        self._steps_summed += 1
        if self.steps % self._config.snapshot_every == 0:
            self._keep_if_finite()

    def _shape_key(self) -> object:
        """What a captured graph has baked in and others may replace: cells, camera rays."""
        return (
            self._grid.occupied.data_ptr(),
            tuple(self._grid.occupied.shape),
            self._replay.store().camera_rays.data_ptr(),
        )

    def _capture(self) -> None:
        self._box = self._grid.aabb
        kept = [t.clone() for t in self._state()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                # Compiles every kernel; what these steps change is put back.
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        for target, value in zip(self._state(), kept, strict=True):
            target.copy_(value)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._step()
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

    def _write_scalars(self) -> None:
        config = self._config.optimiser
        factor = self.optimiser.rate_factor * warm_up(self.steps, config.warm_up_steps)
        values = (
            linear_ramp(self.steps, self._config.cos_anneal_steps),
            config.table_rate * factor,
            config.heads_rate * factor,
            config.inv_s_rate * factor,
        )
        if values == self._written:
            return
        self._written = values
        scalars = (self._cos_anneal, self._table_rate, self._heads_rate, self._sharpness_rate)
        for scalar, value in zip(scalars, values, strict=True):
            scalar.fill_(value)

    def _step(self) -> None:
        self._draw_and_place()
        self._evaluate()
        self._compare()
        self._differentiate()
        self._update()

    def _draw_and_place(self) -> None:
        replay, grid, samples = self._replay, self._grid, self._samples
        self._counter += 1
        draw(
            replay.store(), self._counter, replay.width_px, replay.depth_step_m,
            self._config.view_dropout, self._batch,
        )  # fmt: skip
        batch, box = self._batch, grid.aabb if not self._is_captured else self._box
        if grid.has_sensor:
            place = self._placement
            place_samples_into(
                batch, grid.occupied, box, grid.step_m, grid.max_steps,
                place.samples_in_free_space, place.samples_in_band, place.truncation_m,
                place.near_m, self._counter, self._cube, samples, self._total, self._points,
            )  # fmt: skip
        else:
            ray_march_into(
                batch.origins, batch.directions, grid.occupied, box, grid.step_m, grid.max_steps,
                batch.jitter, samples, self._total, self._ray_limit, self._points, self._cube,
            )  # fmt: skip
            # The rays follow their samples, so that the budget is just filled (instant-ngp).
            wanted = self._ray_limit * (0.95 * self._budget) / self._total.clamp(min=1)
            limit = (0.9 * self._ray_limit + 0.1 * wanted).clamp(64, self._rays)
            self._ray_limit.copy_(limit)

    def _evaluate(self) -> None:
        torch.exp(10.0 * self._field.log_inv_s.detach(), out=self._inv_s)
        weights = self._flat.weights()
        self._call = (
            self._points, self._batch.seen_directions, self._samples.ray_index, weights,
            self._field.layout, self._metres, self._buffers,
        )  # fmt: skip
        field_forward(*self._call, self._output, self._total)
        composite_forward(
            self._batch.directions, self._samples, self._output, self._inv_s, self._cos_anneal,
            self._rendered,
        )  # fmt: skip

    def _compare(self) -> None:
        batch, samples = self._batch, self._samples
        self._losses.zero_()
        self._d_inv_s.zero_()
        count_terms(batch, samples, self._total, self._placement.truncation_m, self._counts)
        if self._config.background == "random":
            self._background.uniform_()
        ray_losses(
            batch, samples, self._rendered, self._background, self._counts, self._scales,
            self._d_rendered, self._losses,
        )  # fmt: skip
        share = self._total.clamp(min=1)
        torch.div(self._config.weights.eikonal, share, out=self._eikonal_scale)
        composite_backward(
            batch.directions, samples, self._output, self._inv_s, self._cos_anneal,
            self._rendered, self._d_rendered, self._d_output, self._d_inv_s,
            self._eikonal_scale, self._losses[_EIKONAL],
        )  # fmt: skip
        self._losses[_EIKONAL].div_(share)
        if self._grid.has_sensor:
            sample_losses(
                batch, samples, self._total, self._output.sdf, self._counts, self._scales,
                self._d_output.sdf, self._losses,
            )  # fmt: skip

    def _differentiate(self) -> None:
        gradients = self._flat.gradients()
        field_backward(*self._call, self._output, self._d_output, gradients, self._run_levels)
        # inv_s = exp(10 v)
        self._flat.sharpness_gradient.copy_(10.0 * self._inv_s * self._d_inv_s)

    def _update(self) -> None:
        flat, config = self._flat, self._config.optimiser
        self._loss_sum += self._losses
        self._samples_seen += self._total
        heads = flat.gradient[flat.heads_start :]
        self._bad_steps += ~(heads.sum() + self._losses.sum()).isfinite()
        self._adam_count += 1
        ends = (0, flat.heads_start, flat.sharpness_start, len(flat.value))
        rates = (self._table_rate, self._heads_rate, self._sharpness_rate)
        for begin, end, rate in zip(ends[:-1], ends[1:], rates, strict=True):
            part = slice(begin, end)
            adam_step(
                flat.value[part], flat.gradient[part], flat.mean[part], flat.square[part],
                rate, self._adam_count, flat.half[part], betas=(config.beta1, config.beta2),
                epsilon=config.epsilon, sparse=begin == 0,
            )  # fmt: skip

    def gradients_once(
        self,
    ) -> tuple[dict[str, torch.Tensor], DrawnRays, RaySamples, torch.Tensor]:
        """Gradients of one batch by parameter, its rays, samples and losses, for tests.

        Nothing is updated.
        """
        if self._has_sensor != self._grid.has_sensor:
            self._allocate()
        self._write_scalars()
        self._cos_anneal.fill_(1.0)
        self._box = self._grid.aabb
        self._draw_and_place()
        self._evaluate()
        self._compare()
        self._differentiate()
        gradients = {name: view.clone() for name, view in self._flat.gradient_views().items()}
        self._flat.gradient.zero_()
        return gradients, self._batch, self._samples, self._losses.clone()

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Mean losses, valid samples and rays since the last call; waits for the device."""
        if self._has_sensor is None:
            return dict.fromkeys((*LOSS_NAMES, "total"), 0.0), 0, 0
        self._check_finite()
        steps = max(self._steps_summed, 1)
        means = dict(zip(LOSS_NAMES, (self._loss_sum / steps).tolist(), strict=True))
        weights = self._config.weights
        means["total"] = sum(getattr(weights, name) * means[name] for name in LOSS_NAMES)
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
        """Whether all steps since the last look were finite; else the last snapshot comes back."""
        bad = int(self._bad_steps)
        if bad == 0:
            return True
        self.counters["steps_rolled_back"] += bad
        _LOG.warning("%d steps up to %d not finite: the last snapshot is back", bad, self.steps)
        flat = self._flat
        flat.value.copy_(self._snapshot)
        flat.half.copy_(self._snapshot)
        for state in (flat.gradient, flat.mean, flat.square, self._bad_steps, self._loss_sum):
            state.zero_()
        return False


def _output(n: int, device: torch.device) -> FieldOutput:
    vectors = torch.zeros((7, n), device=device)
    return FieldOutput(vectors[6], vectors[:3].t(), vectors[3:6].t())
