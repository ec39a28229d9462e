# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The nearest disc on GPU and CPU against the torch twin, and that twin by brute force."""

from importlib import import_module

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.nearest_disc import reference as nearest_disc_torch
from ineus_core.kernels.nearest_disc.reference import DiscGrid

RADIUS_M = 0.03


def grid_of(device: torch.device, discs: int = 400, per_cell: int = 4) -> DiscGrid:
    """Return random discs in 4 x 5 x 6 cells, each of which knows its own or those of one."""
    generator = torch.Generator().manual_seed(3)
    shape = (4, 5, 6)
    place = torch.rand((discs, 3), generator=generator) * torch.tensor(shape) * 0.1
    normal = torch.nn.functional.normalize(torch.randn((discs, 3), generator=generator))
    x, y, z = (place / 0.1).long().unbind(1)
    cell = (x * shape[1] + y) * shape[2] + z
    order = torch.argsort(cell)
    count = torch.bincount(cell, minlength=120)
    first = count.cumsum(0) - count
    others = torch.zeros(discs, dtype=torch.int64)
    others[first[count > 0]] = count[count > 0] - 1
    some = first[count > 0][0]
    elements = torch.cat((place, normal), dim=1)[order]
    nearest, low = torch.where(count > 0, first, some), torch.tensor([1.0, -2.0, 0.5])
    elements[:, :3] += low
    elements, nearest, others, low = (t.to(device) for t in (elements, nearest, others, low))
    return DiscGrid(elements, nearest, others, low, shape, 0.1, RADIUS_M, per_cell)


def points_around(grid: DiscGrid, n: int) -> Tensor:
    """Return points in the box, around it, far off, and one on a disc."""
    points = torch.rand((n, 3)) * 1.2 - 0.3
    points[::7] *= 1e6
    points = points.to(grid.low_m.device) + grid.low_m
    points[:1] = grid.elements[:1, :3]
    return points


@pytest.mark.parametrize("n", [0, 1, 127, 5001])
@pytest.mark.parametrize(
    ("backend", "device"),
    [pytest.param("gpu", "cuda", marks=pytest.mark.gpu), ("cpu", "cpu")],
)
def test_matches_torch(backend: str, device: str, n: int) -> None:
    nearest_disc = import_module(f"ineus_core.kernels.nearest_disc.{backend}").nearest_disc
    grid = grid_of(torch.device(device))
    points = points_around(grid, n)
    distance_m, away, in_front = nearest_disc(points, grid)
    expected_m, expected_away, expected_front = nearest_disc_torch.nearest_disc(points, grid)
    torch.testing.assert_close(distance_m, expected_m, atol=1e-6, rtol=1e-5)
    # Where two discs are equally near, as all are from afar, either may be taken.
    near = expected_m < 10.0
    same = ((away - expected_away).abs().amax(dim=1) < 1e-3) & (in_front == expected_front)
    assert int((near & ~same).sum()) <= n // 500


def test_the_twin_finds_the_nearest_of_those_around() -> None:
    grid = grid_of(torch.device("cpu"), per_cell=64)
    points = grid.low_m + torch.rand((300, 3)) * torch.tensor([0.4, 0.5, 0.6])
    distance_m, away, in_front = nearest_disc_torch.nearest_disc(points, grid)
    delta = points[:, None] - grid.elements[:, :3]
    height = (delta * grid.elements[:, 3:]).sum(-1)
    aside = (delta - height[..., None] * grid.elements[:, 3:]).norm(dim=-1)
    by_force = torch.hypot(height, (aside - RADIUS_M).clamp(min=0))
    least, best = by_force.min(dim=1)
    # What is nearer than half a cell lies in one of the eight cells around a point.
    near = least < 0.5 * grid.cell_m - RADIUS_M
    assert int(near.sum()) > 30
    torch.testing.assert_close(distance_m[near], least[near], atol=1e-6, rtol=1e-5)
    rows = torch.arange(len(points))
    assert torch.equal(in_front[near], (height[rows, best] >= 0)[near])
    torch.testing.assert_close(away.norm(dim=1), torch.ones(300))
