# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Layers of a distance or density network of any depth, and the activations that have a name."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.mlp import SOFTPLUS_BETA

ACTIVATIONS = (
    r"^(none|sigmoid|tanh|relu|softplus|trunc_exp|lin2srgb"
    r"|(scale|clamp)\d+(\.\d+)?|mul-?\d+(\.\d+)?|[+-]\d+(\.\d+)?)$"
)
"""Names of activations, as a pattern."""

Layer = tuple[Tensor, Tensor]
"""Weight (outputs x inputs) and bias of a layer."""


def network(
    inputs: Float[Tensor, "n inputs"], layers: Sequence[Layer], hidden: str
) -> Float[Tensor, "n outputs"]:
    """Return the outputs of a network whose hidden layers are `softplus` (of 100) or `relu`."""
    for weight, bias in layers[:-1]:
        inputs = _hidden(F.linear(inputs, weight, bias), hidden)
    return F.linear(inputs, *layers[-1])


def network_with_gradient(
    inputs: Float[Tensor, "n inputs"], layers: Sequence[Layer], hidden: str
) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n inputs"]]:
    """Return the outputs, and the gradient of the first of them with respect to the inputs.

    The gradient is written out by the chain rule, so that a loss on it needs one backward pass.
    """
    slopes = []
    for weight, bias in layers[:-1]:
        before = F.linear(inputs, weight, bias)
        slopes.append(_hidden_slope(before, hidden))
        inputs = _hidden(before, hidden)
    outputs = F.linear(inputs, *layers[-1])
    # From the first output back: the row of the last layer that makes it.
    gradient = layers[-1][0][0].expand(len(inputs), -1)
    for (weight, _), slope in zip(reversed(layers[:-1]), reversed(slopes), strict=True):
        gradient = (gradient * slope) @ weight
    return outputs, gradient


def _hidden(x: Tensor, name: str) -> Tensor:
    return F.relu(x) if name == "relu" else F.softplus(x, SOFTPLUS_BETA)


def _hidden_slope(x: Tensor, name: str) -> Tensor:
    return (x > 0).to(x.dtype) if name == "relu" else torch.sigmoid(SOFTPLUS_BETA * x)


def normalised(
    direction: Float[Tensor, "outputs inputs"], length: Float[Tensor, " outputs"]
) -> Float[Tensor, "outputs inputs"]:
    """Rows of given lengths (weight normalisation, Salimans & Kingma 2016)."""
    return F.normalize(direction, dim=1, eps=1e-12) * length[:, None]


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """Return the function of a name that `ACTIVATIONS` allows.

    `scaleX` and `clampX` bound to 0..X, the first over X; `mulX` multiplies; `+X` and `-X` add;
    `lin2srgb` is the transfer function of sRGB (IEC 61966-2-1).
    """
    plain: dict[str, Callable[[Tensor], Tensor]] = {
        "none": lambda x: x,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": F.relu,
        "softplus": F.softplus,
        "trunc_exp": truncated_exp,
        "lin2srgb": _srgb,
    }
    if name in plain:
        return plain[name]
    kind, number = re.fullmatch(r"(scale|clamp|mul|)(.*)", name).groups()  # type: ignore[union-attr]
    by = float(number)
    match kind:
        case "scale":
            return lambda x: x.clamp(0.0, by) / by
        case "clamp":
            return lambda x: x.clamp(0.0, by)
        case "mul":
            return lambda x: x * by
    return lambda x: x + by


def _srgb(linear: Tensor) -> Tensor:
    # The power has no slope at 0, which the branch that is not taken would pass on as NaN.
    power = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, power, 12.92 * linear).clamp(0.0, 1.0)


class _TruncatedExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.exp(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * torch.exp(x.clamp(max=15.0))


def truncated_exp(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Exponential whose gradient stays finite for a wild argument (instant-ngp)."""
    return _TruncatedExp.apply(x)  # type: ignore[no-any-return]


@torch.no_grad()
def sphere_layers(layers: Sequence[Layer], sign: float, radius: float) -> None:
    """Make the first output about sign * (|x| - radius) of the first three inputs.

    Atzmon & Lipman 2020 (SAL), for any number of hidden layers.
    """
    first, _ = layers[0]
    for weight, bias in layers[:-1]:
        weight.normal_(0.0, math.sqrt(2.0 / len(weight)))
        bias.zero_()
    first[:, 3:] = 0.0
    last, bias = layers[-1]
    last.normal_(sign * math.sqrt(math.pi / last.shape[1]), 1e-4)
    bias.fill_(-sign * radius)
