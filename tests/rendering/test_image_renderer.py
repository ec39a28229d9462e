# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered views of analytic fields: depth along the axis, normals, background, what is unseen."""

import numpy as np
import pytest
import torch
from tiny_scene import CAMERA, CPU, pose
from torch import Tensor

from ineus_core.rendering import ImageRenderer, OccupancyConfig, OccupancyGrid
from ineus_core.types import Camera, FieldOutput


class Sphere:
    """Red from above, blue from below, of radius 0.5 around (0, 0, 2)."""

    inv_s = torch.tensor(400.0)

    def __call__(self, points: Tensor, directions: Tensor) -> FieldOutput:
        away = points - torch.tensor([0.0, 0.0, 2.0])
        distance = away.norm(dim=1)
        gradient = away / distance[:, None]
        below = (away[:, 1] > 0).float()
        rgb = torch.stack((1 - below, torch.zeros_like(below), below), dim=1)
        return FieldOutput(distance - 0.5, gradient, rgb)

    def sdf(self, points: Tensor) -> Tensor:
        return self(points, points).sdf

    def along_rays(self, points: Tensor, directions: Tensor, ray_index: Tensor) -> FieldOutput:
        return self(points, directions[ray_index])


def grid() -> OccupancyGrid:
    box = torch.tensor([[-1.0, -1.0, 1.0], [1.0, 1.0, 3.0]])
    return OccupancyGrid(OccupancyConfig(), 0.02, box, CPU)


def shell() -> OccupancyGrid:
    """Cells near the surface only, as a sensor would leave them."""
    found = grid()
    index = (torch.ones(found.log_odds.shape) > 0).nonzero()
    distance = (found._centres(index) - torch.tensor([0.0, 0, 2.0])).norm(dim=1)
    found.log_odds.view(-1)[:] = torch.where((distance - 0.5).abs() < 0.05, 6, -1).to(torch.int8)
    found.has_sensor = True
    found._combine()
    return found


@pytest.fixture(scope="module")
def image():
    return ImageRenderer(Sphere(), shell()).render(CAMERA, torch.eye(4))


def test_depth_of_a_sphere_lies_along_the_optical_axis(image) -> None:
    rows, columns = np.mgrid[:30, :40]
    ray = np.stack(((columns + 0.5 - 20) / 30, (rows + 0.5 - 15) / 30, np.ones((30, 40))), axis=-1)
    a, b, c = (ray**2).sum(-1), -4 * np.ones((30, 40)), 4 - 0.25
    root = b**2 - 4 * a * c
    expected = np.where(root > 0.6, (-b - np.sqrt(root.clip(0))) / (2 * a), np.nan)
    hit = np.isfinite(expected)
    np.testing.assert_allclose(image.depth_m[hit], expected[hit], atol=0.015)
    assert (image.depth_m[root < 0] == 0).all()
    assert (image.opacity[hit] > 0.9).all()


def test_normals_point_away_from_the_centre_and_have_unit_length(image) -> None:
    centre = image.normal[15, 20]
    np.testing.assert_allclose(centre, (0, 0, -1), atol=0.1)
    length = np.linalg.norm(image.normal, axis=-1)
    seen = image.depth_m > 0
    np.testing.assert_allclose(length[seen], 1.0, atol=1e-4)
    assert (length[~seen] == 0).all()


def test_colours_are_those_of_the_surface(image) -> None:
    assert image.rgb[12, 20, 0] > 240
    assert image.rgb[18, 20, 2] > 240
    assert image.rgb[12, 20, 2] < 15


def test_the_background_shows_where_nothing_is() -> None:
    white = ImageRenderer(Sphere(), shell()).render(CAMERA, torch.eye(4), background=1.0)
    assert (white.rgb[0, 0] == 255).all()
    assert white.rgb[12, 20, 1] < 20


def test_a_camera_may_stand_anywhere() -> None:
    at = pose(z=4.0, yaw_deg=180.0)
    turned = ImageRenderer(Sphere(), shell()).render(CAMERA, torch.from_numpy(at).float())
    np.testing.assert_allclose(turned.normal[15, 20], (0, 0, 1), atol=0.1)
    assert turned.depth_m[15, 20] == pytest.approx(1.5, abs=0.01)


def test_nothing_is_drawn_where_no_return_came_from() -> None:
    unseen = shell()
    unseen.log_odds[unseen.log_odds > 0] = -1
    picture = ImageRenderer(Sphere(), unseen).render(CAMERA, torch.eye(4))
    assert not picture.depth_m.any()
    assert not picture.rgb.any()


def test_more_pixels_than_fit_one_part() -> None:
    camera = Camera(90, 60, 60.0, 60.0, 45.0, 30.0)
    parts = ImageRenderer(Sphere(), shell()).render_in_parts(camera, torch.eye(4))
    # 5400 rays, of which a CPU takes 4096 at once.
    next(parts)
    with pytest.raises(StopIteration) as end:
        next(parts)
    picture = end.value.value
    assert picture.rgb.shape == (60, 90, 3)
    assert picture.depth_m[30, 45] == pytest.approx(1.5, abs=0.01)


def test_without_depth_many_cells_before_the_surface_are_no_wall() -> None:
    # 1.2 m in steps of 3.8 mm: more than three hundred of them before anything is met.
    box = torch.tensor([[-1.0, -1.0, 0.3], [1.0, 1.0, 3.0]])
    foggy = OccupancyGrid(OccupancyConfig(), 0.02, box, CPU)
    picture = ImageRenderer(Sphere(), foggy).render(CAMERA, torch.eye(4))
    assert picture.depth_m[15, 20] == pytest.approx(1.5, abs=0.01)
