# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam over one flat buffer (Kingma & Ba 2015), with decoupled weight decay.

Versions: plain torch, numba in one pass over the memory, Triton in one launch.
"""

from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest


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
    """Update `parameters`, `mean`, `square` and `half` in place and zero `gradient`.

    Args:
        parameters: Trained values.
        gradient: Of the loss; zero afterwards.
        mean: First moment.
        square: Second moment.
        learning_rate: On the device.
        step: Number of this update, from 1 on; a device scalar, so that the call can be captured.
        half: Copy of the parameters in half precision.
        betas: Decay of the two moments.
        epsilon: Term against division by zero.
        sparse: Leave entries alone whose gradient is exactly 0, moments included.
        weight_decay: Share of every parameter, resting ones included, that goes first, times the
            learning rate (AdamW, Loshchilov & Hutter 2019).
    """
    fastest("adam", parameters.device).adam_step(
        parameters, gradient, mean, square, learning_rate, step, half, betas, epsilon, sparse,
        weight_decay,
    )  # fmt: skip
