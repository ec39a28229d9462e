# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of the rays of an image: by hand, and the Triton versions against plain torch."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.kernels.image_rays import keep_visible, march_view, reference
from ineus_core.types import RaySamples

CPU, GPU = torch.device("cpu"), torch.device("cuda")
STEP_M, MOST_STEPS, PER_RAY = 0.11, 40, 9
SIZES = [0, 1, 127, 129, 1000]


def scene(rays: int, device: torch.device = CPU) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return an origin before a box of cells, rays towards it and beside it."""
    torch.manual_seed(rays)
    cells = torch.rand(9, 8, 7) < 0.4
    aabb = torch.tensor([[-1.0, -1.0, -1.0], [1.25, 1.0, 0.75]])
    origin = torch.tensor([-3.0, 0.2, 0.1])
    directions = normalize(torch.randn(rays, 3) * 0.4 + torch.tensor([1.0, 0.0, 0.0]), dim=1)
    return origin.to(device), directions.to(device), cells.to(device), aabb.to(device)


def assert_same(got: tuple[RaySamples, Tensor], expected: tuple[RaySamples, Tensor]) -> None:
    for name in ("ray_index", "valid", "first", "count"):
        ours, theirs = (getattr(samples, name).cpu() for samples, _ in (got, expected))
        assert torch.equal(ours.long(), theirs.long()), name
    for name in ("t_starts", "t_ends"):
        ours, theirs = (getattr(samples, name).cpu() for samples, _ in (got, expected))
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got[1].cpu(), expected[1].cpu(), atol=1e-5, rtol=1e-5)


def test_steps_by_hand() -> None:
    cells = torch.zeros(4, 4, 4, dtype=torch.bool)
    cells[1, 0, 0] = cells[3, 0, 0] = True
    aabb = torch.tensor([[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]])
    origin, directions = torch.tensor([-1.0, 0.5, 0.5]), torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]])
    samples, points = march_view(origin, directions, cells, aabb, 0.5, 20, 3)
    # It enters at t = 1; steps begin at 1.25, 1.75, ... and count where their middle is.
    assert samples.t_starts.tolist() == [1.75, 2.25, 3.75]
    assert (samples.count.tolist(), samples.ray_index.tolist()) == ([3, 0], [0, 0, 0])
    torch.testing.assert_close(points[:, 0], torch.tensor([1.0, 1.5, 3.0]))


def test_what_is_clearly_before_or_behind_a_surface_is_left_out() -> None:
    count = torch.tensor([5, 0, 2])
    first = count.cumsum(0) - count
    ray = torch.repeat_interleave(torch.arange(3), count)
    valid = torch.ones(7, dtype=torch.bool)
    samples = RaySamples(torch.arange(7.0), torch.arange(1.0, 8.0), ray, valid, first, count)
    # Before, before, near, behind, and near again behind that; a ray that is all before.
    sdf = torch.tensor([3.0, 2.0, 0.1, -2.0, 0.0, 3.0, 3.0])
    kept, points = keep_visible(samples, torch.rand(7, 3), sdf, torch.tensor(10.0), 1.0)
    assert kept.t_starts.tolist() == [2.0, 3.0]
    assert (kept.count.tolist(), kept.first.tolist()) == ([2, 0, 0], [0, 2, 2])
    assert points.shape == (2, 3)


@pytest.mark.gpu
@pytest.mark.parametrize("rays", SIZES)
def test_triton_finds_the_same_samples(rays: int) -> None:
    from ineus_core.kernels.image_rays import gpu

    got = gpu.march_view(*scene(rays, GPU), STEP_M, MOST_STEPS, PER_RAY)
    expected = reference.march_view(*scene(rays), STEP_M, MOST_STEPS, PER_RAY)
    assert rays < 100 or len(expected[1]) > rays
    assert_same(got, expected)


@pytest.mark.gpu
@pytest.mark.parametrize("rays", SIZES)
def test_triton_keeps_the_same_samples(rays: int) -> None:
    from ineus_core.kernels.image_rays import gpu

    samples, points = gpu.march_view(*scene(rays, GPU), STEP_M, MOST_STEPS, PER_RAY)
    sdf, inv_s = torch.randn(len(points)).to(GPU), torch.tensor(12.0, device=GPU)
    got = gpu.keep_visible(samples, points, sdf, inv_s, STEP_M)
    on_host = RaySamples(*(tensor.cpu().clone() for tensor in vars(samples).values()))
    call = (on_host, points.cpu(), sdf.cpu(), inv_s.cpu(), STEP_M)
    expected = reference.keep_visible(*call)
    assert rays < 100 or 0 < len(expected[1]) < len(points)
    assert_same(got, expected)
