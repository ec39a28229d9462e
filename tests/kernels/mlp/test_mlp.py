# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The two networks: the written-out gradient against autograd and finite differences."""

import torch
from torch import Tensor

from ineus_core.kernels.mlp import (
    ColourHeadWeights,
    SdfHeadWeights,
    colour_head,
    sdf_head,
    sdf_head_value,
    spherical_harmonics,
)

N, C, HIDDEN, OUTPUTS = 20, 6, 8, 5


def sdf_weights() -> SdfHeadWeights:
    # Large hidden values would hide the softplus behind its straight ends.
    return SdfHeadWeights(
        0.02 * torch.randn(HIDDEN, 3 + C, dtype=torch.float64),
        0.01 * torch.randn(HIDDEN, dtype=torch.float64),
        torch.randn(OUTPUTS, HIDDEN, dtype=torch.float64),
        torch.randn(OUTPUTS, dtype=torch.float64),
    )


def colour_weights() -> ColourHeadWeights:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64)

    inputs = OUTPUTS + 16 + 3
    return ColourHeadWeights(
        draw(HIDDEN, inputs),
        draw(HIDDEN),
        draw(HIDDEN, HIDDEN),
        draw(HIDDEN),
        draw(3, HIDDEN),
        draw(3),
    )


def encoding(unit: Tensor) -> Tensor:
    """Return a smooth stand-in for the hash grid."""
    factors = torch.arange(1, 1 + 3 * C, dtype=torch.float64).view(3, C) / 7
    return torch.sin(unit @ factors)


def jacobian_of(unit: Tensor) -> Tensor:
    return torch.stack(
        [torch.autograd.functional.jacobian(encoding, row[None])[0, :, 0] for row in unit]
    )


def test_a_single_unit_by_hand() -> None:
    # hidden = 2 f, far right of the softplus's bend, so sdf = 3 * 2 f + 1 and its slope is 6 df.
    weights = SdfHeadWeights(
        torch.tensor([[0.0, 0, 0, 2]]), torch.zeros(1), torch.tensor([[3.0]]), torch.ones(1)
    )
    features = torch.tensor([[5.0]])
    jacobian = torch.tensor([[[1.0, 0.5, -1.0]]])
    outputs, gradient = sdf_head(torch.zeros(1, 3), features, jacobian, weights)
    torch.testing.assert_close(outputs, torch.tensor([[31.0]]))
    torch.testing.assert_close(gradient, torch.tensor([[6.0, 3.0, -6.0]]))


def test_the_coordinates_count_twice_per_unit() -> None:
    # The signed coordinate is 2 u - 1: d sdf / d u = 2 w.
    weights = SdfHeadWeights(
        torch.tensor([[1.0, 0, 0, 0]]), torch.ones(1), torch.tensor([[1.0]]), torch.zeros(1)
    )
    _, gradient = sdf_head(
        torch.full((1, 3), 0.5), torch.zeros(1, 1), torch.zeros(1, 1, 3), weights
    )
    torch.testing.assert_close(gradient, torch.tensor([[2.0, 0.0, 0.0]]))


def test_gradient_is_that_of_autograd() -> None:
    unit, weights = torch.rand(N, 3, dtype=torch.float64).requires_grad_(), sdf_weights()
    value = sdf_head_value(2 * unit - 1, encoding(unit), weights)
    (expected,) = torch.autograd.grad(value[:, 0].sum(), unit)
    points = unit.detach()
    outputs, gradient = sdf_head(2 * points - 1, encoding(points), jacobian_of(points), weights)
    torch.testing.assert_close(outputs, value.detach())
    torch.testing.assert_close(gradient, expected)


def test_gradient_is_that_of_finite_differences() -> None:
    unit, weights, step = torch.rand(N, 3, dtype=torch.float64), sdf_weights(), 1e-6
    _, gradient = sdf_head(2 * unit - 1, encoding(unit), jacobian_of(unit), weights)
    for axis, shift in enumerate(step * torch.eye(3, dtype=torch.float64)):
        ahead, behind = (
            sdf_head_value(2 * at - 1, encoding(at), weights)[:, 0]
            for at in (unit + shift, unit - shift)
        )
        torch.testing.assert_close(
            gradient[:, axis], (ahead - behind) / (2 * step), atol=1e-6, rtol=1e-5
        )


def test_backward_of_a_loss_on_the_gradient() -> None:
    points = torch.rand(4, 3, dtype=torch.float64) * 2 - 1
    features = torch.randn(4, C, dtype=torch.float64).mul_(0.1).requires_grad_()
    jacobian = torch.randn(4, C, 3, dtype=torch.float64).requires_grad_()
    w = sdf_weights()
    inner = [
        w.w1.requires_grad_(),
        w.b1.requires_grad_(),
        w.w2.requires_grad_(),
        w.b2.requires_grad_(),
    ]

    def loss(features: Tensor, jacobian: Tensor, *weights: Tensor) -> Tensor:
        outputs, gradient = sdf_head(points, features, jacobian, SdfHeadWeights(*weights))
        return (gradient.norm(dim=1) - 1).square().sum() + outputs.square().sum()

    assert torch.autograd.gradcheck(loss, (features, jacobian, *inner), atol=1e-5, rtol=1e-4)


def test_colour_is_between_0_and_1_and_depends_on_all_inputs() -> None:
    geometry = torch.randn(N, OUTPUTS, dtype=torch.float64)
    d, n = (
        torch.nn.functional.normalize(torch.randn(N, 3, dtype=torch.float64)) for _ in range(2)
    )
    weights = colour_weights()
    rgb = colour_head(geometry, d, n, weights)
    assert bool(((rgb >= 0) & (rgb <= 1)).all())
    for other in ((-geometry, d, n), (geometry, -d, n), (geometry, d, -n)):
        assert not torch.allclose(colour_head(*other, weights), rgb)


def test_spherical_harmonics_by_hand_and_orthonormal() -> None:
    z = spherical_harmonics(torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64))[0]
    # On the z axis only m = 0 is left: sqrt((2 l + 1) / (4 pi)).
    expected = torch.zeros(16, dtype=torch.float64)
    for degree, index in enumerate((0, 2, 6, 12)):
        expected[index] = ((2 * degree + 1) / (4 * torch.pi)) ** 0.5
    torch.testing.assert_close(z, expected)
    directions = torch.nn.functional.normalize(torch.randn(200_000, 3, dtype=torch.float64))
    values = spherical_harmonics(directions)
    gram = 4 * torch.pi * values.T @ values / len(values)
    torch.testing.assert_close(gram, torch.eye(16, dtype=torch.float64), atol=0.03, rtol=0)
