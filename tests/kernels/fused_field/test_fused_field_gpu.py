# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The field on raw kernels against the torch twins, eager and captured."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid import reference as hash_grid_torch
from ineus_core.kernels.mlp import reference as heads_torch
from ineus_core.kernels.mlp.reference import ColourHeadWeights, FieldWeights, SdfHeadWeights

pytestmark = pytest.mark.gpu

LAYOUT = HashGridLayout(levels=16, log2_entries=14)
SHAPES = ((64, 35), (64,), (13, 64), (13,), (64, 32), (64,), (64, 64), (64,), (3, 64), (3,))
SCALES = (1.5, 0.5)


def relative(a: Tensor, b: Tensor) -> float:
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def parameters() -> list[Tensor]:
    torch.manual_seed(0)
    weights = [torch.randn(shape, device="cuda") * shape[-1] ** -0.5 for shape in SHAPES]
    weights[0][:, 3:] *= 0.2
    table = (torch.randn((LAYOUT.entries, 2), device="cuda") * 1e-2).half().float()
    return [table, *weights]


def rays(n: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(n)
    points = torch.rand((n, 3), device="cuda")
    return points, normalize(torch.randn((n, 3), device="cuda"), dim=1)


@pytest.mark.parametrize("n", [1, 150, 20011])
def test_matches_torch(n: int) -> None:
    from ineus_core.kernels.fused_field.gpu import field

    points, directions = rays(n)
    inputs = [p.requires_grad_() for p in parameters()]
    twin = [p.detach().double().requires_grad_() for p in inputs]
    output = field(
        points, directions, None, inputs[0], SdfHeadWeights(*inputs[1:5]),
        ColourHeadWeights(*inputs[5:]),
        LAYOUT, SCALES, run_levels=4,
    )  # fmt: skip
    features, jacobian = hash_grid_torch.hash_grid(points, twin[0].float(), LAYOUT)
    features, jacobian = features.double(), jacobian.double()
    signed = (2 * points - 1).double()
    outputs, gradient = heads_torch.sdf_head(
        signed, features, jacobian, SdfHeadWeights(*twin[1:5])
    )
    gradient = SCALES[1] * gradient
    rgb = heads_torch.colour_head(
        outputs,
        directions.double(),
        normalize(gradient, dim=1, eps=1e-6),
        ColourHeadWeights(*twin[5:]),
    )
    expected = (SCALES[0] * outputs[:, 0], gradient, rgb)
    got = (output.sdf, output.gradient, output.rgb)
    assert relative(got[0], expected[0]) < 1e-4
    assert relative(got[1], expected[1]) < 2e-3
    assert relative(got[2], expected[2]) < 2e-3
    cotangents = [torch.randn_like(t) for t in got]
    a = torch.autograd.grad(got, inputs, cotangents)
    b = torch.autograd.grad(expected, twin, [c.double() for c in cotangents])
    errors = [relative(x, y) for x, y in zip(a, b, strict=True)]
    assert max(errors) < 4e-2, errors


def test_captured_equals_eager() -> None:
    from ineus_core.kernels.fused_field import gpu as f
    from ineus_core.types import FieldOutput

    n = 3001
    points, directions = rays(n)
    table, *flat = parameters()
    weights = FieldWeights(table.half(), SdfHeadWeights(*flat[:4]), ColourHeadWeights(*flat[4:]))
    buffers = f.field_buffers(n, LAYOUT, 13, points.device)
    vectors = torch.empty((7, n), device="cuda")
    output = FieldOutput(vectors[6], vectors[:3].t(), vectors[3:6].t())
    leaves = (output.sdf, output.gradient, output.rgb)
    d_output = FieldOutput(*(torch.randn_like(t) for t in leaves))
    sums = [torch.zeros_like(p) for p in (table, *flat)]
    d_weights = FieldWeights(sums[0], SdfHeadWeights(*sums[1:5]), ColourHeadWeights(*sums[5:]))

    def both() -> None:
        for total in sums:
            total.zero_()
        f.field_forward(points, directions, None, weights, LAYOUT, SCALES, buffers, output)
        f.field_backward(
            points, directions, None, weights, LAYOUT, SCALES, buffers, output, d_output, d_weights
        )

    both()
    # Nothing in the passes may wait for the device.
    torch.cuda.set_sync_debug_mode("error")
    try:
        both()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    eager = [t.clone() for t in (vectors, *sums)]
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        both()
    vectors.fill_(torch.nan)
    graph.replay()
    for got, expected in zip((vectors, *sums), eager, strict=True):
        assert relative(got, expected) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_distance_alone(dtype: torch.dtype) -> None:
    from ineus_core.kernels.fused_field.gpu import field_sdf

    points, _ = rays(150)
    table, *flat = parameters()
    weights = SdfHeadWeights(*flat[:4])
    sdf = field_sdf(points, table.to(dtype), weights, LAYOUT, SCALES[0])
    features, _ = hash_grid_torch.hash_grid(points, table, LAYOUT)
    expected = heads_torch.sdf_head_value(2 * points - 1, features, weights)[:, 0]
    assert relative(sdf, SCALES[0] * expected) < 1e-3
