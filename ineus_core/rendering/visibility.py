# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which cells hold surface that a camera has seen, and which it saw through, told by the field."""

import time
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from ineus_core.rendering.marching import march_seen
from ineus_core.rendering.occupancy import OccupancyGrid
from ineus_core.timing import InParts
from ineus_core.types import RayBatch

Rays = tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]
"""Origins and unit directions."""
_RAYS_AT_ONCE = 1 << 13
_STEPS_PER_RAY = 512
_STEPS_AT_ONCE = {"cpu": 32, "cuda": _STEPS_PER_RAY}
"""A ray that has met the surface is asked no further; a GPU is faster with all at once."""
_VISIBILITY_RAYS = {"cpu": 1 << 17, "cuda": 1 << 20}
_PLANNING_RAYS = {"cpu": 1 << 11, "cuda": 1 << 18}
"""Rays that tell a planner what is free, where there is no depth."""
_DRAWN_AT_ONCE = 1 << 16


class ViewVisibility:
    """What views say of a grid without a depth sensor, by random rays of theirs.

    Args:
        sdf_fn: As of `visible_cells`.
        grid: Whose cells are seen.
        draw_rays: So many random rays of the views.
        rays: Of a look for the surface; 0 = by device, -1 = nobody looks.
        device: Where the grid lies.
        now_s: The clock by which a look is interrupted.
    """

    def __init__(
        self,
        sdf_fn: Callable[[Tensor], Tensor],
        grid: OccupancyGrid,
        draw_rays: Callable[[int], RayBatch],
        rays: int,
        device: torch.device,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        """No view has told anything."""
        self._now_s = now_s
        self._look: Iterator[Bool[Tensor, "gx gy gz"]] | None = None
        self._sdf_fn, self._grid, self._draw_rays = sdf_fn, grid, draw_rays
        self._rays, self._device = rays, device
        self._log_odds: Int8[Tensor, "gx gy gz"] | None = None
        self._is_current = False

    def find_surface_in_parts(self) -> InParts[None]:
        """Let views without depth say which surface they see, as a field invents more of it."""
        self._look = None
        # No time at all is one batch a part.
        while not self.look_on(0.0):
            yield

    @property
    def is_looking(self) -> bool:
        """Whether a look for the surface was interrupted."""
        return self._look is not None

    def look_on(self, within_s: float) -> bool:
        """Go on to find the surface for some time, or begin to; True when it has been found."""
        # A sensor tells it better, and nobody may be wanted to look.
        if self._grid.has_sensor or self._rays < 0:
            return True
        end_s = self._now_s() + within_s
        if self._look is None:
            rays = self._random_rays(self._rays or _VISIBILITY_RAYS[self._device.type])
            self._look = first_hit_cells(self._sdf_fn, self._grid, rays)
        for cells in self._look:
            self._seen = cells
            if self._now_s() >= end_s:
                return False
        self._look = None
        self._grid.visible = _widened(self._seen)
        return True

    def log_odds(self) -> Int8[Tensor, "gx gy gz"]:
        """Return the log odds of the views, of the surface as it last changed."""
        old = self._log_odds
        if old is None or not self._is_current:
            rays = self._random_rays(_PLANNING_RAYS[self._device.type])
            new = log_odds_of_views(self._sdf_fn, self._grid, rays)
            # Rays are few, so what earlier ones told holds where these say nothing.
            if old is not None and old.shape == new.shape:
                new = torch.where(new != 0, new, old)
            self._log_odds, self._is_current = new, True
            return new
        return old

    def on_surface_changed(self) -> None:
        """Have the views asked anew."""
        self._is_current = False

    def _random_rays(self, wanted: int) -> Iterator[Rays]:
        """Yield random rays of what was seen, in batches."""
        sizes = [_DRAWN_AT_ONCE] * (wanted // _DRAWN_AT_ONCE)
        sizes += [wanted % _DRAWN_AT_ONCE] if wanted % _DRAWN_AT_ONCE else []
        for size in sizes:
            batch = self._draw_rays(size)
            yield batch.origins[batch.valid], batch.directions[batch.valid]


def visible_cells(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    rays: Iterator[Rays],
) -> Bool[Tensor, "gx gy gz"]:
    """Return the cells where rays first meet the surface, and the cells around these.

    What lies behind, as what is left of a first sphere, is hit by none.

    Args:
        sdf_fn: Signed distances [n] of world points [n 3], positive in free space.
        rays: Batches of origins and unit directions.
    """
    *_, last = first_hit_cells(sdf_fn, grid, rays)
    return _widened(last)


@torch.no_grad()
def first_hit_cells(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    rays: Iterator[Rays],
) -> Iterator[Bool[Tensor, "gx gy gz"]]:
    """Yield the cells where rays first meet the surface, more of them after each batch."""
    first_hits = torch.zeros_like(grid.occupied)
    yield first_hits
    for origins, directions in _batches(rays):
        ray, t = _first_hits(sdf_fn, grid, origins, directions)
        grid.set_cells(first_hits, origins[ray] + directions[ray] * t[:, None])
        yield first_hits


@torch.no_grad()
def log_odds_of_views(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    rays: Iterator[Rays],
) -> Int8[Tensor, "gx gy gz"]:
    """Return what views say of the cells without a depth sensor, as `OccupancyGrid.log_odds`.

    1 where rays first meet the surface, -1 where they pass before, 0 elsewhere. A ray that meets
    nothing says nothing.

    Args:
        sdf_fn: As of `visible_cells`.
        rays: Batches of origins and unit directions.
    """
    first_hits, free = torch.zeros_like(grid.occupied), torch.zeros_like(grid.occupied)
    for all_origins, all_directions in _batches(rays):
        ray, t = _first_hits(sdf_fn, grid, all_origins, all_directions)
        origins, directions = all_origins[ray], all_directions[ray]
        grid.set_cells(first_hits, origins + directions * t[:, None])
        _mark_free(free, grid, origins, directions, t)
    return torch.where(first_hits, 1, torch.where(free, -1, 0)).to(torch.int8)


def _mark_free(
    free: Bool[Tensor, "gx gy gz"],
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
        grid.set_cells(free, points)


def _batches(rays: Iterator[Rays]) -> Iterator[Rays]:
    for origins, directions in rays:
        yield from zip(origins.split(_RAYS_AT_ONCE), directions.split(_RAYS_AT_ONCE), strict=True)


def _first_hits(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
) -> tuple[Int[Tensor, " first_hits"], Float[Tensor, " first_hits"]]:
    """Return the rays that meet the surface, and where on them."""
    samples = march_seen(grid, origins, directions, _STEPS_PER_RAY)
    shape = (len(origins), _STEPS_PER_RAY)
    t_mid = (0.5 * (samples.t_starts + samples.t_ends)).view(shape)
    valid = samples.valid.view(shape)
    met = torch.full((len(origins),), torch.inf, device=origins.device)
    open_rays = torch.arange(len(origins), device=origins.device)
    at_once = _STEPS_AT_ONCE[origins.device.type]
    for first in range(0, _STEPS_PER_RAY, at_once):
        row, step = valid[open_rays, first : first + at_once].nonzero(as_tuple=True)
        if len(row) == 0:
            break
        ray = open_rays[row]
        t = t_mid[ray, first + step]
        inside = sdf_fn(origins[ray] + directions[ray] * t[:, None]) <= 0
        # Samples of a ray come in one call: the nearest of them counts.
        met.scatter_reduce_(0, ray[inside], t[inside], "amin")
        open_rays = open_rays[met[open_rays] == torch.inf]
    ray = (met < torch.inf).nonzero()[:, 0]
    return ray, met[ray]


def _widened(cells: Bool[Tensor, "gx gy gz"]) -> Bool[Tensor, "gx gy gz"]:
    """Return cells and their 26 neighbours."""
    for axis in range(3):
        wide = cells.clone()
        length = cells.shape[axis]
        wide.narrow(axis, 1, length - 1).logical_or_(cells.narrow(axis, 0, length - 1))
        wide.narrow(axis, 0, length - 1).logical_or_(cells.narrow(axis, 1, length - 1))
        cells = wide
    return cells
