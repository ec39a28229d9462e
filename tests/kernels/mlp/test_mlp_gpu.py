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
    return (torch.randn(shape, device="cuda") * shape[-1] ** -0.5).requires_grad_()


def twins(tensors: list[Tensor]) -> list[Tensor]:
    return [t.detach().double().requires_grad_() for t in tensors]


def agree(
    got: tuple[Tensor, ...],
    expected: tuple[Tensor, ...],
    inputs: list[Tensor],
    twin: list[Tensor],
    dtype: torch.dtype,
) -> None:
    values, gradients = TOLERANCE[dtype]
    for a, b in zip(got, expected, strict=True):
        assert relative(a, b) < values
    cotangents = [torch.randn_like(t) for t in got]
    found = torch.autograd.grad(got, inputs, cotangents)
    exact = torch.autograd.grad(expected, twin, [c.double() for c in cotangents])
    errors = [relative(x, y) for x, y in zip(found, exact, strict=True)]
    assert max(errors) < gradients, errors


@pytest.mark.parametrize(
    ("n", "dtype", "channels"), [(*case, 32) for case in CASES] + [(150, torch.float16, 20)]
)
def test_sdf_head(n: int, dtype: torch.dtype, channels: int) -> None:
    from ineus_core.kernels.mlp.gpu import sdf_head, sdf_head_value

    torch.manual_seed(n)
    points = torch.rand((n, 3), device="cuda") * 2 - 1
    features = torch.randn((n, channels), device="cuda").to(dtype).requires_grad_()
    jacobian = torch.randn((n, channels, 3), device="cuda").to(dtype).requires_grad_()
    weights = [drawn(64, channels + 3), drawn(64), drawn(13, 64), drawn(13)]
    inputs = [features, jacobian, *weights]
    twin = twins(inputs)
    got = sdf_head(points, features, jacobian, SdfHeadWeights(*weights))
    exact = SdfHeadWeights(*twin[2:])
    expected = heads_torch.sdf_head(points.double(), twin[0], twin[1], exact)
    agree(got, expected, inputs, twin, dtype)
    # What is left are the weights, rounded to half: the same error for neighbouring points.
    assert relative(got[0][:, 0], expected[0][:, 0]) < 2e-3
    value = sdf_head_value(points, features.detach(), SdfHeadWeights(*weights))
    assert torch.equal(value, got[0])


@pytest.mark.parametrize(("n", "dtype"), CASES)
def test_colour_head(n: int, dtype: torch.dtype) -> None:
    from ineus_core.kernels.mlp.gpu import colour_head

    torch.manual_seed(n)
    geometry = torch.randn((n, 13), device="cuda").to(dtype).requires_grad_()
    directions = normalize(torch.randn((n, 3), device="cuda"), dim=1)
    vectors = torch.randn((n, 3), device="cuda", requires_grad=True)
    weights = [drawn(64, 32), drawn(64), drawn(64, 64), drawn(64), drawn(3, 64), drawn(3)]
    inputs = [geometry, vectors, *weights]
    twin = twins(inputs)
    got = colour_head(geometry, directions, vectors, ColourHeadWeights(*weights))
    normals = normalize(twin[1], dim=1, eps=1e-6)
    expected = heads_torch.colour_head(
        twin[0], directions.double(), normals, ColourHeadWeights(*twin[2:])
    )
    agree((got,), (expected,), inputs, twin, dtype)


def test_no_points() -> None:
    from ineus_core.kernels.mlp.gpu import colour_head, sdf_head

    none = torch.zeros((0, 3), device="cuda")
    weights = SdfHeadWeights(drawn(64, 35), drawn(64), drawn(13, 64), drawn(13))
    outputs, gradient = sdf_head(
        none, none.new_zeros((0, 32)), none.new_zeros((0, 32, 3)), weights
    )
    assert outputs.shape == (0, 13) and gradient.shape == (0, 3)
    colour = ColourHeadWeights(
        drawn(64, 32), drawn(64), drawn(64, 64), drawn(64), drawn(3, 64), drawn(3)
    )
    assert colour_head(outputs, none, gradient, colour).shape == (0, 3)


def test_heads_together() -> None:
    from ineus_core.kernels.mlp.gpu import heads

    torch.manual_seed(0)
    n = 300
    points, directions = torch.rand((n, 3), device="cuda"), torch.randn((n, 3), device="cuda")
    directions = normalize(directions, dim=1)
    features, jacobian = (torch.randn((n, 32, *k), device="cuda").half() for k in ((), (3,)))
    sdf = SdfHeadWeights(drawn(64, 35), drawn(64), drawn(13, 64), drawn(13))
    colour = ColourHeadWeights(
        drawn(64, 32), drawn(64), drawn(64, 64), drawn(64), drawn(3, 64), drawn(3)
    )
    got = heads(points, directions, features, jacobian, sdf, colour)
    expected = heads_torch.heads(
        points, directions, features.float(), jacobian.float(), sdf, colour
    )
    for a, b in zip(got, expected, strict=True):
        assert relative(a, b) < 2e-3
