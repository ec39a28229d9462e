# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching through an occupancy grid: by hand, the budget, and the CPU twin."""

import pytest
import torch
from torch import Tensor

from ineus_core.geometry import ray_box
from ineus_core.kernels.ray_marching import cpu as ray_march_numba
from ineus_core.kernels.ray_marching import reference as ray_march_torch
from ineus_core.types import RaySamples

ALONG_X = torch.tensor([[1.0, 0.0, 0.0]])
BOX = torch.tensor([[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]])


def grid(*cells: tuple[int, int, int]) -> Tensor:
    """Return a grid of 4^3 cells of 1 m, some of them occupied."""
    occupied = torch.zeros(4, 4, 4, dtype=torch.bool)
    for cell in cells:
        occupied[cell] = True
    return occupied


def march(origins: Tensor, occupied: Tensor, budget: int = 16, jitter: float = 0.0) -> RaySamples:
    rays = len(origins)
    directions = ALONG_X.expand(rays, 3)
    shift = torch.full((rays,), jitter)
    return ray_march_torch.march_packed(origins, directions, occupied, BOX, 0.5, 20, budget, shift)


@pytest.fixture(params=["torch", "numba"])
def march_padded(request: pytest.FixtureRequest):
    return {"torch": ray_march_torch, "numba": ray_march_numba}[request.param].march_padded


def padded(march_padded, origins: Tensor, directions: Tensor, occupied: Tensor, **changes):
    t_near, t_far = ray_box(origins, directions, BOX)
    options = {
        "low_m": BOX[0],
        "cell_m": 1.0,
        "step_m": 0.5,
        "max_steps": 20,
        "per_ray": 6,
        "jitter": torch.zeros(len(origins)),
        **changes,
    }
    return march_padded(origins, directions, t_near, t_far, occupied, **options)


def test_one_ray_by_hand() -> None:
    # The ray enters the box at t = 1; cells 1 and 3 begin at t = 2 and 4, two steps each.
    samples = march(torch.tensor([[-1.0, 0.5, 0.5]]), grid((1, 0, 0), (3, 0, 0)))
    assert samples.t_starts[:4].tolist() == [2.0, 2.5, 4.0, 4.5]
    assert samples.t_ends[:4].tolist() == [2.5, 3.0, 4.5, 5.0]
    assert samples.valid.tolist() == [True] * 4 + [False] * 12
    assert (samples.first.tolist(), samples.count.tolist()) == ([0], [4])


def test_jitter_shifts_by_a_share_of_a_step() -> None:
    samples = march(torch.tensor([[0.0, 0.5, 0.5]]), grid((1, 0, 0)), jitter=0.5)
    # Steps begin at 0.25, 0.75, 1.25, ...; the middle decides which cell they are in.
    assert samples.t_starts[:3].tolist() == [0.75, 1.25, 0.0]
    assert samples.count.tolist() == [2]


def test_rays_are_packed_one_after_the_other() -> None:
    origins = torch.tensor([[0.0, 0.5, 0.5], [0.0, 3.5, 0.5], [0.0, 1.5, 0.5]])
    samples = march(origins, grid((0, 0, 0), (2, 1, 0), (3, 1, 0)))
    assert samples.count.tolist() == [2, 0, 4]
    assert samples.first.tolist() == [0, 2, 2]
    assert samples.ray_index[:6].tolist() == [0, 0, 2, 2, 2, 2]


def test_a_ray_beyond_the_budget_has_no_sample_at_all() -> None:
    origins = torch.tensor([[0.0, 0.5, 0.5]]).expand(3, 3)
    samples = march(origins, grid((0, 0, 0), (1, 0, 0)), budget=9)
    assert samples.count.tolist() == [4, 4, 0]
    assert samples.valid.sum() == 8


@pytest.mark.parametrize(
    "origins",
    [
        torch.zeros(0, 3),
        torch.tensor([[0.0, 9.0, 0.5]]),
        torch.tensor([[5.0, 0.5, 0.5]]),
    ],
)
def test_nothing_to_hit(origins: Tensor, march_padded) -> None:
    full = torch.ones(4, 4, 4, dtype=torch.bool)
    assert march(origins, full).count.sum() == 0
    directions = ALONG_X.expand(len(origins), 3)
    t_starts, count = padded(march_padded, origins, directions, full)
    assert (t_starts.shape, count.sum().item()) == ((len(origins), 6), 0)


def test_padded_by_hand(march_padded) -> None:
    origins = torch.tensor([[-1.0, 0.5, 0.5], [0.0, 3.5, 0.5]])
    occupied = grid((1, 0, 0), (3, 0, 0))
    t_starts, count = padded(march_padded, origins, ALONG_X.expand(2, 3), occupied)
    assert count.tolist() == [4, 0]
    assert t_starts[0, :4].tolist() == [2.0, 2.5, 4.0, 4.5]


def test_padded_keeps_the_nearest(march_padded) -> None:
    full = torch.ones(4, 4, 4, dtype=torch.bool)
    origins = torch.tensor([[0.0, 0.5, 0.5]])
    t_starts, count = padded(march_padded, origins, ALONG_X, full, per_ray=3)
    assert (t_starts.tolist(), count.tolist()) == ([[0.0, 0.5, 1.0]], [3])


def test_padded_stops_after_the_last_step(march_padded) -> None:
    full = torch.ones(4, 4, 4, dtype=torch.bool)
    origins = torch.tensor([[0.0, 0.5, 0.5]])
    _, count = padded(march_padded, origins, ALONG_X, full, max_steps=2)
    assert count.tolist() == [2]


def test_the_cpu_twin_finds_the_same_samples() -> None:
    rays = 300
    origins = 6 * torch.rand(rays, 3) - 1
    directions = torch.nn.functional.normalize(torch.randn(rays, 3))
    occupied = torch.rand(4, 4, 4) < 0.4
    jitter = torch.rand(rays)
    for per_ray in (1, 5, 16):
        results = [
            padded(m.march_padded, origins, directions, occupied, per_ray=per_ray, jitter=jitter)
            for m in (ray_march_torch, ray_march_numba)
        ]
        (t_a, count_a), (t_b, count_b) = results
        assert torch.equal(count_a, count_b)
        valid = torch.arange(per_ray) < count_a[:, None]
        torch.testing.assert_close(t_a[valid], t_b[valid])


def test_packed_and_padded_find_the_same_samples() -> None:
    rays = 50
    origins = 6 * torch.rand(rays, 3) - 1
    directions = torch.nn.functional.normalize(torch.randn(rays, 3))
    occupied, jitter = torch.rand(4, 4, 4) < 0.4, torch.rand(rays)
    tight = ray_march_torch.march_packed(origins, directions, occupied, BOX, 0.5, 20, 2000, jitter)
    # Steps whose middle lies behind the box count for neither, as they are in no cell.
    t_starts, count = padded(
        ray_march_torch.march_padded, origins, directions, occupied, per_ray=20, jitter=jitter
    )
    assert torch.equal(tight.count, count)
    torch.testing.assert_close(
        tight.t_starts[tight.valid], t_starts[torch.arange(20) < count[:, None]]
    )
