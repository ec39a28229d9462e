# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The nearest of many small discs to each point, looked up in a grid, in plain torch."""

from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEVER_ZERO_M = 1e-9
"""Distances below this count as none."""
DISC_COLUMNS, DISC_NORMAL = 6, 3
"""Columns of a disc, and the first of its normal, behind those of its centre."""
_CORNERS = list(product((0, 1), repeat=3))


@dataclass(frozen=True)
class DiscGrid:
    """Discs by the cells of a grid, each of which knows those that are near."""

    elements: Float[Tensor, "discs 6"]
    """Centre and unit normal, those of one cell after one another."""
    nearest: Int[Tensor, " cells"]
    """For each cell, x slowest, the first disc of the cell whose discs are nearest."""
    others: Int[Tensor, " discs"]
    """How many discs follow a first one in its cell."""
    low_m: Float[Tensor, " 3"]
    shape: tuple[int, int, int]
    cell_m: float
    radius_m: float
    per_cell: int
    """Discs of a cell that a point is compared with."""


def nearest_disc(
    points: Float[Tensor, "n 3"], grid: DiscGrid
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
    """Return the nearest disc of each point; see the door."""
    below = torch.floor((points - grid.low_m) / grid.cell_m - 0.5).long()
    corners = torch.tensor(_CORNERS, device=points.device)
    shape = torch.tensor(grid.shape, device=points.device)
    around = torch.minimum((below[:, None] + corners).clamp(min=0), shape - 1)
    x, y, z = around.unbind(-1)
    seed = grid.nearest[(x * grid.shape[1] + y) * grid.shape[2] + z]
    each = torch.arange(grid.per_cell, device=points.device)
    more = torch.minimum(each, grid.others[seed][..., None])
    chosen = (seed[..., None] + more).flatten(1)
    _, squares = _to_discs(points[:, None], chosen, grid)
    best = chosen.gather(1, squares.argmin(dim=1, keepdim=True))[:, 0]
    offset, square = _to_discs(points, best, grid)
    distance_m = square.sqrt()
    normal = grid.elements[best, DISC_NORMAL:]
    in_front = ((points - grid.elements[best, :DISC_NORMAL]) * normal).sum(dim=-1) >= 0
    on_it = (distance_m < NEVER_ZERO_M)[:, None]
    away = torch.where(on_it, normal, offset / distance_m.clamp(min=NEVER_ZERO_M)[:, None])
    return distance_m, away, in_front


def _to_discs(
    points: Float[Tensor, "... 3"], index: Tensor, grid: DiscGrid
) -> tuple[Float[Tensor, "... 3"], Float[Tensor, "..."]]:
    """Return the way from the nearest point of discs to points, and its square."""
    element = grid.elements[index]
    normal = element[..., DISC_NORMAL:]
    delta = points - element[..., :DISC_NORMAL]
    height = (delta * normal).sum(dim=-1, keepdim=True) * normal
    aside = delta - height
    length = aside.norm(dim=-1, keepdim=True)
    beyond = aside * (1 - grid.radius_m / length.clamp(min=grid.radius_m))
    offset = height + beyond
    return offset, offset.square().sum(dim=-1)
