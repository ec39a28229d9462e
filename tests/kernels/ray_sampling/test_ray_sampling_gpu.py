# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The samples of every RGB-D step on a GPU against plain torch, by ray."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.geometry import ray_box
from ineus_core.kernels.ray_batch import HAS_DEPTH, IS_FOREGROUND, IS_VALID, DrawnRays, drawn_rays
from ineus_core.kernels.ray_marching import march_padded
from ineus_core.kernels.ray_sampling import padded_samples, sample_rays
from ineus_core.types import RayBatch, RaySamples

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
CELL_M, STEP_M, MOST_STEPS = 0.25, 0.1, 60
FREE, BAND, TRUNCATION_M, NEAR_M = 5, 8, 0.2, 0.05
PER_RAY = FREE + BAND
COUNTER = 123456789012
SIDE_M = 3.0


def grid_and_box() -> tuple[Tensor, Tensor]:
    low = torch.tensor([-1.0, -1.0, -1.0])
    cells = torch.rand(9, 8, 7) < 0.4
    return cells, torch.stack((low, low + CELL_M * torch.tensor(cells.shape)))


def rays_of(n: int) -> DrawnRays:
    """Return rays from before the box: of no use, without and with depth, also a short one."""
    rays = drawn_rays(n, torch.device("cpu"))
    rays.origins[:] = torch.tensor([-2.0, 0.1, 0.2]) + 0.1 * torch.randn(n, 3)
    rays.directions[:] = normalize(torch.tensor([1.0, 0.0, 0.0]) + 0.3 * torch.randn(n, 3), dim=1)
    rays.range_m[:] = 3.0 * torch.rand(n)
    rays.range_m[::11] = 0.5 * NEAR_M
    kinds = torch.tensor([0, IS_VALID, IS_VALID | HAS_DEPTH, IS_VALID | HAS_DEPTH | IS_FOREGROUND])
    rays.kind[:] = kinds[torch.randint(4, (n,))].byte()
    rays.jitter[:] = torch.rand(n)
    return rays


def uniform(seed: int, offset: np.ndarray) -> np.ndarray:
    """Return the first number of Philox 4x32-10 (Salmon et al. 2011), 0 to 1, as Triton has it."""
    low = np.uint64(0xFFFFFFFF)
    c = [offset.astype(np.uint64), *(np.zeros_like(offset, dtype=np.uint64) for _ in range(3))]
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        first, second = np.uint64(keys[0]), np.uint64(keys[1])
        c = [(b >> np.uint64(32)) ^ c[1] ^ first, b & low, (a >> np.uint64(32)) ^ c[3] ^ second]
        c.append(a & low)
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    signed = c[0].astype(np.uint32).view(np.int32).astype(np.int64)
    return np.where(signed < 0, -signed - 1, signed) * 4.6566127342e-10


def expected_samples(rays: DrawnRays, cells: Tensor, box: Tensor) -> RaySamples:
    """Sample by plain torch, with the random numbers of the kernel."""
    n = len(rays.kind)
    batch = RayBatch(
        rays.origins,
        rays.directions,
        rays.rgb,
        rays.range_m,
        rays.normal,
        has_depth=(rays.kind & HAS_DEPTH) != 0,
        valid=(rays.kind & IS_VALID) != 0,
    )
    t_near, t_far = ray_box(rays.origins, rays.directions, box)
    t_far = torch.where(batch.valid & ~batch.has_depth, t_far, t_near)
    t_starts, count = march_padded(
        rays.origins, rays.directions, t_near, t_far, cells, box[0], CELL_M, STEP_M, MOST_STEPS,
        PER_RAY, rays.jitter,
    )  # fmt: skip
    found = torch.arange(PER_RAY) < count[:, None]
    marched = padded_samples(t_starts, t_starts + STEP_M, found)
    offset = np.arange(n)[:, None] * 128 + np.arange(PER_RAY)
    noise = torch.from_numpy(uniform(COUNTER + 1, offset) - 0.5).float()
    return sample_rays(batch, marched, noise, FREE, BAND, TRUNCATION_M, NEAR_M)


def sampled(
    rays: DrawnRays, cells: Tensor, box: Tensor, budget: int
) -> tuple[RaySamples, int, Tensor]:
    """Sample by the kernel, into buffers that are full of other numbers."""
    from ineus_core.kernels.ray_marching.gpu import sample_buffers
    from ineus_core.kernels.ray_sampling.gpu import sample_rays_into

    there = DrawnRays(*(t if t is None else t.to(GPU) for t in vars(rays).values()))
    samples = sample_buffers(len(rays.kind), budget, GPU)
    for buffer in vars(samples).values():
        buffer.fill_(77)
    total = torch.tensor(-1, dtype=torch.int32, device=GPU)
    points = torch.full((3, budget), torch.nan, device=GPU).t()
    cube = torch.tensor([*box[0].tolist(), SIDE_M], device=GPU)
    sample_rays_into(
        there, cells.to(GPU), box.to(GPU), STEP_M, MOST_STEPS, FREE, BAND, TRUNCATION_M, NEAR_M,
        torch.tensor(COUNTER, device=GPU), cube, samples, total, points,
    )  # fmt: skip
    on_host = RaySamples(*(tensor.cpu() for tensor in vars(samples).values()))
    return on_host, int(total), points.cpu()


@pytest.mark.parametrize("n", [0, 1, 63, 65, 700])
def test_samples_are_those_of_torch(n: int) -> None:
    cells, box = grid_and_box()
    rays = rays_of(n)
    budget = n * PER_RAY + 300
    samples, total, points = sampled(rays, cells, box, budget)
    expected = expected_samples(rays, cells, box)
    assert torch.equal(samples.count.long(), expected.count)
    assert total == int(expected.count.sum())
    assert torch.equal(samples.first.long(), expected.count.cumsum(0) - expected.count)
    # Packed, one ray after the other; what is left of the budget is padding.
    used = expected.valid
    assert torch.equal(samples.valid, torch.arange(budget) < total)
    assert torch.equal(samples.ray_index[:total].long(), expected.ray_index[used])
    torch.testing.assert_close(samples.t_starts[:total], expected.t_starts[used])
    torch.testing.assert_close(samples.t_ends[:total], expected.t_ends[used])
    middle = 0.5 * (expected.t_starts + expected.t_ends)[used, None]
    ray = expected.ray_index[used]
    world = rays.origins[ray] + middle * rays.directions[ray]
    torch.testing.assert_close(points[:total], (world - box[0]) / SIDE_M, atol=1e-6, rtol=1e-5)
    for padding in (samples.t_starts, samples.t_ends, samples.ray_index, points):
        assert not padding[total:].any()


def test_rays_that_do_not_fit_the_budget_get_nothing() -> None:
    cells, box = grid_and_box()
    rays = rays_of(200)
    expected = expected_samples(rays, cells, box)
    budget = int(expected.count[:150].sum()) + 3
    samples, total, _ = sampled(rays, cells, box, budget)
    fits = expected.count.cumsum(0) <= budget
    assert torch.equal(samples.count.long(), torch.where(fits, expected.count, 0))
    assert total == int(samples.valid.sum()) == int(samples.count.sum()) <= budget
