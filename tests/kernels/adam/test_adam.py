# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam: one step by hand, torch's own, entries that rest, and the CPU twin."""

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.adam import cpu as adam_numba
from ineus_core.kernels.adam import reference as adam_torch

RATE = torch.tensor(0.1)


@pytest.fixture(params=["torch", "numba"])
def adam_step(request: pytest.FixtureRequest):
    return {"torch": adam_torch, "numba": adam_numba}[request.param].adam_step


def state(n: int) -> list[Tensor]:
    """Parameters, gradient, mean, square."""
    return [torch.randn(n), torch.randn(n), torch.zeros(n), torch.zeros(n)]


def test_the_first_steps_by_hand(adam_step) -> None:
    parameters, mean, square = torch.tensor([1.0, 1.0]), torch.zeros(2), torch.zeros(2)
    gradient = torch.tensor([0.5, -2.0])
    adam_step(parameters, gradient, mean, square, RATE, torch.tensor(1.0), betas=(0.9, 0.99))
    # The first step is the rate, against the sign of the gradient.
    torch.testing.assert_close(parameters, torch.tensor([0.9, 1.1]))
    torch.testing.assert_close(mean, torch.tensor([0.05, -0.2]))
    torch.testing.assert_close(square, torch.tensor([0.0025, 0.04]))
    assert gradient.tolist() == [0, 0]
    gradient = torch.tensor([-0.5, -2.0])
    adam_step(parameters, gradient, mean, square, RATE, torch.tensor(2.0), betas=(0.9, 0.99))
    # mean = 0.9 * 0.05 - 0.05 = -0.005, unbiased by 0.19; square = 0.004975, unbiased by 0.0199
    step = 0.1 * (-0.005 / 0.19) / 0.5
    torch.testing.assert_close(parameters, torch.tensor([0.9 - step, 1.2]))


def test_many_steps_are_those_of_torch(adam_step) -> None:
    parameters, _, mean, square = state(50)
    reference = parameters.clone().requires_grad_()
    adam = torch.optim.Adam([reference], lr=0.1, betas=(0.9, 0.99), eps=1e-15)
    for step in range(1, 21):
        gradient = torch.randn(50) * 10 ** torch.linspace(-6, 3, 50)
        reference.grad = gradient.clone()
        adam.step()
        adam_step(parameters, gradient, mean, square, RATE, torch.tensor(float(step)))
    torch.testing.assert_close(parameters, reference.detach(), atol=1e-5, rtol=1e-5)


def test_entries_without_a_gradient_rest(adam_step) -> None:
    parameters, gradient, mean, square = state(40)
    mean += 0.3
    square += 0.2
    gradient[::3] = 0
    before = [x.clone() for x in (parameters, mean, square)]
    adam_step(parameters, gradient, mean, square, RATE, torch.tensor(5.0), sparse=True)
    for old, new in zip(before, (parameters, mean, square), strict=True):
        assert torch.equal(old[::3], new[::3])
        assert bool((old[1::3] != new[1::3]).all())


def test_resting_entries_decay_all_the_same(adam_step) -> None:
    parameters, gradient, mean, square = torch.full((3,), 2.0), torch.zeros(3), *torch.zeros(2, 3)
    count = torch.tensor(1.0)
    adam_step(parameters, gradient, mean, square, RATE, count, sparse=True, weight_decay=0.5)
    torch.testing.assert_close(parameters, torch.full((3,), 2.0 * 0.95))


def test_without_sparse_the_moments_go_on(adam_step) -> None:
    parameters, gradient, mean, square = state(4)
    mean += 0.3
    square += 0.2
    gradient.zero_()
    before = parameters.clone()
    adam_step(parameters, gradient, mean, square, RATE, torch.tensor(5.0))
    assert bool((parameters < before).all())
    torch.testing.assert_close(mean, torch.full((4,), 0.27))


def test_the_copy_in_half_precision_follows(adam_step) -> None:
    parameters, gradient, mean, square = state(9)
    half = torch.zeros(9, dtype=torch.float16)
    adam_step(parameters, gradient, mean, square, RATE, torch.tensor(1.0), half=half)
    assert torch.equal(half, parameters.half())


@pytest.mark.parametrize("n", [0, 1, 1001])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.7])
def test_the_cpu_twin_takes_the_same_steps(n: int, sparse: bool, weight_decay: float) -> None:
    results = []
    for module in (adam_torch, adam_numba):
        torch.manual_seed(4)
        tensors = state(n)
        for step in (1, 2, 7):
            tensors[1].copy_(torch.randn(n) * (torch.rand(n) < 0.5))
            count, options = torch.tensor(float(step)), {"sparse": sparse}
            module.adam_step(*tensors, RATE, count, weight_decay=weight_decay, **options)
        results.append(tensors)
    for ours, twin in zip(*results, strict=True):
        torch.testing.assert_close(twin, ours, atol=1e-6, rtol=2e-5)


def test_gradients_of_any_size_leave_finite_parameters(adam_step) -> None:
    gradient = torch.tensor([1e-38, 1e18, -1e-20, 0.0])
    parameters, mean, square = torch.zeros(4), torch.zeros(4), torch.zeros(4)
    adam_step(parameters, gradient, mean, square, RATE, torch.tensor(1.0))
    assert bool(parameters.isfinite().all())


def test_weights_decay_by_their_rate_whether_they_rest_or_not(adam_step) -> None:
    parameters, mean, square = torch.tensor([2.0, 4.0]), torch.zeros(2), torch.zeros(2)
    gradient = torch.tensor([0.0, 1.0])
    call = (parameters, gradient, mean, square, RATE, torch.tensor(1.0))
    adam_step(*call, sparse=True, weight_decay=0.5)
    # 0.1 * 0.5 of both goes; then the first step of the second is the rate.
    torch.testing.assert_close(parameters, torch.tensor([1.9, 3.7]))
