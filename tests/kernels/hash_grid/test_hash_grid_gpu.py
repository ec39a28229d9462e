# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The Triton hash grid against the torch twin in float64."""

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid import reference as hash_grid_torch

pytestmark = pytest.mark.gpu

SMALL = HashGridLayout(levels=5, log2_entries=10, base_resolution=4, growth=2.0)
SIZES = [0, 1, 127, 129, 5000]


def relative(a: Tensor, b: Tensor) -> float:
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def points_in_and_out(n: int) -> Tensor:
    """Return points in and around the cube, corners and faces included, some of them in runs."""
    torch.manual_seed(n)
    points = torch.rand((n, 3), device="cuda") * 1.2 - 0.1
    points[1::7] = points[1::7].round()
    points[n // 3 : n // 2] = points[n // 3 : n // 3 + 1]
    # On a cell's face, rounding decides on the cell; the twin must see the same numbers.
    return points


def table(dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(1)
    return torch.randn((SMALL.entries, 2), device="cuda").to(dtype)


@pytest.mark.parametrize("n", SIZES)
def test_matches_torch(n: int) -> None:
    from ineus_core.kernels.hash_grid.gpu import hash_grid, hash_grid_value

    points, weights = points_in_and_out(n), table().requires_grad_()
    twin = weights.detach().clone().requires_grad_()
    values, jacobian = hash_grid(points, weights, SMALL)
    expected = hash_grid_torch.hash_grid(points, twin, SMALL)
    assert torch.allclose(values, expected[0], atol=1e-5)
    assert torch.allclose(jacobian, expected[1], atol=2e-4)
    assert torch.equal(hash_grid_value(points, weights, SMALL), values)
    if n == 0:
        return
    cotangents = torch.randn_like(expected[0]), torch.randn_like(expected[1])
    torch.autograd.backward((values, jacobian), cotangents)
    torch.autograd.backward(expected, cotangents)
    assert weights.grad is not None and twin.grad is not None
    assert relative(weights.grad, twin.grad) < 1e-5


@pytest.mark.parametrize("n", SIZES)
def test_half_table(n: int) -> None:
    from ineus_core.kernels.hash_grid.gpu import hash_grid

    points, weights = points_in_and_out(n), table(torch.float16)
    values, jacobian = hash_grid(points, weights, SMALL)
    expected = hash_grid_torch.hash_grid(points, weights.float(), SMALL)
    assert values.dtype == torch.float16
    assert torch.allclose(values.float(), expected[0], atol=2e-3, rtol=2e-3)
    assert torch.allclose(jacobian.float(), expected[1], atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("vector", [True, False])
@pytest.mark.parametrize("run_levels", [0, 3, 5])
def test_runs_and_outer_products_add_up_to_the_same(
    run_levels: int, vector: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ineus_core.kernels.hash_grid import gpu as hash_grid_triton

    if vector and torch.cuda.get_device_capability() < (9, 0):
        pytest.skip("vector reductions need compute capability 9.0")
    monkeypatch.setattr(hash_grid_triton, "has_vector_reductions", lambda _: vector)
    n = 1003
    points = points_in_and_out(n)
    d_features = torch.randn((n, SMALL.channels), device="cuda")
    slope, direction = torch.randn_like(d_features), torch.randn((n, 3), device="cuda")
    # Padding carries zeros.
    d_features[-100:], direction[-100:] = 0, 0
    plain, outer = (torch.zeros_like(table()) for _ in range(2))
    hash_grid_triton.hash_grid_backward(
        points, d_features, 0.5 * slope[:, :, None] * direction[:, None], SMALL, plain
    )
    hash_grid_triton.hash_grid_backward_outer(
        points, d_features, slope, direction, SMALL, outer, run_levels, scale=0.5
    )
    assert relative(outer, plain) < 1e-5


def test_padding_becomes_zero() -> None:
    from ineus_core.kernels.hash_grid.gpu import (
        channel_buffer,
        hash_grid_forward,
        jacobian_buffer,
    )

    n, weights = 300, table(torch.float16)
    features = channel_buffer(n, SMALL.channels, weights).fill_(float("nan"))
    jacobian = jacobian_buffer(n, SMALL.channels, weights).fill_(float("nan"))
    limit = torch.tensor(130, dtype=torch.int32, device="cuda")
    hash_grid_forward(points_in_and_out(n), weights, SMALL, features, jacobian, limit)
    assert (features[130:] == 0).all() and (jacobian[130:] == 0).all()
    assert features[:130].isfinite().all() and (features[:130] != 0).any()


def test_wrong_table_is_refused() -> None:
    from ineus_core.kernels.hash_grid.gpu import hash_grid

    with pytest.raises(ValueError, match="table of shape"):
        hash_grid(points_in_and_out(5), table()[:-1], SMALL)


def test_slopes_beyond_half_precision_stay_finite() -> None:
    from ineus_core.kernels.hash_grid.gpu import (
        channel_buffer,
        hash_grid_forward,
        jacobian_buffer,
    )

    fine = HashGridLayout(levels=2, log2_entries=10, base_resolution=16, growth=2048.0)
    steep = (4 * torch.randn((fine.entries, 2), device="cuda")).half()
    points, half = torch.rand((1000, 3), device="cuda"), steep.new_empty(0)
    features = channel_buffer(1000, fine.channels, half)
    jacobian, exact = (jacobian_buffer(1000, fine.channels, like) for like in (half, half.float()))
    hash_grid_forward(points, steep, fine, features, jacobian)
    hash_grid_forward(points, steep, fine, features, exact)
    assert exact.abs().max() > 65504
    assert torch.allclose(jacobian.float(), exact.clamp(-65504, 65504), rtol=1e-3)
