# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The two small networks behind the hash grid, in plain torch: SDF head and colour head.

The gradient of the field is written out as a first-order expression of features, Jacobian and
weights, so a loss on it needs one backward pass, not two.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SOFTPLUS_BETA = 100.0
SH_CHANNELS = 16


@dataclass(frozen=True)
class SdfHeadWeights:
    """Weights of input -> softplus hidden layer -> sdf and geometry features."""

    w1: Float[Tensor, "hidden inputs"]
    b1: Float[Tensor, " hidden"]
    w2: Float[Tensor, "outputs hidden"]
    b2: Float[Tensor, " outputs"]


@dataclass(frozen=True)
class ColourHeadWeights:
    """Weights of input -> ReLU -> ReLU -> sigmoid."""

    w1: Float[Tensor, "hidden inputs"]
    b1: Float[Tensor, " hidden"]
    w2: Float[Tensor, "hidden hidden"]
    b2: Float[Tensor, " hidden"]
    w3: Float[Tensor, "3 hidden"]
    b3: Float[Tensor, " 3"]


@dataclass(frozen=True)
class FieldWeights:
    """The trained tensors of a whole field, or their gradients."""

    table: Float[Tensor, "entries 2"]
    """Kernels read float16; a gradient is float32."""
    sdf: SdfHeadWeights
    colour: ColourHeadWeights


def sdf_head(
    points_signed: Float[Tensor, "n 3"],
    features: Float[Tensor, "n c"],
    jacobian: Float[Tensor, "n c 3"],
    weights: SdfHeadWeights,
) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"]]:
    """Return the outputs of the head and the gradient of the first of them, per unit coordinate.

    Args:
        points_signed: The points, with the unit cube scaled to -1..1.
        jacobian: Of the features, per unit coordinate.
    """
    hidden = F.linear(torch.cat((points_signed, features), dim=1), weights.w1, weights.b1)
    outputs = F.linear(F.softplus(hidden, SOFTPLUS_BETA), weights.w2, weights.b2)
    # d out0 / d input = W1^T (softplus'(h) * W2[0]); softplus' is the sigmoid.
    input_gradient = (torch.sigmoid(SOFTPLUS_BETA * hidden) * weights.w2[0]) @ weights.w1
    # The coordinates run from -1 to 1, twice the unit cube; features are given by unit coordinates
    # already.
    gradient = (input_gradient[:, 3:, None] * jacobian).sum(dim=1) + 2.0 * input_gradient[:, :3]
    return outputs, gradient


def sdf_head_value(
    points_signed: Float[Tensor, "n 3"], features: Float[Tensor, "n c"], weights: SdfHeadWeights
) -> Float[Tensor, "n outputs"]:
    """Return the outputs of the head alone."""
    hidden = F.linear(torch.cat((points_signed, features), dim=1), weights.w1, weights.b1)
    return F.linear(F.softplus(hidden, SOFTPLUS_BETA), weights.w2, weights.b2)


def colour_head(
    geometry: Float[Tensor, "n g"],
    directions: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    weights: ColourHeadWeights,
) -> Float[Tensor, "n 3"]:
    """Return the colour, 0 to 1, seen along unit directions."""
    return torch.sigmoid(colour_logits(geometry, directions, normals, weights))


def colour_logits(
    geometry: Float[Tensor, "n g"],
    directions: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    weights: ColourHeadWeights,
) -> Float[Tensor, "n 3"]:
    """Return what the colour is an activation of."""
    inputs = torch.cat((geometry, spherical_harmonics(directions), normals), dim=1)
    hidden = F.relu(F.linear(inputs, weights.w1, weights.b1))
    hidden = F.relu(F.linear(hidden, weights.w2, weights.b2))
    return F.linear(hidden, weights.w3, weights.b3)


def spherical_harmonics(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 16"]:
    """Return the real spherical harmonics of degree 0 to 3 (Sloan, 2008) of unit directions."""
    x, y, z = directions.unbind(dim=1)
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        (
            torch.full_like(x, 0.28209479177387814),
            -0.4886025119029199 * y,
            0.4886025119029199 * z,
            -0.4886025119029199 * x,
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (3 * zz - 1),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
            -0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (5 * zz - 1),
            0.3731763325901154 * z * (5 * zz - 3),
            -0.4570457994644658 * x * (5 * zz - 1),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ),
        dim=1,
    )
