# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam over one flat buffer, in plain torch."""

import torch
from jaxtyping import Float
from torch import Tensor


@torch.no_grad()
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
    if weight_decay:
        # Apart from the gradient (AdamW): moments are not to know of it.
        parameters.mul_(1 - learning_rate * weight_decay)
    changed = gradient != 0 if sparse else torch.ones_like(gradient, dtype=torch.bool)
    new_mean = torch.lerp(gradient, mean, betas[0])
    new_square = betas[1] * square + (1 - betas[1]) * gradient * gradient
    size = learning_rate / (1 - betas[0] ** step)
    update = size * new_mean / ((new_square / (1 - betas[1] ** step)).sqrt() + epsilon)
    mean.copy_(torch.where(changed, new_mean, mean))
    square.copy_(torch.where(changed, new_square, square))
    parameters.copy_(torch.where(changed, parameters - update, parameters))
    if half is not None:
        half.copy_(parameters)
    gradient.zero_()
