# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which cells hold surface that a camera has seen, and which it saw through, told by the field."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from ineus_core.rendering.occupancy import OccupancyGrid

Rays = tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]
"""Origins and unit directions."""
_RAYS_AT_ONCE = 1 << 13
_STEPS_PER_RAY = 512


@torch.no_grad()
def seen_cells(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    rays: Iterator[Rays],
) -> Bool[Tensor, "gx gy gz"]:
    """The cells where rays first meet the surface, and the cells around these.

    What lies behind, as what is left of a first sphere, is met by none.

    Args:
        sdf_fn: Signed distances [n] of world points [n 3], positive in free space.
        rays: Batches of origins and unit directions.
    """
    met = torch.zeros_like(grid.occupied)
    for origins, directions in _batches(rays):
        ray, t = _first_met(sdf_fn, grid, origins, directions)
        grid.set_cells(met, origins[ray] + directions[ray] * t[:, None])
    return _widened(met)


@torch.no_grad()
def evidence_of_views(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    rays: Iterator[Rays],
) -> Int8[Tensor, "gx gy gz"]:
    """What views say of the cells without a depth sensor, as `OccupancyGrid.evidence`.

    1 where rays first meet the surface, -1 where they pass before, 0 elsewhere. A ray that meets
    nothing says nothing.

    Args:
        sdf_fn: As of `seen_cells`.
        rays: Batches of origins and unit directions.
    """
    met, passed = torch.zeros_like(grid.occupied), torch.zeros_like(grid.occupied)
    for all_origins, all_directions in _batches(rays):
        ray, t = _first_met(sdf_fn, grid, all_origins, all_directions)
        origins, directions = all_origins[ray], all_directions[ray]
        grid.set_cells(met, origins + directions * t[:, None])
        _mark_passed(passed, grid, origins, directions, t)
    return torch.where(met, 1, torch.where(passed, -1, 0)).to(torch.int8)


def _mark_passed(
    passed: Bool[Tensor, "gx gy gz"],
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    t: Float[Tensor, " rays"],
) -> None:
    """Set the cells on the way to a surface, up to one before it."""
    cells = t / grid.cell_m - 1.0
    for step in range(int(cells.max().ceil()) if len(cells) else 0):
        before = step < cells
        points = origins[before] + directions[before] * (step * grid.cell_m)
        grid.set_cells(passed, points)


def _batches(rays: Iterator[Rays]) -> Iterator[Rays]:
    for origins, directions in rays:
        yield from zip(origins.split(_RAYS_AT_ONCE), directions.split(_RAYS_AT_ONCE), strict=True)


def _first_met(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
) -> tuple[Int[Tensor, " met"], Float[Tensor, " met"]]:
    """The rays that meet the surface, and where on them."""
    samples = grid.march_view(origins, directions, _STEPS_PER_RAY)
    used = samples.valid.nonzero()[:, 0]
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)[used]
    ray = samples.ray_index[used]
    points = origins[ray] + directions[ray] * t_mid[:, None]
    inside = (sdf_fn(points) <= 0).nonzero()[:, 0]
    # Samples of a ray follow each other, so the first one inside begins a run of its ray.
    first = torch.ones_like(inside, dtype=torch.bool)
    first[1:] = ray[inside[1:]] != ray[inside[:-1]]
    return ray[inside[first]], t_mid[inside[first]]


def _widened(cells: Bool[Tensor, "gx gy gz"]) -> Bool[Tensor, "gx gy gz"]:
    """Cells and their 26 neighbours."""
    for axis in range(3):
        wide = cells.clone()
        length = cells.shape[axis]
        wide.narrow(axis, 1, length - 1).logical_or_(cells.narrow(axis, 0, length - 1))
        wide.narrow(axis, 0, length - 1).logical_or_(cells.narrow(axis, 1, length - 1))
        cells = wide
    return cells
