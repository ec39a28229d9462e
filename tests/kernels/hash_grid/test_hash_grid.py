# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid: layout by hand, interpolation, Jacobian three ways, and the CPU twin."""

import itertools

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid import cpu as hash_grid_numba
from ineus_core.kernels.hash_grid import reference as hash_grid_torch

ONE_DENSE = HashGridLayout(1, 1, 10, base_resolution=2, growth=1)
SMALL = HashGridLayout(levels=4, features=2, log2_entries=9, base_resolution=4, growth=1.7)
"""Resolutions 4, 6, 11, 19, of which the first two are dense."""


def random_table(layout: HashGridLayout, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(layout.entries, layout.features, dtype=dtype)


def random_points(n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(n, 3, dtype=dtype)


def plain_formula(points: Tensor, table: Tensor, layout: HashGridLayout) -> Tensor:
    """Evaluate the grid as the paper has it, corner by corner, differentiable in the points."""
    features = []
    for level, resolution in enumerate(layout.resolutions):
        scaled = points * resolution
        cell = scaled.detach().floor().clamp(max=resolution - 1)
        fraction = scaled - cell
        total = torch.zeros(len(points), layout.features, dtype=points.dtype)
        for bits in itertools.product((0, 1), repeat=3):
            x, y, z = (cell.long() + torch.tensor(bits)).unbind(1)
            if (resolution + 1) ** 3 <= 1 << layout.log2_entries:
                row = x + (resolution + 1) * y + (resolution + 1) ** 2 * z
            else:
                row = (x ^ y * 2654435761 ^ z * 805459861) % (1 << layout.log2_entries)
            weight = torch.ones(len(points), dtype=points.dtype)
            for axis, bit in enumerate(bits):
                weight = weight * (fraction[:, axis] if bit else 1 - fraction[:, axis])
            total = total + weight[:, None] * table[layout.offsets[level] + row]
        features.append(total)
    return torch.cat(features, dim=1)


def test_the_layout_of_the_seed_goes_from_32_to_2048() -> None:
    layout = HashGridLayout()
    assert layout.resolutions[0] == 32
    assert layout.resolutions[-1] == 2048
    assert list(layout.resolutions) == sorted(layout.resolutions)
    assert layout.channels == 32


def test_layout_by_hand() -> None:
    # 5^3 = 125 and 7^3 = 343 corners fit 512 entries; 12^3 = 1728 do not.
    assert SMALL.resolutions == (4, 6, 11, 19)
    assert SMALL.is_dense == (True, True, False, False)
    # Each level begins at a multiple of eight.
    assert SMALL.offsets == (0, 128, 472, 984, 1496)
    assert SMALL.entries == 1496


@pytest.mark.parametrize("hash_grid", [hash_grid_torch.hash_grid, hash_grid_numba.hash_grid])
def test_dense_corners_and_centre_by_hand(hash_grid) -> None:
    # 3 corners an axis; the corner (x, y, z) lies at row x + 3 y + 9 z, and holds its row.
    table = torch.arange(ONE_DENSE.entries, dtype=torch.float32)[:, None]
    points = torch.tensor(
        [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [1, 1, 1], [0.25] * 3]
    )
    features, jacobian = hash_grid(points, table, ONE_DENSE)
    # The mean of rows 0 1 3 4 9 10 12 13 is 6.5.
    torch.testing.assert_close(features[:, 0], torch.tensor([0, 1, 3, 9, 26, 6.5]))
    # A row more a corner along x, and corners lie half a unit apart.
    torch.testing.assert_close(jacobian[:, 0], torch.tensor([[2.0, 6.0, 18.0]]).expand(6, 3))


def test_a_hashed_row_by_hand() -> None:
    layout = HashGridLayout(1, 1, 4, base_resolution=8, growth=1)
    table = torch.zeros(16, 1)
    # 3 ^ (5 * 2654435761) ^ (2 * 805459861) = 3 ^ 13272178805 ^ 1610919722, lower four bits: 12
    table[(3 ^ 13272178805 ^ 1610919722) & 15] = 7.0
    features, _ = hash_grid_torch.hash_grid(torch.tensor([[3 / 8, 5 / 8, 2 / 8]]), table, layout)
    assert (3 ^ 13272178805 ^ 1610919722) & 15 == 12
    assert features.item() == pytest.approx(7.0)


def test_values_and_jacobian_are_those_of_the_plain_formula_in_float64() -> None:
    points = random_points(200, torch.float64).requires_grad_()
    table = random_table(SMALL, torch.float64)
    expected = plain_formula(points, table, SMALL)
    features, jacobian = hash_grid_torch.hash_grid(points, table, SMALL)
    torch.testing.assert_close(features, expected.detach())
    for channel in range(SMALL.channels):
        (slope,) = torch.autograd.grad(expected[:, channel].sum(), points, retain_graph=True)
        torch.testing.assert_close(jacobian[:, channel], slope)


def test_jacobian_is_that_of_finite_differences() -> None:
    # Cells are linear along an axis, so a step within a cell is exact.
    points = random_points(500, torch.float64)
    table = random_table(SMALL, torch.float64)
    _, jacobian = hash_grid_torch.hash_grid(points, table, SMALL)
    step = 1e-7
    for axis in range(3):
        shift = torch.zeros(3, dtype=torch.float64)
        shift[axis] = step
        ahead = hash_grid_torch.hash_grid_value(points + shift, table, SMALL)
        behind = hash_grid_torch.hash_grid_value(points - shift, table, SMALL)
        torch.testing.assert_close(
            jacobian[..., axis], (ahead - behind) / (2 * step), atol=1e-5, rtol=1e-5
        )


def test_table_gradient_is_that_of_the_plain_formula_in_float64() -> None:
    points = random_points(100, torch.float64).requires_grad_()
    table = random_table(SMALL, torch.float64).requires_grad_()
    expected = plain_formula(points, table, SMALL)
    w, v = torch.randn_like(expected), torch.randn(100, 3, dtype=torch.float64)
    slopes = torch.autograd.grad((w * expected).sum(), points, create_graph=True)[0]
    # A loss on the slope needs a second backward here, and none in ours.
    (second,) = torch.autograd.grad((slopes * v).sum() + (w * expected).sum(), table)
    features, jacobian = hash_grid_torch.hash_grid(points, table, SMALL)
    loss = (torch.einsum("nc,ncd->nd", w, jacobian) * v).sum() + (w * features).sum()
    (first,) = torch.autograd.grad(loss, table)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("n", [0, 1, 7, 1500])
def test_the_cpu_twin_has_the_same_values_and_gradients(n: int) -> None:
    # A point of each kind outside the cube, and on its faces.
    points = 1.4 * random_points(n) - 0.2
    points[: n // 10] = points[: n // 10].round()
    table = random_table(SMALL)
    results = []
    for module in (hash_grid_torch, hash_grid_numba):
        own = table.clone().requires_grad_()
        features, jacobian = module.hash_grid(points, own, SMALL)
        value = module.hash_grid_value(points, own, SMALL)
        torch.manual_seed(1)
        loss = (features * torch.randn_like(features)).sum()
        (loss + (jacobian * torch.randn_like(jacobian)).sum()).backward()
        results.append((features.detach(), jacobian.detach(), value.detach(), own.grad))
    names = ("features", "jacobian", "value", "gradient")
    for name, ours, twin in zip(names, *results, strict=True):
        scale = float(ours.abs().max()) if ours.numel() else 1.0
        atol = 2e-6 * max(scale, 1.0)
        torch.testing.assert_close(twin, ours, atol=atol, rtol=1e-5, msg=f"{name}: {{}}".format)


@pytest.mark.parametrize("module", [hash_grid_torch, hash_grid_numba])
def test_points_outside_are_those_of_the_nearest_face(module) -> None:
    table = random_table(SMALL)
    outside = torch.tensor([[-3.0, 0.3, 0.4], [0.2, 1.7, 0.4], [2.0, -1.0, 5.0]])
    features, _ = module.hash_grid(outside, table, SMALL)
    inside, _ = module.hash_grid(outside.clamp(0, 1), table, SMALL)
    torch.testing.assert_close(features, inside)


@pytest.mark.parametrize("module", [hash_grid_torch, hash_grid_numba])
def test_values_are_continuous_across_cells(module) -> None:
    table = random_table(SMALL)
    edge = torch.tensor([[0.25, 0.37, 0.61], [0.5, 0.37, 0.61]])
    left = module.hash_grid_value(edge - torch.tensor([1e-6, 0, 0]), table, SMALL)
    right = module.hash_grid_value(edge + torch.tensor([1e-6, 0, 0]), table, SMALL)
    torch.testing.assert_close(left, right, atol=3e-4, rtol=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_points_that_are_no_numbers_touch_no_foreign_memory(value: float) -> None:
    points = torch.full((3, 3), value)
    features, _ = hash_grid_numba.hash_grid(points, random_table(SMALL), SMALL)
    assert features.shape == (3, SMALL.channels)
