# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The Triton Adam against the torch twin, and that twin against torch's own."""

import pytest
import torch

from ineus_core.kernels.adam import reference as adam_torch


@pytest.mark.gpu
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.7])
@pytest.mark.parametrize("n", [0, 1, 1023, 50000])
def test_matches_torch(n: int, sparse: bool, weight_decay: float) -> None:
    from ineus_core.kernels.adam.gpu import adam_step

    torch.manual_seed(n)
    state = [torch.randn(n, device="cuda") for _ in range(4)]
    state[3].abs_()
    state[1][torch.rand(n, device="cuda") < 0.8] = 0
    twin, half, twin_half = [t.clone() for t in state], state[0].half(), state[0].half()
    rate, step = torch.tensor(0.01, device="cuda"), torch.tensor(3.0, device="cuda")
    for function, (p, g, m, v), copy in (
        (adam_step, state, half),
        (adam_torch.adam_step, twin, twin_half),
    ):
        function(p, g, m, v, rate, step, copy, sparse=sparse, weight_decay=weight_decay)
    for got, expected in zip(state, twin, strict=True):
        assert torch.allclose(got, expected, atol=1e-6)
    assert (state[1] == 0).all()
    assert torch.allclose(half, twin_half, atol=2e-3)


@pytest.mark.parametrize("weight_decay", [0.0, 0.7])
def test_twin_is_adam(weight_decay: float) -> None:
    torch.manual_seed(0)
    reference = torch.nn.Parameter(torch.randn(50))
    optimiser = torch.optim.AdamW(
        [reference], lr=0.01, betas=(0.9, 0.99), eps=1e-15, weight_decay=weight_decay
    )
    parameters, mean, square = reference.detach().clone(), torch.zeros(50), torch.zeros(50)
    for step in range(1, 5):
        gradient = torch.randn(50)
        reference.grad = gradient.clone()
        optimiser.step()
        adam_torch.adam_step(
            parameters, gradient, mean, square, torch.tensor(0.01), torch.tensor(float(step)),
            weight_decay=weight_decay,
        )  # fmt: skip
        assert (gradient == 0).all()
    assert torch.allclose(parameters, reference.detach(), atol=1e-6)
