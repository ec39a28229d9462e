# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of any depth: slopes, first spheres, weights by length and direction, activations."""

import math
import re

import pytest
import torch
from tiny_scene import tiny_field
from torch import Tensor

from ineus_core.errors import ConfigError
from ineus_core.fields import FieldConfig, VariantField
from ineus_core.fields.networks import (
    ACTIVATIONS,
    activation,
    network,
    network_with_gradient,
    normalised,
)
from ineus_core.kernels.mlp import SdfHeadWeights, sdf_head


def random_layers(depth: int, inputs: int = 5) -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(depth)
    widths = [inputs, *([7] * depth), 4]
    pairs = zip(widths[1:], widths[:-1], strict=True)
    return [(torch.randn(n, m).double(), torch.randn(n).double()) for n, m in pairs]


def variant(**settings: object) -> VariantField:
    torch.manual_seed(3)
    cells = {"coarsest_cell_m": 0.4, "finest_cell_m": 0.1}
    field = tiny_field("object", side_m=2.0, **{**cells, **settings})
    assert isinstance(field, VariantField)
    return field


def some_points(n: int = 200) -> Tensor:
    return 1.6 * torch.rand(n, 3, generator=torch.Generator().manual_seed(1)) - 0.8


def test_a_network_by_hand() -> None:
    # relu(2x - 1) and relu(-x); then their difference and sum.
    first = (torch.tensor([[2.0], [-1.0]]), torch.tensor([-1.0, 0.0]))
    last = (torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.tensor([0.5, 0.0]))
    inputs = torch.tensor([[2.0], [-3.0]])
    expected = torch.tensor([[3.5, 3.0], [-2.5, 3.0]])
    torch.testing.assert_close(network(inputs, [first, last], "relu"), expected)
    outputs, slopes = network_with_gradient(inputs, [first, last], "relu")
    torch.testing.assert_close(outputs, expected)
    assert slopes.tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize("hidden", ["softplus", "relu"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_gradient_of_any_depth_is_that_of_autograd(depth: int, hidden: str) -> None:
    layers = random_layers(depth)
    inputs = torch.randn(30, 5).double().requires_grad_()
    outputs, slopes = network_with_gradient(inputs, layers, hidden)
    (expected,) = torch.autograd.grad(outputs[:, 0].sum(), inputs, retain_graph=True)
    torch.testing.assert_close(slopes, expected)
    torch.testing.assert_close(outputs, network(inputs, layers, hidden))
    # A loss on the gradient reaches every weight.
    weights = [w.requires_grad_() for w, _ in layers]
    _, slopes = network_with_gradient(inputs.detach(), layers, hidden)
    slopes.square().sum().backward()
    assert all(bool((w.grad != 0).any()) for w in weights)


def test_one_hidden_layer_is_the_usual_head() -> None:
    (w1, b1), (w2, b2) = random_layers(1)
    points, features = torch.randn(20, 3).double(), torch.randn(20, 2).double()
    jacobian = torch.randn(20, 2, 3).double()
    outputs, gradient = sdf_head(points, features, jacobian, SdfHeadWeights(w1, b1, w2, b2))
    inputs = torch.cat((points, features), dim=1)
    ours, slopes = network_with_gradient(inputs, [(w1, b1), (w2, b2)], "softplus")
    torch.testing.assert_close(ours, outputs)
    total = (slopes[:, 3:, None] * jacobian).sum(dim=1) + 2.0 * slopes[:, :3]
    torch.testing.assert_close(total, gradient)


@pytest.mark.parametrize("weight_norm", [False, True])
@pytest.mark.parametrize("layers", [2, 3])
def test_the_first_surface_of_a_deep_network_is_a_sphere(layers: int, weight_norm: bool) -> None:
    field = variant(hidden_layers=layers, hidden=256, weight_norm=weight_norm)
    points = torch.nn.functional.normalize(some_points(), dim=1)
    near, far = field.sdf(0.2 * points), field.sdf(0.9 * points)
    assert bool((near < 0).all()) and bool((far > 0).all())
    # The mean over random rows is |x| - r only on average.
    assert near.mean().item() == pytest.approx(-0.3, abs=0.12)
    assert far.mean().item() == pytest.approx(0.4, abs=0.2)
    cosine = (field(0.6 * points, points).gradient.detach() * points).sum(dim=1)
    assert cosine.min() > 0.3


def test_inside_out_a_deep_network_is_free_in_the_middle() -> None:
    torch.manual_seed(0)
    field = tiny_field("room", side_m=2.0, hidden_layers=2, hidden=128)
    assert field.sdf(torch.zeros(1, 3)).item() > 0.2
    assert field.sdf(torch.tensor([[0.95, 0, 0]])).item() < 0


def test_the_gradient_of_a_deep_field_is_that_of_differences() -> None:
    settings = {"hidden_layers": 3, "weight_norm": True, "backend": "torch"}
    field = variant(**settings).double()
    torch.nn.init.uniform_(field.table, -0.02, 0.02)
    points = some_points(40).double()
    gradient, step = field(points, points).gradient, 1e-5
    for axis in range(3):
        offset = torch.zeros(3).double()
        offset[axis] = step
        expected = (field.sdf(points + offset) - field.sdf(points - offset)) / (2 * step)
        assert (gradient[:, axis] - expected).abs().quantile(0.8) < 1e-2


def test_rows_have_the_length_that_is_trained() -> None:
    rows = normalised(torch.tensor([[3.0, 4.0], [0.0, -2.0]]), torch.tensor([10.0, 0.5]))
    torch.testing.assert_close(rows, torch.tensor([[6.0, 8.0], [0.0, -0.5]]))


def test_weight_norm_begins_as_the_plain_field_and_trains_lengths() -> None:
    plain, apart = variant(colour="direction"), variant(colour="direction", weight_norm=True)
    points = some_points(30)
    torch.testing.assert_close(apart.sdf(points), plain.sdf(points), atol=1e-5, rtol=1e-5)
    names = {name for name, _ in apart.named_parameters()}
    assert {"w1_length", "w2_length"} <= names
    assert "colour_w1_length" not in names
    apart(points, points).sdf.square().sum().backward()
    lengths = apart.get_parameter("w1_length").grad
    assert lengths is not None and bool(lengths.any())
    # What is trained of the direction is across it.
    along = (apart.w1.grad * apart.w1).sum(dim=1)
    assert along.abs().max() < 1e-3 * apart.w1.grad.abs().max().clamp(min=1.0)


def test_points_that_the_network_may_not_see_do_not_count() -> None:
    settings = {"kind": "density", "include_points": False, "backend": "torch"}
    field = variant(**settings)
    torch.nn.init.zeros_(field.table)
    densities = field.density(some_points())
    assert densities.std().item() == pytest.approx(0.0, abs=1e-6)
    assert variant(kind="density").density(some_points()).std() > 1e-3
    assert not bool(field(some_points(), some_points()).gradient.any())
    with pytest.raises(ConfigError, match="include_points false with"):
        variant(include_points=False)


def test_colour_by_direction_sees_no_normal() -> None:
    field = variant(colour="direction", kind="density", hidden_activation="relu")
    points = some_points(20)
    trained = field(points, points)
    with torch.no_grad():
        shown = field(points, points)
    # The gradient is worked out where normals are shown, and colour is the same without it.
    assert float(trained.gradient.abs().max()) == 0.0
    assert float(shown.gradient.abs().max()) > 0.0
    torch.testing.assert_close(trained.rgb, shown.rgb)
    assert not torch.equal(field(points, -points).rgb, trained.rgb)


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("none", -3.0, -3.0),
        ("sigmoid", math.log(3.0), 0.75),
        ("tanh", 0.5, math.tanh(0.5)),
        ("relu", -1.0, 0.0),
        ("softplus", 0.0, math.log(2.0)),
        ("trunc_exp", 2.0, math.exp(2.0)),
        ("scale4", 3.0, 0.75),
        ("scale4", 9.0, 1.0),
        ("scale4", -1.0, 0.0),
        ("clamp1.5", 3.0, 1.5),
        ("clamp1.5", 1.2, 1.2),
        ("mul2.5", 2.0, 5.0),
        ("mul-2", 2.0, -4.0),
        ("+3", 1.5, 4.5),
        ("-0.5", 1.5, 1.0),
        ("lin2srgb", 0.5, 0.7353569),
        ("lin2srgb", 0.002, 0.02584),
        ("lin2srgb", 7.0, 1.0),
        ("lin2srgb", -1.0, 0.0),
    ],
)
def test_activations_by_hand(name: str, x: float, expected: float) -> None:
    assert re.fullmatch(ACTIVATIONS, name)
    value = torch.tensor([x], requires_grad=True)
    found = activation(name)(value)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.sum().backward()
    assert value.grad is not None and bool(value.grad.isfinite().all())


@pytest.mark.parametrize("name", ["scale", "gelu", "mulx", "clamp-1", "+", "lin2srgb2"])
def test_activations_without_a_meaning_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="colour_activation"):
        FieldConfig(colour_activation=name)


def test_activations_reach_colour_features_and_density() -> None:
    points = some_points(50)
    usual, srgb = (
        variant(colour="direction"),
        variant(colour="direction", colour_activation="lin2srgb"),
    )
    logits = torch.logit(usual(points, points).rgb)
    torch.testing.assert_close(
        srgb(points, points).rgb, activation("lin2srgb")(logits), atol=1e-4, rtol=1e-4
    )
    halved = variant(colour="direction", feature_activation="mul0.5")
    assert not torch.allclose(halved(points, points).rgb, usual(points, points).rgb)
    settings = {"kind": "density", "density_bias": 0.5, "density_threshold": 2.0}
    soft = variant(density_activation="softplus", **settings)
    exponent = torch.log(variant(**settings).density(points))
    expected = torch.nn.functional.softplus(exponent)
    torch.testing.assert_close(soft.density(points), expected, atol=1e-5, rtol=1e-4)
    # The mesh lies where the density is the threshold.
    assert torch.equal(soft.sdf(points) > 0, soft.density(points) < 2.0)
