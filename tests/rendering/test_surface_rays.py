# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rays to a meshed surface: the first one from the front, in cells of the mesh, exactly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tiny_scene import CAMERA
from torch import Tensor

from ineus_core.rendering import ImageRenderer, MeshedSurface, OccupancyConfig, OccupancyGrid
from ineus_core.types import RenderedImage

_VOXEL_M = 0.05
_BOX = torch.tensor([[-2.0, -2.0, 0.0], [2.0, 2.0, 4.0]])


class _Unasked:
    """A field that must not be asked."""

    inv_s = torch.tensor(100.0)


def _walls(*places_m: float) -> Callable[[Tensor], Tensor]:
    """Return the distance to walls of 0.2 m across the view."""

    def sdf(points: Tensor) -> Tensor:
        distances = [(points[:, 2] - z_m - 0.1).abs() - 0.1 for z_m in places_m]
        return torch.stack(distances).amin(dim=0)

    return sdf


def _view(
    sdf: Callable[[Tensor], Tensor], pose: Tensor | None = None, **parts: Any
) -> RenderedImage:
    grid = OccupancyGrid(OccupancyConfig(), 2 * _VOXEL_M, _BOX, torch.device("cpu"))
    given = {
        "sdf": sdf,
        "may_hold_mesh": lambda centres: torch.ones(len(centres), dtype=torch.bool),
        "colours": lambda points, directions: torch.full_like(points, 0.2),
        "voxel_m": _VOXEL_M,
        "places": torch.ones_like(grid.occupied),
        "aabb": grid.aabb,
    }
    surface = MeshedSurface(**{**given, **parts})
    renderer = ImageRenderer(_Unasked(), grid)  # type: ignore[arg-type]
    return renderer.render(CAMERA, torch.eye(4) if pose is None else pose, surface=surface)


def test_the_nearest_wall_is_seen_at_its_depth_with_its_normal_and_colour() -> None:
    image = _view(_walls(2.03, 1.01))
    np.testing.assert_allclose(image.depth_m, 1.01, atol=1e-4)
    np.testing.assert_allclose(image.normal, np.broadcast_to((0, 0, -1), (30, 40, 3)), atol=1e-4)
    assert (image.rgb == 51).all()
    assert (image.opacity == 1).all()


def test_a_slanted_plane_is_met_where_its_rays_meet_it() -> None:
    normal = torch.tensor([0.6, 0.0, -0.8])
    image = _view(lambda points: (points - torch.tensor([0.0, 0.0, 2.0])) @ normal)
    # Farther to the right it leaves the grid.
    columns = (np.arange(35) + 0.5 - 20) / 30
    np.testing.assert_allclose(image.depth_m[3, :35], -1.6 / (0.6 * columns - 0.8), atol=1e-4)
    np.testing.assert_allclose(image.normal[3, 5], normal, atol=1e-4)


def test_colours_are_asked_for_where_and_from_where_the_surface_is_seen() -> None:
    image = _view(
        _walls(1.0),
        colours=lambda points, directions: points / points.norm(dim=1)[:, None] - directions,
    )
    assert (image.rgb == 0).all()


def test_a_wall_that_the_mesh_does_not_have_hides_nothing() -> None:
    image = _view(_walls(1.0, 2.0), may_hold_mesh=lambda centres: centres[:, 2] > 1.5)
    np.testing.assert_allclose(image.depth_m, 2.0, atol=1e-4)


def test_what_is_not_known_is_a_hole_as_wide_as_that_of_the_mesh() -> None:
    def sdf(points: Tensor) -> Tensor:
        distance = _walls(2.0)(points)
        distance[points[:, 0] > 0.26] = torch.nan
        return distance

    image = _view(sdf)
    # The cell from 0.25 to 0.30 m has corners that are not known, and so no triangle.
    x_m = (np.arange(40) + 0.5 - 20) / 30 * 2.0
    assert (image.opacity == (x_m < 0.25)).all()
    assert not image.depth_m[:, x_m > 0.25].any()
    assert not image.rgb[:, x_m > 0.25].any()
    np.testing.assert_allclose(image.normal[:, x_m < 0.25, 2], -1, atol=1e-4)


def test_a_wall_is_not_seen_from_behind() -> None:
    turned = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    turned[2, 3] = 3.5

    def half_space(points: Tensor) -> Tensor:
        return 1.0 - points[:, 2]

    assert not _view(half_space, turned).opacity.any()
    assert _view(half_space).opacity.all()


def test_rays_look_only_where_they_are_to() -> None:
    places = torch.zeros((40, 40, 40), dtype=torch.bool)
    assert not _view(_walls(1.0, 2.0), places=places).opacity.any()
    # Cells of 0.1 m around the second wall.
    places[:, :, 19:22] = True
    np.testing.assert_allclose(_view(_walls(1.0, 2.0), places=places).depth_m, 2.0, atol=1e-4)


def test_a_surface_far_down_a_ray_is_found_though_steps_come_in_parts() -> None:
    # 76 steps of a voxel away, of which some are looked at together.
    np.testing.assert_allclose(_view(_walls(3.79)).depth_m[:, 5:35], 3.79, atol=1e-4)
