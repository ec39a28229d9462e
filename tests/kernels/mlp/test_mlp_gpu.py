# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The Triton heads against the torch twins in float64."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.kernels.mlp import reference as heads_torch
from ineus_core.kernels.mlp.reference import ColourHeadWeights, SdfHeadWeights

pytestmark = pytest.mark.gpu

# Half precision: operands carry 11 bits, cotangents 8.
TOLERANCE = {torch.float32: (2e-6, 2e-5), torch.float16: (2e-3, 3e-2)}
# Products in float32 take long to compile.
CASES = [(n, torch.float16) for n in (1, 63, 150, 4099)] + [(150, torch.float32)]


def relative(a: Tensor, b: Tensor) -> float:
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, device="cuda") * shape[-1] ** -0.5


def colour_weights() -> ColourHeadWeights:
    shapes = ((64, 32), (64,), (64, 64), (64,), (3, 64), (3,))
    return ColourHeadWeights(*(drawn(*shape) for shape in shapes))


def twins(tensors: list[Tensor]) -> list[Tensor]:
    return [t.detach().double().requires_grad_() for t in tensors]


def agree(
    values: list[Tensor],
    gradients: list[Tensor],
    expected: list[Tensor],
    twin: list[Tensor],
    cotangents: list[Tensor],
    dtype: torch.dtype,
) -> None:
    value_tolerance, gradient_tolerance = TOLERANCE[dtype]
    for a, b in zip(values, expected, strict=True):
        assert relative(a, b) < value_tolerance
    exact = torch.autograd.grad(expected, twin, [c.double() for c in cotangents])
    errors = [relative(x, y) for x, y in zip(gradients, exact, strict=True)]
    assert max(errors) < gradient_tolerance, errors


@pytest.mark.parametrize(
    ("n", "dtype", "channels"), [(*case, 32) for case in CASES] + [(150, torch.float16, 20)]
)
def test_sdf_head(n: int, dtype: torch.dtype, channels: int) -> None:
    from ineus_core.kernels.mlp.gpu import sdf_head_backward, sdf_head_forward

    torch.manual_seed(n)
    points = torch.rand((n, 3), device="cuda") * 2 - 1
    features = torch.randn((n, channels), device="cuda").to(dtype)
    jacobian = torch.randn((n, channels, 3), device="cuda").to(dtype)
    weights = SdfHeadWeights(drawn(64, channels + 3), drawn(64), drawn(13, 64), drawn(13))
    outputs, gradient = points.new_empty((n, 13)), points.new_empty((n, 3))
    slopes, d_features = (points.new_empty((n, channels)) for _ in range(2))
    sdf_head_forward(points, features, jacobian, weights, outputs, gradient, slopes)
    d_outputs, d_gradient = torch.randn_like(outputs), torch.randn_like(gradient)
    d_weights = SdfHeadWeights(*map(torch.zeros_like, vars(weights).values()))
    sdf_head_backward(
        points, features, jacobian, weights, d_outputs, d_gradient, d_features, d_weights
    )
    d_jacobian = slopes[:, :, None] * d_gradient[:, None]
    twin = twins([features, jacobian, *vars(weights).values()])
    expected = heads_torch.sdf_head(points.double(), twin[0], twin[1], SdfHeadWeights(*twin[2:]))
    gradients = [d_features, d_jacobian, *vars(d_weights).values()]
    cotangents = [d_outputs, d_gradient]
    agree([outputs, gradient], gradients, list(expected), twin, cotangents, dtype)
    # What is left are the weights, rounded to half: the same error for neighbouring points.
    assert relative(outputs[:, 0], expected[0][:, 0]) < 2e-3
    alone = torch.empty_like(outputs)
    sdf_head_forward(points, features, None, weights, alone, None)
    assert torch.equal(alone, outputs)


@pytest.mark.parametrize(("n", "dtype"), CASES)
def test_colour_head(n: int, dtype: torch.dtype) -> None:
    from ineus_core.kernels.mlp.gpu import colour_head_backward, colour_head_forward

    torch.manual_seed(n)
    geometry = torch.randn((n, 13), device="cuda").to(dtype)
    directions = normalize(torch.randn((n, 3), device="cuda"), dim=1)
    vectors = torch.randn((n, 3), device="cuda")
    weights = colour_weights()
    rgb, d_vectors = torch.empty_like(vectors), torch.empty_like(vectors)
    colour_head_forward(geometry, vectors, directions, weights, rgb)
    cotangent, d_geometry = torch.randn_like(rgb), vectors.new_empty((n, 13))
    d_weights = ColourHeadWeights(*map(torch.zeros_like, vars(weights).values()))
    colour_head_backward(
        geometry, vectors, directions, weights, cotangent, None, d_geometry, d_vectors, d_weights
    )
    twin = twins([geometry, vectors, *vars(weights).values()])
    normals = normalize(twin[1], dim=1, eps=1e-6)
    expected = heads_torch.colour_head(
        twin[0], directions.double(), normals, ColourHeadWeights(*twin[2:])
    )
    gradients = [d_geometry, d_vectors, *vars(d_weights).values()]
    agree([rgb], gradients, [expected], twin, [cotangent], dtype)


def test_no_points() -> None:
    from ineus_core.kernels.mlp.gpu import colour_head_forward, sdf_head_forward

    none = torch.zeros((0, 3), device="cuda")
    weights = SdfHeadWeights(drawn(64, 35), drawn(64), drawn(13, 64), drawn(13))
    outputs = none.new_zeros((0, 13))
    sdf_head_forward(none, none.new_zeros((0, 32)), None, weights, outputs, None)
    colour_head_forward(outputs, none, none, colour_weights(), none)


def test_weights_of_another_shape_are_refused() -> None:
    from ineus_core.kernels.mlp.gpu import sdf_head_forward

    points, features = torch.zeros((4, 3), device="cuda"), torch.zeros((4, 20), device="cuda")
    weights = SdfHeadWeights(drawn(64, 35), drawn(64), drawn(13, 64), drawn(13))
    with pytest.raises(ValueError, match=r"weight of shape \(64, 35\): expected \(64, 23\)"):
        sdf_head_forward(points, features, None, weights, points.new_zeros((4, 13)), None)
