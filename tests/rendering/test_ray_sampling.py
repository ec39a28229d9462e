# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where training samples lie: band, free space, rays without depth, rays that do not count."""

import pytest
import torch
from tiny_scene import CPU
from torch import Tensor

from ineus_core.rendering import OccupancyConfig, OccupancyGrid, RaySamplingConfig, sample_rays
from ineus_core.types import RayBatch, RaySamples

CONFIG = RaySamplingConfig(
    samples_in_band=4, samples_in_free_space=3, truncation_m=0.2, near_m=0.1
)


def batch_of(ranges: list[float], valid: list[bool] | None = None) -> RayBatch:
    rays = len(ranges)
    range_m = torch.tensor(ranges)
    return RayBatch(
        origins=torch.tensor([[0.05, 0.5, 0.5]]).expand(rays, 3),
        directions=torch.tensor([[1.0, 0, 0]]).expand(rays, 3),
        rgb=torch.rand(rays, 3),
        range_m=range_m,
        normal=torch.zeros(rays, 3),
        has_depth=range_m > 0,
        valid=torch.tensor(valid or [True] * rays, dtype=torch.bool),
    )


def place(batch: RayBatch, grid: OccupancyGrid | None = None) -> RaySamples:
    box = torch.tensor([[0.0, 0.0, 0.0], [4.0, 1.0, 1.0]])
    grid = grid or OccupancyGrid(OccupancyConfig(), 0.1, box, CPU)
    return sample_rays(batch, grid, CONFIG, torch.Generator().manual_seed(0))


def by_ray(values: Tensor) -> Tensor:
    return values.view(-1, 7)


def test_a_ray_with_depth_is_divided_into_free_space_and_band() -> None:
    samples = place(batch_of([2.0] * 200))
    starts, ends = by_ray(samples.t_starts), by_ray(samples.t_ends)
    assert bool(samples.valid.all())
    assert samples.count.tolist() == [7] * 200
    # Near to far, without gap or overlap.
    assert torch.equal(starts[:, 1:], ends[:, :-1])
    assert bool((ends >= starts).all())
    assert starts.min() >= 0.1
    torch.testing.assert_close(ends[:, -1], torch.full((200,), 2.2))
    assert bool((starts[:, 3:] >= 1.8).all())
    assert bool((starts[:, :3] < 1.8).all())


def test_midpoints_sweep_the_band() -> None:
    samples = place(batch_of([2.0] * 2000))
    middle = by_ray(0.5 * (samples.t_starts + samples.t_ends))[:, 3:].reshape(-1)
    counts = torch.histc(middle, 8, 1.8, 2.2)
    assert bool((counts > 0.4 * counts.mean()).all())


@pytest.mark.parametrize("range_m", [0.05, 0.12, 0.3])
def test_a_return_close_to_the_camera_gives_ordered_samples(range_m: float) -> None:
    samples = place(batch_of([range_m] * 50))
    starts, ends = by_ray(samples.t_starts), by_ray(samples.t_ends)
    assert bool((ends >= starts).all())
    assert bool(samples.t_starts.isfinite().all())


def test_a_ray_without_depth_is_marched() -> None:
    box = torch.tensor([[0.0, 0.0, 0.0], [4.0, 1.0, 1.0]])
    grid = OccupancyGrid(OccupancyConfig(), 0.1, box, CPU)
    grid.has_sensor = True
    grid.occupied[:] = False
    grid.occupied[20] = True
    samples = place(batch_of([0.0, 2.0]), grid)
    starts, valid = by_ray(samples.t_starts), by_ray(samples.valid)
    # Cell 20 begins at 2.0, which is 1.95 from the camera; two steps of half a cell fit.
    assert samples.count.tolist() == [2, 7]
    assert bool(((starts[0, :2] > 1.9) & (starts[0, :2] < 2.05)).all())
    assert valid[0].tolist() == [True, True] + [False] * 5


def test_rays_that_are_not_valid_have_no_valid_sample() -> None:
    samples = place(batch_of([2.0, 0.0, 2.0], [False, False, True]))
    assert samples.count.tolist() == [0, 0, 7]
    assert by_ray(samples.valid).sum(dim=1).tolist() == [0, 0, 7]


def test_no_rays() -> None:
    assert place(batch_of([])).t_starts.shape == (0,)


def test_every_ray_has_the_same_room() -> None:
    samples = place(batch_of([0.0, 1.0, 3.0]))
    assert samples.first.tolist() == [0, 7, 14]
    assert samples.ray_index.tolist() == [0] * 7 + [1] * 7 + [2] * 7
    assert CONFIG.samples_per_ray == 7


@pytest.mark.parametrize(
    ("given_m", "voxel_size_m", "resolved_m"),
    [(0.0, 0.025, 0.06), (0.0, 0.08, 0.16), (0.02, 0.08, 0.02)],
)
def test_the_truncation_follows_the_voxels_unless_given(
    given_m: float, voxel_size_m: float, resolved_m: float
) -> None:
    ray_sampling = RaySamplingConfig(truncation_m=given_m).resolved(voxel_size_m)
    assert ray_sampling.truncation_m == pytest.approx(resolved_m)
