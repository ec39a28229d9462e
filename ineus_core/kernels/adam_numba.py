# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam for a large sparse table on a CPU: rows without a gradient are skipped, and gradients are zeroed in the same pass."""

import numpy as np
from jaxtyping import Float
from numba import prange
from torch import Tensor

from ineus_core.kernels.jit import jit


def adam_step(
    parameters: Float[Tensor, "rows width"],
    gradient: Float[Tensor, "rows width"],
    mean: Float[Tensor, "rows width"],
    square: Float[Tensor, "rows width"],
    step: int,
    learning_rate: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Update in place (Kingma & Ba 2015, algorithm 1), with moments that rest while a row is not touched.

    Args:
        step: 1 for the first.
    """
    scale = learning_rate * (1 - betas[1] ** step) ** 0.5 / (1 - betas[0] ** step)
    _adam(
        parameters.detach().numpy().reshape(-1),
        gradient.numpy().reshape(-1),
        mean.numpy().reshape(-1),
        square.numpy().reshape(-1),
        np.float32(scale),
        np.float32(betas[0]),
        np.float32(betas[1]),
        np.float32(epsilon),
    )


@jit(parallel=True)
def _adam(parameters, gradient, mean, square, scale, beta1, beta2, epsilon):  # type: ignore[no-untyped-def]
    one = np.float32(1.0)
    for i in prange(len(parameters)):
        g = gradient[i]
        if g != 0:
            mean[i] = beta1 * mean[i] + (one - beta1) * g
            square[i] = beta2 * square[i] + (one - beta2) * g * g
            parameters[i] -= scale * mean[i] / (np.sqrt(square[i]) + epsilon)
            gradient[i] = np.float32(0.0)
