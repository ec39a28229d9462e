# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Costs, filter, planes and agreement on GPU and CPU against the torch twin, and that by hand."""

from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor

from ineus_core.kernels.stereo_matching import UNSEEN_COST, Planes, SourceDepth, SourceView
from ineus_core.kernels.stereo_matching import reference as stereo_torch
from ineus_core.types import Camera

BACKENDS = [pytest.param("gpu", "cuda", marks=pytest.mark.gpu), ("cpu", "cpu")]
LENSES = {
    "none": (),
    "plumb_bob": (-0.2, 0.05, 0.01, -0.01, 0.02),
    "rational_polynomial": (0.1, 0.05, 0.01, -0.01, 0.0, 0.3, 0.1, 0.0),
    "equidistant": (0.05, -0.01, 0.0, 0.0),
}
POSE = np.array(
    [[0.995, 0.0, 0.0998, -0.2], [0.0, 1.0, 0.0, 0.03], [-0.0998, 0.0, 0.995, 0.05]],
    np.float32,
)


def camera_of(width_px: int, height_px: int, model: str = "none") -> Camera:
    size = width_px / 2, height_px / 2
    return Camera(width_px, height_px, width_px, width_px, *size, model, LENSES[model])


def plane_xy_of(camera: Camera) -> Tensor:
    u, v = torch.meshgrid(
        torch.arange(camera.width_px) + 0.5, torch.arange(camera.height_px) + 0.5, indexing="xy"
    )
    return torch.stack(((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy), dim=-1)


def smooth_noise(height_px: int, width_px: int) -> Tensor:
    """Blobs of a few pixels, 0 to 255."""
    coarse = torch.rand(1, 1, height_px // 4 + 2, width_px // 4 + 2)
    size = (height_px, width_px)
    return 255 * torch.nn.functional.interpolate(coarse, size, mode="bicubic")[0, 0].clamp(0, 1)


@pytest.mark.parametrize("model", LENSES)
@pytest.mark.parametrize(("backend", "device"), BACKENDS)
def test_costs_match_torch(backend: str, device: str, model: str) -> None:
    operator = import_module(f"ineus_core.kernels.stereo_matching.{backend}")
    camera, other = camera_of(61, 47), camera_of(53, 41, model)
    usable = (torch.rand(41, 53) > 0.1).float()
    source = SourceView(smooth_noise(41, 53).to(device), usable.to(device), other, POSE)
    plain = SourceView(
        smooth_noise(47, 61).to(device), torch.ones(47, 61, device=device), camera, POSE
    )
    given = smooth_noise(47, 61), plane_xy_of(camera), 0.4 + 0.1 * torch.rand(47, 61)
    grey, plane_xy, base = (tensor.to(device) for tensor in given)
    planes = Planes(-0.4, 0.3, 7)
    arguments = grey, plane_xy, base, planes, [source, plain], 4.0
    costs, expected = operator.matching_cost(*arguments), stereo_torch.matching_cost(*arguments)
    # At the border of a source rounding decides whether it sees a pixel.
    off = (costs - expected).abs() > 1e-4
    assert off.float().mean() < 0.002
    assert bool((expected == UNSEEN_COST).any())


@pytest.mark.parametrize(("backend", "device"), BACKENDS)
def test_filter_and_planes_match_torch(backend: str, device: str) -> None:
    operator = import_module(f"ineus_core.kernels.stereo_matching.{backend}")
    costs = torch.rand(9, 23, 37, device=device)
    guide = smooth_noise(23, 37).to(device)
    filtered = operator.filtered_cost(costs, guide, 3, 8.0)
    expected = stereo_torch.filtered_cost(costs, guide, 3, 8.0)
    torch.testing.assert_close(filtered, expected, atol=2e-4, rtol=1e-4)
    ours, twins = operator.best_plane(expected), stereo_torch.best_plane(expected)
    torch.testing.assert_close(ours.index, twins.index, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(ours.cost, twins.cost)
    torch.testing.assert_close(ours.margin, twins.margin)


@pytest.mark.parametrize("model", LENSES)
@pytest.mark.parametrize(("backend", "device"), BACKENDS)
def test_agreement_matches_torch(backend: str, device: str, model: str) -> None:
    operator = import_module(f"ineus_core.kernels.stereo_matching.{backend}")
    camera, other = camera_of(61, 47), camera_of(53, 41, model)
    inverse_depth = 0.5 + 0.02 * torch.rand(47, 61)
    inverse_depth[:5] = 0
    theirs = 0.5 + 0.02 * torch.rand(41, 53)
    theirs[:, :9] = 0
    theirs[20:, 30:] *= 0.6
    found = SourceDepth(theirs.to(device), other, POSE, 0.005, 0.7)
    arguments = inverse_depth.to(device), plane_xy_of(camera).to(device), [found] * 2, 0.004, 0.03
    result, twin = operator.agreement(*arguments), stereo_torch.agreement(*arguments)
    for name in ("agreeing", "seen", "against"):
        off = getattr(result, name) != getattr(twin, name)
        assert float(getattr(twin, name).sum()) > 0
        assert off.float().mean() < 0.002
    same = (result.agreeing == twin.agreeing) & (result.inverse_depth > 0)
    torch.testing.assert_close(result.inverse_depth[same], twin.inverse_depth[same])
    torch.testing.assert_close(result.spread[same], twin.spread[same], atol=1e-5, rtol=1e-3)


def test_cost_of_the_true_shift_is_least() -> None:
    """Beside each other at 0.5 and f 40, a point at inverse depth q lies 20 q pixels apart."""
    camera = camera_of(40, 30)
    grey = 255 * torch.rand(30, 48)
    beside = np.eye(4, dtype=np.float32)[:3]
    beside[0, 3] = -0.5
    # Brighter and of less contrast, as by another exposure.
    source = SourceView(0.8 * grey[:, 8:] + 20, torch.ones(30, 40), camera, beside)
    costs = stereo_torch.matching_cost(
        grey[:, 5:45].contiguous(), plane_xy_of(camera), torch.zeros(30, 40),
        Planes(0.0, 0.05, 7), [source], 0.5,
    )  # fmt: skip
    # A mean of nine, as a pixel that is brighter than all around it looks like any other such.
    mean = stereo_torch.filtered_cost(costs, torch.zeros(30, 40), 1, 1.0)
    best = stereo_torch.best_plane(mean)
    inside = best.index[6:-6, 12:-6]
    torch.testing.assert_close(inside, torch.full_like(inside, 3.0), atol=0.2, rtol=0)
    assert bool((costs[6, :, 2] == UNSEEN_COST).all())


def test_a_mask_hides_a_source() -> None:
    camera, grey = camera_of(20, 20), smooth_noise(20, 20)
    hidden = SourceView(grey, torch.zeros(20, 20), camera, np.eye(4, dtype=np.float32)[:3])
    seen = SourceView(grey, torch.ones(20, 20), camera, np.eye(4, dtype=np.float32)[:3])
    given = grey, plane_xy_of(camera), torch.ones(20, 20), Planes(0.0, 1.0, 1)
    costs = stereo_torch.matching_cost(*given, [hidden], 1.0)
    assert bool((costs == UNSEEN_COST).all())
    costs = stereo_torch.matching_cost(*given, [hidden, seen], 1.0)
    assert float(costs.max()) < 2e-3


def test_planes_by_hand() -> None:
    costs = torch.tensor([9.0, 4.0, 1.0, 2.0, 6.0, 3.0, 7.0]).view(7, 1, 1)
    best = stereo_torch.best_plane(costs)
    # The vertex of the parabola through (1, 4), (2, 1), (3, 2) lies at 2.25.
    assert float(best.index) == pytest.approx(2.25)
    assert (float(best.cost), float(best.margin)) == (1.0, 2.0)
    edge = stereo_torch.best_plane(costs.flip(0)[4:].contiguous())
    assert float(edge.index) == 0.0


def test_a_flat_guide_makes_the_filter_a_mean_of_means() -> None:
    costs = torch.zeros(1, 5, 5)
    costs[0, 2, 2] = 9.0
    filtered = stereo_torch.filtered_cost(costs, torch.full((5, 5), 7.0), 1, 1.0)
    # Slope 0: the box twice; around the corner one of four boxes holds the middle.
    assert float(filtered[0, 0, 0]) == pytest.approx(9 / 9 / 4, rel=1e-4)
    assert float(filtered[0, 2, 2]) == pytest.approx(1.0, rel=1e-4)


def test_an_edge_of_the_guide_is_kept() -> None:
    guide = torch.cat((torch.full((9, 9), 20.0), torch.full((9, 9), 220.0)), dim=1)
    costs = (guide > 100).float()[None] + 0.02 * torch.randn(1, 9, 18)
    filtered = stereo_torch.filtered_cost(costs, guide, 3, 8.0)
    assert float((filtered[0] - (guide > 100).float()).abs().max()) < 0.03


def test_agreement_by_hand() -> None:
    """One view beside the other at 0.1: the same wall, a nearer and a farther one, a hole."""
    camera = camera_of(8, 8)
    beside = np.eye(4, dtype=np.float32)[:3]
    beside[0, 3] = 0.1
    q = torch.full((8, 8), 0.5)
    q[0] = 0
    maps = [torch.full((8, 8), value) for value in (0.505, 0.8, 0.3, 0.0)]
    others = [SourceDepth(theirs, camera, beside, 0.01, 1.0) for theirs in maps]
    result = stereo_torch.agreement(q, plane_xy_of(camera), others, 0.001, 0.1)
    middle = 4, 4
    assert float(result.agreeing[middle]) == 1
    assert float(result.against[middle]) == 1
    assert float(result.seen[middle]) == 3
    assert float(result.inverse_depth[middle]) == pytest.approx(0.5025)
    assert float(result.spread[middle]) == pytest.approx(0.01, rel=1e-3)
    assert float(result.agreeing[0].sum()) == 0


def test_a_step_forward_is_allowed_for() -> None:
    """What one view sees at 2 m, another one that stands 0.5 m nearer sees at 1.5 m."""
    camera = camera_of(8, 8)
    nearer = np.eye(4, dtype=np.float32)[:3]
    nearer[2, 3] = -0.5
    theirs = SourceDepth(torch.full((8, 8), 1 / 1.5), camera, nearer, 0.001, 1.0)
    q = torch.full((8, 8), 0.5)
    result = stereo_torch.agreement(q, plane_xy_of(camera), [theirs], 0.001, 0.02)
    assert bool((result.agreeing[2:6, 2:6] == 1).all())
    torch.testing.assert_close(result.inverse_depth[2:6, 2:6], q[2:6, 2:6])


def test_who_stands_nearer_says_more() -> None:
    """By the square of how its inverse depth changes with ours, which is 1 / 0.75^2 here."""
    camera = camera_of(8, 8)
    nearer = np.eye(4, dtype=np.float32)[:3]
    nearer[2, 3] = -0.5
    q = torch.full((8, 8), 0.5)
    theirs = SourceDepth(torch.full((8, 8), 1 / 1.49), camera, nearer, 0.01, 0.5)
    result = stereo_torch.agreement(q, plane_xy_of(camera), [theirs], 0.001, 0.02)
    weight = 0.5 / 0.75**4
    expected = (0.5 + weight / 1.99) / (1 + weight)
    assert float(result.inverse_depth[4, 4]) == pytest.approx(expected, rel=1e-6)


def test_tilted_sensors_are_refused() -> None:
    tilted = Camera(8, 8, 8.0, 8.0, 4.0, 4.0, "rational_polynomial", (0.0,) * 12 + (0.1, 0.0))
    with pytest.raises(ValueError, match="tilted"):
        stereo_torch.coefficients_of(tilted)


@pytest.mark.parametrize(("backend", "device"), BACKENDS)
def test_smaller_pictures_match_torch(backend: str, device: str) -> None:
    operator = import_module(f"ineus_core.kernels.stereo_matching.{backend}")
    image = smooth_noise(23, 37).to(device)
    for size in ((23, 37), (11, 18), (7, 12)):
        expected = stereo_torch.reduced(image, size)
        torch.testing.assert_close(operator.reduced(image, size), expected, atol=2e-3, rtol=1e-4)


def test_a_smaller_picture_by_hand() -> None:
    """Five pixels in two: each takes two and a half."""
    row = torch.tensor([[1.0, 2.0, 5.0, 4.0, 9.0]])
    smaller = stereo_torch.reduced(row, (1, 2))
    torch.testing.assert_close(smaller, torch.tensor([[5.5, 15.5]]) / 2.5)


@pytest.mark.parametrize(("backend", "device"), BACKENDS)
def test_medians_match_torch(backend: str, device: str) -> None:
    operator = import_module(f"ineus_core.kernels.stereo_matching.{backend}")
    # Few values, so that many pixels are equal.
    image = torch.randint(0, 6, (13, 21), device=device).float()
    assert torch.equal(operator.median_of_25(image), stereo_torch.median_of_25(image))
