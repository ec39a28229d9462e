# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rays to the surface that is meshed: where each meets it first, and what it shows there."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.geometry import ray_box
from ineus_core.kernels.ray_marching import march_padded
from ineus_core.types import RenderedRays

_CORNERS = torch.cartesian_prod(*3 * [torch.arange(2)])
_STEPS = 8
"""Of a ray that are looked at together: most rays meet the surface within the first ones."""


@dataclass(frozen=True)
class MeshedSurface:
    """The surface as a mesh has it: the zero level of a distance in the cells that may hold it."""

    sdf: Callable[[Tensor], Tensor]
    """Distance in m of points [n 3]; NaN where nothing is known."""
    may_hold_mesh: Callable[[Tensor], Tensor]
    """Tells [n] for centres [n 3] of the mesh's cells."""
    colours: Callable[[Tensor, Tensor], Tensor]
    """Colours [n 3], 0 to 1, of surface points [n 3] seen along unit directions [n 3]."""
    voxel_m: float
    """Side of the mesh's cells."""
    places: Bool[Tensor, "gx gy gz"]
    """Grid over `aabb`: where rays are to look, `voxel_m` or more to both sides of a surface."""
    aabb: Float[Tensor, "2 3"]


@torch.no_grad()
def cast_rays(
    surface: MeshedSurface, origin: Float[Tensor, " 3"], directions: Float[Tensor, "rays 3"]
) -> RenderedRays:
    """Return what rays show of a surface where they first meet it from the front.

    A ray that meets it has an opacity of 1, one that does not of 0.

    Args:
        origin: Of all rays.
        directions: Unit length.
    """
    range_m = _first_ranges(surface, origin, directions)
    ray = (range_m > 0).nonzero()[:, 0]
    points = origin + directions[ray] * range_m[ray, None]
    rgb, normal = torch.zeros_like(directions), torch.zeros_like(directions)
    rgb[ray] = surface.colours(points, directions[ray])
    normal[ray] = _normals(surface, points)
    return RenderedRays(rgb, range_m, normal, opacity=(range_m > 0).to(range_m.dtype))


def _first_ranges(
    surface: MeshedSurface, origin: Float[Tensor, " 3"], directions: Float[Tensor, "rays 3"]
) -> Float[Tensor, " rays"]:
    """Return where rays first meet the surface, 0 where they do not."""
    range_m = torch.zeros(len(directions))
    from_m, to_m = ray_box(origin.expand_as(directions), directions, surface.aabb)
    ray = torch.arange(len(directions))
    # Where a ray looked last, and the distance there.
    last_m, last_sdf = (torch.full((len(ray), 1), torch.nan) for _ in range(2))
    # Steps of all rays come in parts, as what lies behind the surface need not be looked at.
    while len(ray):
        at_m, is_used = _steps(surface, origin, directions[ray], from_m, to_m)
        points = origin + directions[ray, None] * at_m[..., None]
        sdf = torch.full_like(at_m, torch.nan)
        sdf[is_used] = surface.sdf(points[is_used])
        at_m, sdf = torch.cat((last_m, at_m), dim=1), torch.cat((last_sdf, sdf), dim=1)
        row, found_m = _crossings(surface, origin, directions[ray], at_m, sdf)
        range_m.scatter_reduce_(0, ray[row], found_m, "amin", include_self=False)
        goes_on = is_used[:, -1] & (range_m[ray] == 0)
        ray, to_m = ray[goes_on], to_m[goes_on]
        last_m, last_sdf = at_m[goes_on, -1:], sdf[goes_on, -1:]
        from_m = last_m[:, 0] + 0.5 * surface.voxel_m
    return range_m


def _steps(
    surface: MeshedSurface,
    origin: Float[Tensor, " 3"],
    directions: Float[Tensor, "n 3"],
    from_m: Float[Tensor, " n"],
    to_m: Float[Tensor, " n"],
) -> tuple[Float[Tensor, "n steps"], Bool[Tensor, "n steps"]]:
    """Return the middles of the next steps of rays where they are to look, and which there are."""
    step_m, places = surface.voxel_m, surface.places
    # Places are cubes, so that one axis tells.
    place_m = float(surface.aabb[1, 0] - surface.aabb[0, 0]) / len(places)
    most = int(float((to_m - from_m).max()) / step_m) + 2
    starts_m, count = march_padded(
        origin.expand_as(directions), directions, from_m, to_m, places, surface.aabb[0], place_m,
        step_m, most, _STEPS, torch.zeros(len(directions)),
    )  # fmt: skip
    return starts_m + 0.5 * step_m, torch.arange(_STEPS) < count[:, None]


def _crossings(
    surface: MeshedSurface,
    origin: Float[Tensor, " 3"],
    directions: Float[Tensor, "n 3"],
    at_m: Float[Tensor, "n steps"],
    sdf: Float[Tensor, "n steps"],
) -> tuple[Int[Tensor, " crossings"], Float[Tensor, " crossings"]]:
    """Return rows and ranges where the distance falls through 0 in a cell that may hold a mesh."""
    follows = at_m[:, 1:] - at_m[:, :-1] < 1.5 * surface.voxel_m
    row, step = (follows & (sdf[:, :-1] > 0) & (sdf[:, 1:] <= 0)).nonzero(as_tuple=True)
    before, after = sdf[row, step], sdf[row, step + 1]
    found_m = torch.lerp(at_m[row, step], at_m[row, step + 1], before / (before - after))
    is_meshed = _is_meshed(surface, origin + directions[row] * found_m[:, None])
    return row[is_meshed], found_m[is_meshed]


def _is_meshed(surface: MeshedSurface, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
    """Tell of which points the mesh has the cell, whose corners must be known for that."""
    if not len(points):
        return torch.zeros(0, dtype=torch.bool)
    # Several pixels show the same cell.
    cell = torch.floor(points / surface.voxel_m).long()
    low, size = cell.amin(dim=0), cell.amax(dim=0) - cell.amin(dim=0) + 1
    x, y, z = (cell - low).unbind(dim=1)
    keys, index = torch.unique((x * size[1] + y) * size[2] + z, return_inverse=True)
    yz = keys % (size[1] * size[2])
    cells = low + torch.stack((keys // (size[1] * size[2]), yz // size[2], yz % size[2]), dim=1)
    is_meshed = surface.may_hold_mesh((cells + 0.5) * surface.voxel_m)
    around = cells[is_meshed, None] + _CORNERS
    corners = (around.double() * surface.voxel_m).float().view(-1, 3)
    is_meshed[is_meshed.clone()] = surface.sdf(corners).view(-1, 8).isfinite().all(dim=1)
    return is_meshed[index]


def _normals(surface: MeshedSurface, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Return the unit direction in which the distance grows from 0 at points.

    By what lies a voxel to both sides; where one is not known the distance is taken as odd.
    """
    gradient = torch.empty_like(points)
    for axis in range(3):
        offset = torch.zeros(3)
        offset[axis] = surface.voxel_m
        before, after = surface.sdf(points - offset), surface.sdf(points + offset)
        after = torch.where(after.isnan(), -before, after)
        before = torch.where(before.isnan(), -after, before)
        gradient[:, axis] = (after - before).nan_to_num()
    return torch.nn.functional.normalize(gradient, dim=1)
