# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cells of points: by hand, and the Triton version against plain torch."""

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.cell_lookup import cells_at, cpu, reference

GPU = torch.device("cuda")
LOW = (-3, 5, -2)


def test_points_by_hand() -> None:
    cells = torch.zeros(2, 2, 2, dtype=torch.bool)
    cells[1, 0, 1] = True
    # Cell (-2, 5, -1) of the world spans -0.2 to -0.1, 0.5 to 0.6 and -0.1 to 0 m.
    inside, beside, outside = [-0.15, 0.55, -0.05], [-0.25, 0.55, -0.05], [9.0, -1e6, 0.0]
    assert cells_at(torch.tensor([inside, beside, outside]), cells, LOW, 0.1).tolist() == [1, 0, 0]
    assert cells_at(torch.zeros(0, 3), cells, LOW, 0.1).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [0, 1, 5000])
def test_numba_finds_the_same(n: int, dtype: torch.dtype) -> None:
    cells = torch.rand(11, 7, 9) < 0.5
    places = torch.tensor([13.0, 9.0, 11.0]) * torch.rand(n, 3, dtype=dtype) - 1.0
    points = 0.3 * (torch.tensor(LOW) + places)
    points[::17] *= 1e4
    # On the edges of cells, where the last bit decides.
    points[1::5] = (points[1::5] / 0.3).round() * 0.3
    expected = reference.cells_at(points, cells, LOW, 0.3)
    assert torch.equal(cpu.cells_at(points, cells, LOW, 0.3), expected)
    assert n < 5000 or 0.2 < float(expected.float().mean()) < 0.5


def test_what_is_no_place_lies_in_no_cell() -> None:
    strange = torch.tensor([[float("nan"), 0, 0], [0, float("inf"), 0], [0, 0, -1e30]])
    assert not cpu.cells_at(strange, torch.ones(9, 9, 9, dtype=torch.bool), (-4, -4, -4), 1).any()


@pytest.mark.gpu
@pytest.mark.parametrize("by_axis", [False, True])
@pytest.mark.parametrize("n", [0, 1, 1023, 1025, 5000])
def test_triton_finds_the_same(n: int, by_axis: bool) -> None:
    from ineus_core.kernels.cell_lookup import gpu

    cells = torch.rand(11, 7, 9) < 0.5
    low = 0.3 * torch.tensor(LOW)
    points = low + 0.3 * (torch.tensor([13.0, 9.0, 11.0]) * torch.rand(n, 3) - 1.0)
    points[::17] *= 1e4
    # As fields write them: all of one axis after one another.
    there = points.t().contiguous().to(GPU).t() if by_axis else points.to(GPU)
    got: Tensor = gpu.cells_at(there, cells.to(GPU), LOW, 0.3)
    assert torch.equal(got.cpu(), reference.cells_at(points, cells, LOW, 0.3))
