# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cells that depth rays have observed: rays by hand, and the twins."""

import math
from importlib import import_module

import pytest
import torch
from torch import Tensor

BACKENDS = ["reference", "cpu", pytest.param("gpu", marks=pytest.mark.gpu)]
ALONG_X = torch.tensor([1.0, 0.0, 0.0])


def observed(
    backend: str, shape: tuple[int, ...], origin: Tensor, directions: Tensor, ranges: Tensor,
    **settings: float,
) -> Tensor:  # fmt: skip
    device = "cuda" if backend == "gpu" else "cpu"
    cells = torch.zeros(shape, dtype=torch.bool, device=device)
    lengths = {"reach_cells": 0.5, "spread": 0.0, "longest_cells": 100.0} | settings
    mark_observed = import_module(f"ineus_core.kernels.observed_mask.{backend}").mark_observed
    mark_observed(cells, origin.to(device), directions.to(device), ranges.to(device), **lengths)
    return cells.cpu()


def along_x(backend: str, range_cells: float, **settings: float) -> list[int]:
    """Return the cells of a row that one ray sets."""
    origin, ranges = torch.tensor([0.0, 0.5, 0.5]), torch.tensor([range_cells])
    cells = observed(backend, (10, 1, 1), origin, ALONG_X[None], ranges, **settings)
    return cells[:, 0, 0].nonzero()[:, 0].tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_return_has_observed_the_cells_within_reach_of_it(backend: str) -> None:
    assert along_x(backend, 6.6) == [6, 7], "6.1 to 7.1"
    assert along_x(backend, 6.25, reach_cells=0.1) == [6]
    assert along_x(backend, 6.5, spread=0.2) == [5, 6, 7], "5.2 to 7.8"
    assert along_x(backend, 9.0, spread=9.0) == [6, 7, 8, 9], "three cells at most"
    assert along_x(backend, 25.0) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_ray_without_a_return_has_observed_all_its_way(backend: str) -> None:
    assert along_x(backend, -1.0, longest_cells=4.0) == [0, 1, 2, 3]
    assert along_x(backend, -1e9) == list(range(10))
    assert along_x(backend, -1.0, longest_cells=0.0) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_ray_of_which_nothing_is_known_has_observed_nothing(backend: str) -> None:
    assert along_x(backend, -math.inf) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_rays_observe_nothing(backend: str) -> None:
    none = observed(backend, (3, 3, 3), torch.zeros(3), torch.zeros((0, 3)), torch.zeros(0))
    assert not none.any()


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_the_twin_observes_the_same_cells(backend: str) -> None:
    torch.manual_seed(4)
    directions = torch.nn.functional.normalize(torch.randn((1001, 3)), dim=1)
    ranges = 20 * torch.rand(1001) - 2
    shape, origin = (31, 24, 27), torch.tensor([14.2, 11.7, -1.3])
    sizes = {"reach_cells": 0.4, "spread": 0.07, "longest_cells": 9.7}
    found = observed(backend, shape, origin, directions, ranges, **sizes)
    expected = observed("reference", shape, origin, directions, ranges, **sizes)
    # What falls on the face between two cells may be rounded into either.
    assert (found != expected).float().mean() < 1e-3
    assert 0.1 < expected.float().mean() < 0.9
