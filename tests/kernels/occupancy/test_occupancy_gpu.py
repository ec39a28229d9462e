# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Log odds on a GPU against the torch twin."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from ineus_core.kernels.occupancy import reference as carve_torch

pytestmark = pytest.mark.gpu
GAINS = (6, -1, 120)


@pytest.mark.parametrize("rays", [0, 1, 127, 5000])
def test_matches_torch(rays: int) -> None:
    from ineus_core.kernels.occupancy import gpu as carve_triton

    log_odds = torch.randint(-120, 120, (37, 21, 18), device="cuda").to(torch.int8)
    twin, scratch = log_odds.clone(), torch.zeros(log_odds.shape, dtype=torch.uint8, device="cuda")
    origin = torch.tensor((18.3, 10.2, -2.7), device="cuda")
    directions = normalize(torch.randn((rays, 3), device="cuda"), dim=1)
    ranges = 25 * torch.rand(rays, device="cuda")
    # Marks of one ray at a time are compared, as rounding may put a step into the next cell.
    for backend, target in ((carve_triton, log_odds), (carve_torch, twin)):
        backend.integrate_depth(target, scratch, origin, directions, ranges, 2.0, 1.5, GAINS)
    assert not scratch.any()
    assert (log_odds != twin).float().mean() < 1e-3


@pytest.mark.parametrize("range_cells", [-1e9, -math.inf])
def test_a_ray_without_a_return_says_nothing(range_cells: float) -> None:
    from ineus_core.kernels.occupancy import gpu as carve_triton

    log_odds = torch.zeros((4, 4, 4), dtype=torch.int8, device="cuda")
    scratch = torch.zeros((4, 4, 4), dtype=torch.uint8, device="cuda")
    directions = torch.tensor([[1.0, 0, 0]], device="cuda")
    ranges = torch.tensor([range_cells], device="cuda")
    origin = torch.full((3,), 0.5, device="cuda")
    carve_triton.integrate_depth(log_odds, scratch, origin, directions, ranges, 2.0, 1.5, GAINS)
    assert not log_odds.any()
