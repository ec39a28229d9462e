# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the field under autograd on kernels against plain torch: values and gradients."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.kernels import hash_grid, mlp
from ineus_core.kernels.fused_field import (
    differentiable_colour,
    differentiable_distance,
    differentiable_geometry,
    differentiable_outputs,
)
from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.mlp import ColourHeadWeights, SdfHeadWeights

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
LAYOUT = HashGridLayout(levels=12, log2_entries=12)
SDF_SHAPES = ((64, 27), (64,), (13, 64), (13,))
COLOUR_SHAPES = ((64, 32), (64,), (64, 64), (64,), (3, 64), (3,))


def relative(a: Tensor, b: Tensor) -> float:
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def random_weights(shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    torch.manual_seed(0)
    return [
        (torch.randn(shape, device=GPU) * shape[-1] ** -0.5).requires_grad_() for shape in shapes
    ]


def random_table() -> Tensor:
    # Of numbers that half precision has.
    values = (torch.randn((LAYOUT.entries, 2), device=GPU) * 1e-2).half().float()
    return values.requires_grad_()


def assert_same_gradients(
    found: Sequence[Tensor], expected: Sequence[Tensor], inputs: Sequence[Tensor], most: float
) -> None:
    cotangents = [torch.randn_like(part) for part in found]
    ours = torch.autograd.grad(found, inputs, cotangents)
    theirs = torch.autograd.grad(expected, inputs, cotangents, retain_graph=True)
    errors = [relative(a, b) for a, b in zip(ours, theirs, strict=True)]
    assert max(errors) < most, errors


def test_geometry_has_the_values_and_gradients_of_torch() -> None:
    points, table = torch.rand((301, 3), device=GPU), random_table()
    weights = random_weights(SDF_SHAPES)
    found = differentiable_geometry(points, table, SdfHeadWeights(*weights), LAYOUT)
    features, jacobian = hash_grid.hash_grid(points, table, LAYOUT)
    expected = mlp.sdf_head(2 * points - 1, features, jacobian, SdfHeadWeights(*weights))
    assert relative(found[0], expected[0]) < 2e-3
    assert relative(found[1], expected[1]) < 2e-3
    assert_same_gradients(found, expected, (table, *weights), 4e-2)


def test_outputs_and_distance_have_them_too() -> None:
    points, table = torch.rand((301, 3), device=GPU), random_table()
    weights = random_weights(SDF_SHAPES)
    call = (points, table, SdfHeadWeights(*weights), LAYOUT)
    features = hash_grid.hash_grid_value(points, table, LAYOUT)
    expected = mlp.sdf_head_value(2 * points - 1, features, SdfHeadWeights(*weights))
    outputs, distance = differentiable_outputs(*call), differentiable_distance(*call)
    assert relative(outputs, expected) < 1e-4
    assert relative(distance, expected[:, 0]) < 1e-5
    assert_same_gradients([outputs], [expected], (table, *weights), 2e-2)
    assert_same_gradients([distance], [expected[:, 0]], (table, *weights), 2e-2)


def test_a_difference_over_a_millimetre_is_exact() -> None:
    table, weights = random_table(), random_weights(SDF_SHAPES)
    points = torch.rand((2000, 3), device=GPU) * 0.5 + 0.25
    step = torch.tensor([5e-4, 0.0, 0.0], device=GPU)
    call = (table, SdfHeadWeights(*weights), LAYOUT)
    with torch.no_grad():
        found = differentiable_distance(points + step, *call)
        found = found - differentiable_distance(points - step, *call)
        exact = [part.double() for part in weights]
        values = []
        for at in (points + step, points - step):
            features = hash_grid.hash_grid_value(at, table, LAYOUT).double()
            signed = (2 * at - 1).double()
            values.append(mlp.sdf_head_value(signed, features, SdfHeadWeights(*exact))[:, 0])
    assert relative(found, values[0] - values[1]) < 2e-3


@pytest.mark.parametrize("has_normal", [True, False])
def test_colour_has_the_values_and_gradients_of_torch(has_normal: bool) -> None:
    torch.manual_seed(1)
    n = 301
    features = torch.randn((n, 13), device=GPU, requires_grad=True)
    gradient = (torch.randn((n, 3), device=GPU) * has_normal).requires_grad_()
    directions = normalize(torch.randn((n, 3), device=GPU), dim=1)
    weights = random_weights(COLOUR_SHAPES)
    found = differentiable_colour(features, directions, gradient, ColourHeadWeights(*weights))
    normal = normalize(gradient, dim=1, eps=1e-6)
    expected = mlp.colour_head(features, directions, normal, ColourHeadWeights(*weights))
    assert relative(found, expected) < 2e-3
    inputs = (features, gradient, *weights) if has_normal else (features, *weights)
    assert_same_gradients([found], [expected], inputs, 4e-2)


def test_nothing_waits_for_the_device() -> None:
    points, table = torch.rand((512, 3), device=GPU), random_table()
    weights = random_weights(SDF_SHAPES)
    call = (points, table, SdfHeadWeights(*weights), LAYOUT)

    def both_ways() -> None:
        outputs, gradient = differentiable_geometry(*call)
        total = outputs.sum() + gradient.sum() + differentiable_distance(*call).sum()
        torch.autograd.grad(total, (table, *weights))

    both_ways()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        both_ways()
    finally:
        torch.cuda.set_sync_debug_mode("default")
