# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Variants of the field: finite differences, levels that appear, frequencies, density, bounds."""

import math

import pytest
import torch
from tiny_scene import tiny_field
from torch import Tensor

from ineus_core.fields import FieldConfig, HashSdf, VariantField
from ineus_core.fields.frequency import frequency, octave_weights
from ineus_core.fields.networks import truncated_exp
from ineus_core.fields.variant import _offsets, differences


def variant(**settings: object) -> VariantField:
    torch.manual_seed(0)
    # Cells much larger than the steps of differences, most of which then lie within one.
    cells = {"coarsest_cell_m": 0.4, "finest_cell_m": 0.1}
    field = tiny_field("object", side_m=2.0, **cells, **settings)
    assert isinstance(field, VariantField)
    torch.nn.init.uniform_(field.table, -0.02, 0.02)
    torch.nn.init.uniform_(field.w1, -0.3, 0.3)
    return field


def some_points(n: int = 50) -> Tensor:
    return 1.6 * torch.rand(n, 3, generator=torch.Generator().manual_seed(1)) - 0.8


@pytest.mark.parametrize("taps", [4, 6])
def test_differences_of_a_quadratic_by_hand(taps: int) -> None:
    # f = x^2 + 2 y^2 - 5 z + x y: gradient (2x + y, 4y + x, -5), Laplacian 6.
    def f(p: Tensor) -> Tensor:
        x, y, z = p.unbind(dim=-1)
        return x * x + 2 * y * y - 5 * z + x * y

    points, offsets = some_points(5).double(), _offsets(taps).double() * 0.1
    around = f(points[None] + offsets[:, None])
    gradient, laplacian = differences(f(points), around, offsets)
    x, y, _ = points.unbind(dim=1)
    expected = torch.stack((2 * x + y, 4 * y + x, torch.full_like(x, -5.0)), dim=1)
    # The tetrahedron mixes a part of the curvature into the gradient.
    tolerance = 1e-9 if taps == 6 else 0.1
    torch.testing.assert_close(gradient, expected, atol=tolerance, rtol=0)
    torch.testing.assert_close(laplacian, torch.full_like(x, 6.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("taps", [4, 6])
def test_finite_differences_are_near_the_analytic_gradient_and_train(
    taps: int, backend: str
) -> None:
    settings = {"gradient": "finite_difference", "gradient_taps": taps, "gradient_step_m": 3e-3}
    field = variant(backend=backend, **settings)
    points = some_points()
    output = field(points, points)
    analytic = variant(colour="plain")
    analytic.load_state_dict(field.state_dict())
    expected = analytic(points, points).gradient
    error = (output.gradient - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.median() < 0.05
    assert output.laplacian is not None
    (output.gradient.square().sum() + output.laplacian.abs().mean()).backward()
    assert field.table.grad is not None and bool((field.table.grad != 0).any())


def test_levels_appear_one_by_one() -> None:
    config = FieldConfig(start_levels=4, levels_from_step=100, steps_per_level=50)
    found = [config.visible_levels(step, 16) for step in (0, 100, 149, 150, 400, 10_000)]
    assert found == [4, 4, 4, 5, 10, 16]
    assert FieldConfig().visible_levels(0, 16) == 16
    field = variant(start_levels=2, steps_per_level=10)
    points, full = some_points(), variant(colour="plain")
    full.load_state_dict(field.state_dict())
    coarse = field.sdf(points)
    assert not torch.allclose(coarse, full.sdf(points), atol=1e-5)
    field.set_step(1000)
    torch.testing.assert_close(field.sdf(points), full.sdf(points))
    # A level that is not seen yet does not learn.
    field.set_step(0)
    field(points, points).sdf.sum().backward()
    hidden = field.layout.offsets[2]
    assert bool((field.table.grad[hidden:] == 0).all())
    assert bool((field.table.grad[:hidden] != 0).any())


def test_the_step_of_a_difference_follows_the_finest_level_seen() -> None:
    field = variant(gradient="finite_difference", start_levels=1, steps_per_level=10)
    layout = field.layout
    assert field.gradient_step_m == pytest.approx(2.0 / layout.resolutions[0])
    field.set_step(10_000)
    assert field.gradient_step_m == pytest.approx(2.0 / layout.resolutions[-1])


def test_frequencies_and_their_slopes_by_hand() -> None:
    points = torch.tensor([[0.3, -0.2, 0.5]])
    features, jacobian = frequency(points, 2)
    assert features[0, 0].item() == pytest.approx(math.sin(0.3), rel=1e-5)
    assert features[0, 4].item() == pytest.approx(math.cos(-0.2), rel=1e-5)
    assert features[0, 8].item() == pytest.approx(math.sin(1.0), rel=1e-5)
    auto = torch.autograd.functional.jacobian(lambda p: frequency(p, 2)[0][0], points)[:, 0]
    torch.testing.assert_close(jacobian[0], auto)


def test_octaves_appear_by_a_cosine() -> None:
    assert octave_weights(0, 0, 3) == [1, 1, 1]
    assert octave_weights(50, 100, 3) == pytest.approx([1, 0.5, 0], abs=1e-9)
    assert octave_weights(500, 100, 3) == [1, 1, 1]


@pytest.mark.parametrize("encoding", ["frequency", "both"])
def test_gradient_with_frequencies_is_that_of_finite_differences(encoding: str) -> None:
    field = variant(encoding=encoding, octaves=3).double()
    assert len(field.table) == (0 if encoding == "frequency" else field.layout.entries)
    points = some_points(40).double()
    gradient = field(points, points).gradient
    offsets = _offsets(6).double() * 1e-4
    around = torch.stack([field.sdf(points + offset) for offset in offsets])
    expected, _ = differences(field.sdf(points), around, offsets)
    assert (gradient - expected).abs().quantile(0.8) < 1e-2


def test_a_plain_colour_is_the_same_from_everywhere() -> None:
    points = some_points()
    plain, usual = variant(colour="plain"), variant(inv_s_cap=1e6)
    assert torch.equal(plain(points, points).rgb, plain(points, -points).rgb)
    assert not torch.equal(usual(points, points).rgb, usual(points, -points).rgb)


def test_sharpness_is_bounded_by_a_line_from_where_it_was() -> None:
    field = variant(inv_s_cap=1000.0, inv_s_cap_from_step=100, inv_s_cap_steps=1000)
    first = field.inv_s.item()
    with torch.no_grad():
        field.log_inv_s.fill_(1.0)
    field.set_step(100)
    assert field.inv_s.item() == pytest.approx(math.exp(10), rel=1e-4)
    with torch.no_grad():
        field.log_inv_s.fill_(math.log(first) / 10)
    field.set_step(101)
    with torch.no_grad():
        field.log_inv_s.fill_(1.0)
    field.set_step(500)
    assert field.inv_s.item() == pytest.approx(first + 0.5 * (1000 - first), rel=1e-3)
    field.set_step(9000)
    assert field.inv_s.item() == pytest.approx(1000.0)


def test_density_by_hand_and_its_surface() -> None:
    field = variant(kind="density", density_threshold=5.0)
    points = some_points()
    output = field(points, points)
    assert output.density is not None
    torch.testing.assert_close(output.density.detach(), field.density(points))
    # Half the side is 1 m, so the density is per metre; the sign changes where it is 5.
    torch.testing.assert_close(field.sdf(points), torch.log(5.0 / field.density(points)))
    assert bool((field.density(points) > 0).all())


def test_the_exponential_of_a_wild_number_has_a_finite_gradient() -> None:
    x = torch.tensor([1.0, 40.0], requires_grad=True)
    truncated_exp(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.exp(torch.tensor([1.0, 15.0])))


def test_the_usual_field_is_no_variant() -> None:
    field = tiny_field("object")
    assert type(field) is HashSdf
    assert FieldConfig(colour="plain").unusual_option == "field.colour"


def test_what_the_captured_step_does_not_know_of_a_field_is_named() -> None:
    known = FieldConfig(kind="density", colour="direction", include_points=False, density_bias=1)
    assert known.option_without_step == ""
    assert known.unusual_option == "field.kind"
    assert FieldConfig(colour="plain").option_without_step == "field.colour"
    assert FieldConfig(kind="density", weight_norm=True).option_without_step == "field.weight_norm"
