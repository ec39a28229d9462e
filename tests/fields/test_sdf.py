# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The field: first surfaces, the gradient in metres, what autograd reaches, backends."""

import sys

import numpy as np
import pytest
import torch
from tiny_scene import CPU, tiny_field
from torch import Tensor

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.fields import FieldConfig, make_field, restore_field
from ineus_core.kernels import dispatch

UNIT_BOX = np.array([[-1.0, -1, -1], [1, 1, 1]])


def points_at(radius_m: float, n: int = 64) -> Tensor:
    return radius_m * torch.nn.functional.normalize(torch.randn(n, 3))


@pytest.mark.parametrize(("init", "sign"), [("object", 1.0), ("room", -1.0)])
def test_the_first_surface_is_a_sphere_with_free_space_on_the_right_side(init, sign) -> None:
    # Half the side is 2 m, so the sphere of 0.5 has a radius of 1 m.
    fields = [tiny_field(init, side_m=4.0, hidden=64) for _ in range(12)]
    for radius_m in (0.7, 1.0, 1.3, 1.8):
        sdf = torch.stack([field.sdf(points_at(radius_m)) for field in fields])
        assert sdf.mean().item() == pytest.approx(sign * (radius_m - 1.0), abs=0.1)
    for field in fields:
        assert sign * field.sdf(torch.zeros(1, 3)).item() < -0.5
        assert (sign * field.sdf(points_at(1.8)) > 0).float().mean() > 0.9


def test_a_stream_begins_free() -> None:
    field = tiny_field("depth", side_m=64.0, hidden=64)
    assert bool((field.sdf(4 * torch.rand(200, 3) - 2) > 0).all())


@pytest.mark.parametrize("init", ["object", "room", "depth"])
def test_gradient_is_that_of_finite_differences_in_metres(init) -> None:
    field = tiny_field(init, side_m=4.0)
    torch.nn.init.uniform_(field.table, -0.05, 0.05)
    points, step_m = 3.6 * torch.rand(100, 3) - 1.8, 2e-3
    output = field(points, points_at(1.0, 100))
    torch.testing.assert_close(output.sdf.detach(), field.sdf(points), atol=1e-5, rtol=1e-5)
    found = []
    for shift in step_m * torch.eye(3):
        found.append((field.sdf(points + shift) - field.sdf(points - shift)) / (2 * step_m))
    # The median leaves out the few points whose step crosses a cell.
    error = (output.gradient.detach() - torch.stack(found, dim=1)).abs()
    assert error.median() < 2e-3
    assert error.quantile(0.8) < 0.05


def test_the_sphere_has_unit_gradients() -> None:
    field = tiny_field("object", side_m=4.0, hidden=256)
    points = points_at(1.2)
    gradient = field(points, points).gradient
    radial = (gradient * torch.nn.functional.normalize(points)).sum(dim=1)
    assert radial.mean().item() == pytest.approx(1.0, abs=0.15)


def test_a_loss_on_everything_reaches_every_parameter() -> None:
    field = tiny_field("depth")
    output = field(points_at(0.5), points_at(1.0))
    loss = output.sdf.sum() + output.rgb.sum() + output.gradient.square().sum() + field.inv_s
    loss.backward()
    for name, parameter in field.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


def test_sharpness_by_hand() -> None:
    # 20 over half the side of 4 m
    assert tiny_field("object", side_m=4.0).inv_s.item() == pytest.approx(10.0, rel=1e-5)
    assert tiny_field("depth").inv_s.item() == pytest.approx(80.0, rel=1e-5)
    assert tiny_field("depth", initial_inv_s=33.0).inv_s.item() == pytest.approx(33.0, rel=1e-5)


def test_the_cube_holds_what_lies_in_it() -> None:
    field = tiny_field("object", side_m=2.0)
    assert field.holds(torch.tensor([[-0.9, -0.9, -0.9], [0.9, 0.9, 0.9]]))
    assert not field.holds(torch.tensor([[-0.9, -0.9, -0.9], [0.9, 1.1, 0.9]]))
    assert not field.holds(torch.tensor([[-1.1, 0.0, 0.0], [0.9, 0.9, 0.9]]))


def test_no_points() -> None:
    output = tiny_field()(torch.zeros(0, 3), torch.zeros(0, 3))
    assert output.sdf.shape == (0,)
    assert output.gradient.shape == (0, 3)


def test_both_cpu_backends_are_the_same_field() -> None:
    results = []
    for backend in ("torch", "numba"):
        torch.manual_seed(5)
        field = tiny_field("object", backend=backend)
        points, directions = points_at(0.6), points_at(1.0)
        output = field(points, directions)
        (output.sdf.sum() + output.gradient.square().sum() + output.rgb.sum()).backward()
        results.append((output.sdf, output.gradient, output.rgb, field.table.grad, field.w1.grad))
    for ours, twin in zip(*results, strict=True):
        torch.testing.assert_close(ours, twin, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("voxel_m", "finest_m", "side_m"),
    [(0.02, 0.0, 128.0), (0.002, 0.0, 32768 * 0.002), (0.02, 0.001, 32768 * 0.001)],
)
def test_a_stream_with_fine_cells_has_a_smaller_cube(
    voxel_m: float, finest_m: float, side_m: float
) -> None:
    field = make_field(FieldConfig(finest_cell_m=finest_m), "depth", UNIT_BOX, voxel_m, CPU)
    assert field.side_m == pytest.approx(side_m)


def test_automatic_values_are_resolved_and_can_be_restored() -> None:
    field = make_field(FieldConfig(extent_m=8.0), "depth", UNIT_BOX, 0.05, CPU)
    config = field.config
    assert config.levels >= 2
    assert (config.finest_cell_m, config.coarsest_cell_m) == (0.05, 0.64)
    assert field.layout.resolutions[-1] == 160
    again = restore_field(config, "depth", torch.zeros(3), 8.0, CPU)
    assert again.layout == field.layout
    again.load_state_dict(field.state_dict())
    points = points_at(0.7)
    assert torch.equal(again.sdf(points), field.sdf(points))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"finest_cell_m": 0.5, "coarsest_cell_m": 0.1}, "finest_cell_m 0.5"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_field(FieldConfig(**settings), "object", UNIT_BOX, 0.05, CPU)


@pytest.mark.parametrize(("is_there", "backend"), [(True, "numba"), (False, "torch")])
def test_a_cpu_takes_numba_or_says_that_it_takes_torch(
    is_there: bool,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(dispatch, "find_spec", lambda name: object() if is_there else None)
    with caplog.at_level("INFO", logger="ineus_core"):
        field = make_field(FieldConfig(), "object", UNIT_BOX, 0.05, CPU)
    assert field.config.backend == backend
    assert ("numba is not installed" in caplog.text) is not is_there


def test_a_backend_that_was_asked_for_and_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingDependencyError, match="pip install numba"):
        make_field(FieldConfig(backend="numba"), "object", UNIT_BOX, 0.05, CPU)


def test_a_coarse_voxel_needs_no_other_setting() -> None:
    field = make_field(FieldConfig(extent_m=400.0), "depth", UNIT_BOX, 0.5, CPU)
    assert (field.config.finest_cell_m, field.config.coarsest_cell_m) == (0.5, 4.0)
