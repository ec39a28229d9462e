# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which cells hold surface that a camera has seen, where only the field can tell."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.rendering.occupancy import OccupancyGrid

_RAYS_AT_ONCE = 1 << 13
_STEPS_PER_RAY = 512


@torch.no_grad()
def seen_cells(
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    rays: Iterator[tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]],
) -> Bool[Tensor, "gx gy gz"]:
    """The cells where rays first meet the surface, and the cells around these.

    What lies behind, as what is left of a first sphere, is met by none.

    Args:
        sdf_fn: Signed distances [n] of world points [n 3], positive in free space.
        rays: Batches of origins and unit directions.
    """
    met = torch.zeros_like(grid.occupied)
    for all_origins, all_directions in rays:
        batches = zip(
            all_origins.split(_RAYS_AT_ONCE), all_directions.split(_RAYS_AT_ONCE), strict=True
        )
        for origins, directions in batches:
            _mark(met, sdf_fn, grid, origins, directions)
    return _widened(met)


def _mark(
    met: Bool[Tensor, "gx gy gz"],
    sdf_fn: Callable[[Tensor], Tensor],
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
) -> None:
    samples = grid.march_view(origins, directions, _STEPS_PER_RAY)
    used = samples.valid.nonzero()[:, 0]
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)[used]
    ray = samples.ray_index[used]
    points = origins[ray] + directions[ray] * t_mid[:, None]
    inside = (sdf_fn(points) <= 0).nonzero()[:, 0]
    # Samples of a ray follow each other, so the first one inside begins a run of its ray.
    first = torch.ones_like(inside, dtype=torch.bool)
    first[1:] = ray[inside[1:]] != ray[inside[:-1]]
    grid.set_cells(met, points[inside[first]])


def _widened(cells: Bool[Tensor, "gx gy gz"]) -> Bool[Tensor, "gx gy gz"]:
    """Cells and their 26 neighbours."""
    for axis in range(3):
        wide = cells.clone()
        length = cells.shape[axis]
        wide.narrow(axis, 1, length - 1).logical_or_(cells.narrow(axis, 0, length - 1))
        wide.narrow(axis, 0, length - 1).logical_or_(cells.narrow(axis, 1, length - 1))
        cells = wide
    return cells
