# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The rays of a step on a GPU and their samples: kernels over buffers that are kept.

Both steps of a GPU take them from here, the captured one as launches, the eager one as tensors.
"""

import torch
from torch import Tensor

from ineus_core.fields import HashSdf
from ineus_core.kernels.ray_batch import HAS_DEPTH, drawn_rays
from ineus_core.kernels.ray_batch.gpu import draw
from ineus_core.kernels.ray_marching.gpu import march_packed_into, sample_buffers
from ineus_core.kernels.ray_sampling.gpu import sample_rays_into
from ineus_core.keyframes import Replay
from ineus_core.rendering import OccupancyGrid, RaySamplingConfig
from ineus_core.training.config import TrainingConfig
from ineus_core.training.ranks import Ranks
from ineus_core.training.rays import SampledRays
from ineus_core.types import RayBatch


class KernelRays:
    """Draws rays and places their samples; nothing here waits for the device.

    Args:
        config: With every automatic value resolved.
        ray_sampling: Where samples lie.
        field: In whose unit cube the points of the samples are given.
        grid: Where to sample rays without depth; whether there is depth is decided by now.
        replay: Where rays come from.
        ranks: The processes that train the same field, if there are several.
    """

    def __init__(
        self,
        config: TrainingConfig,
        ray_sampling: RaySamplingConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        replay: Replay,
        ranks: Ranks | None = None,
    ) -> None:
        """Allocate every buffer."""
        self._config, self._ray_sampling = config, ray_sampling
        self._grid, self._replay = grid, replay
        device, has_sensor = replay.device, grid.has_sensor
        self.has_sensor = has_sensor
        """Whether the buffers are for rays with depth."""
        # Rays without depth differ in their samples, so many may be drawn; what does not fit is
        # left out.
        self.rays = config.rays_per_step if has_sensor else 4 * config.rays_per_step
        with_depth = self.rays * ray_sampling.samples_per_ray
        self.budget = with_depth if has_sensor else config.samples_per_step
        self.batch = drawn_rays(self.rays, device, replay.has_confidence)
        self.samples = sample_buffers(self.rays, self.budget, device)
        # Axis by axis, so that neighbouring threads touch neighbouring numbers.
        self.points = torch.zeros((3, self.budget), device=device).t()
        """Middles of the samples, in the unit cube of the field."""
        self.total = torch.zeros((), dtype=torch.int32, device=device)
        """Samples that are no padding."""
        self.placed = torch.full((), self.rays, dtype=torch.int32, device=device)
        """How many rays, the first ones, found room in the budget."""
        # Counters of other processes are so far away that they never meet.
        rank = 0 if ranks is None else ranks.rank
        start = int(torch.randint(1 << 40, ())) + (rank << 42)
        self.counter = torch.full((), start, dtype=torch.int64, device=device)
        """Number of the newest batch, from which its random numbers follow."""
        # Before anything is known to be empty a ray has as many samples as it has steps.
        first_rays = min(self.rays, max(64, self.budget // grid.max_steps))
        limit = self.rays if has_sensor else first_rays
        self.limit = torch.full((), limit, dtype=torch.int32, device=device)
        """How many of the rays are used."""
        self.demand = torch.zeros((), device=device)
        """Samples that these would have without a budget."""
        # Fixed for good, so that it may be asked for once.
        cube = [*field.origin_m.tolist(), field.side_m]
        self._cube = torch.tensor(cube, device=device)

    def draw(self) -> None:
        """Draw random rays of the keyframes."""
        replay = self._replay
        # On the device, so that a replayed graph draws anew.
        self.counter += 1
        draw(
            replay.store(), self.counter, replay.width_px, replay.depth_step_m,
            self._config.view_dropout, self.batch, replay.one_keyframe,
        )  # fmt: skip

    def place(self) -> None:
        """Place samples on these rays."""
        batch, grid, sampling = self.batch, self._grid, self._ray_sampling
        box = grid.aabb
        if self.has_sensor:
            sample_rays_into(
                batch, grid.occupied, box, grid.step_m, grid.max_steps,
                sampling.samples_in_free_space, sampling.samples_in_band, sampling.truncation_m,
                sampling.near_m, self.counter, self._cube, self.samples, self.total, self.points,
                grid.sizes,
            )  # fmt: skip
        else:
            march_packed_into(
                batch.origins, batch.directions, grid.occupied, box, grid.step_m,
                grid.max_steps, batch.jitter, self.samples, self.total, self.limit, self.points,
                self._cube, self.demand, self.placed, grid.sizes,
            )  # fmt: skip
            self._adapt()

    def _adapt(self) -> None:
        """Let the rays follow their samples, so that the budget is just filled (instant-ngp)."""
        # Rays that found no room are work for nothing, so too many are corrected at once.
        # A little below the budget: batches differ, and rays beyond it are lost.
        wanted = self.limit * (0.95 * self.budget) / self.demand.clamp(min=1.0)
        smooth = 0.9 * self.limit + 0.1 * wanted
        limit = torch.where(self.demand > self.budget, wanted, smooth)
        # In place, as the next replay reads it from there.
        # Never 0, from which no factor would bring it back.
        self.limit.copy_(limit.clamp(64, self.rays))

    def sampled(self) -> SampledRays:
        """Return rays and samples as plain torch takes them.

        Rays that found no room are not valid.
        """
        drawn = self.batch
        index = torch.arange(self.rays, device=drawn.kind.device)
        batch = RayBatch(
            origins=drawn.origins,
            directions=drawn.directions,
            rgb=drawn.rgb,
            range_m=drawn.range_m,
            normal=drawn.normal,
            has_depth=(drawn.kind & HAS_DEPTH) != 0,
            valid=(drawn.kind > 0) & (index < self.placed),
            foreground=drawn.foreground if self._replay.has_foreground else None,
            depth_weight=drawn.depth_weight,
        )
        return SampledRays(batch, self.samples, drawn.seen_directions, self.total)

    def take_count(self, steps: int) -> int:
        """Return how many rays as many steps use by now; waits for the device."""
        return steps * min(self.rays, int(self.limit))

    @property
    def state(self) -> list[Tensor]:
        """What one step leaves to the next."""
        return [self.counter, self.limit]


class EagerKernelRays:
    """`KernelRays` for an eager step; see `training.rays.RaySource`.

    Args:
        parts: Arguments of `KernelRays`, which is made anew when the first depth comes.
    """

    def __init__(
        self,
        config: TrainingConfig,
        ray_sampling: RaySamplingConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        replay: Replay,
        ranks: Ranks | None = None,
    ) -> None:
        """Allocate nothing yet, as only the first keyframe decides whether there is depth."""
        self._parts = (config, ray_sampling, field, grid, replay, ranks)
        self._grid = grid
        self._rays: KernelRays | None = None

    def prepare(self) -> None:
        """Allocate the buffers, and anew when the first depth has come."""
        if self._rays is None or self._rays.has_sensor != self._grid.has_sensor:
            self._rays = KernelRays(*self._parts)

    def draw(self) -> None:
        """Draw random rays of the keyframes."""
        assert self._rays is not None, "prepare comes first"
        self._rays.draw()

    def sample(self) -> SampledRays:
        """Place samples on the rays that were drawn last."""
        rays = self._rays
        assert rays is not None, "prepare comes first"
        rays.place()
        return rays.sampled()

    def take_count(self, steps: int) -> int:
        """Return how many rays were used in as many steps; waits for the device."""
        return 0 if self._rays is None else self._rays.take_count(steps)
