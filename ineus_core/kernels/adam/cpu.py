# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam for CPUs, compiled at run time by numba: one pass over the memory."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.jit import in_parallel, jit
from ineus_core.kernels.shapes import expect_shape

_LEAST = 1 << 16
"""Entries of a thread."""


def adam_step(
    parameters: Float[Tensor, " n"],
    gradient: Float[Tensor, " n"],
    mean: Float[Tensor, " n"],
    square: Float[Tensor, " n"],
    learning_rate: Float[Tensor, ""],
    step: Float[Tensor, ""],
    half: Float[Tensor, " n"] | None = None,
    betas: tuple[float, float] = (0.9, 0.99),
    epsilon: float = 1e-15,
    sparse: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Update in place and zero `gradient`; see the door."""
    n = len(parameters)
    for name, values in (("gradient", gradient), ("mean", mean), ("square", square)):
        expect_shape(name, values, (n,))
    # Corrections are computed once, in double, not for each entry.
    count = float(step)
    in_parallel(
        _adam,
        n,
        parameters.detach().numpy(),
        gradient.numpy(),
        mean.numpy(),
        square.numpy(),
        np.float32(float(learning_rate) / (1 - betas[0] ** count)),
        np.float32(1 / (1 - betas[1] ** count)),
        np.float32(betas[0]),
        np.float32(betas[1]),
        np.float32(epsilon),
        np.float32(1 - float(learning_rate) * weight_decay),
        sparse,
        least=_LEAST,
    )
    if half is not None:
        half.copy_(parameters)


@jit(error_model="numpy")
def _adam(  # type: ignore[no-untyped-def]
    begin,
    end,
    parameters,
    gradient,
    mean,
    square,
    size,
    unbias,
    beta1,
    beta2,
    epsilon,
    keep,
    sparse,
):
    one = np.float32(1.0)
    # Unsigned, and without a branch for division by zero, so that the loop is vectorised.
    for i in range(np.uint64(begin), np.uint64(end)):
        g = gradient[i]
        # Decay reads and writes all of a large table, so not where there is none.
        if keep != one:
            parameters[i] *= keep
        # Nearly all entries of a table rest in a step, and a branch costs less than their moments.
        if g != 0 or not sparse:
            mean[i] = beta1 * mean[i] + (one - beta1) * g
            square[i] = beta2 * square[i] + (one - beta2) * g * g
            parameters[i] -= size * mean[i] / (np.sqrt(square[i] * unbias) + epsilon)
            gradient[i] = np.float32(0.0)
