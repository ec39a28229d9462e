# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Euclidean distance to the extracted surface: a feature transform, then surface elements."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.kernels.nearest_disc import DiscGrid, nearest_disc
from ineus_core.planning.nearest_surface import NONE, nearest_points
from ineus_core.types import Mesh

_BATCH = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Points looked up at once."""


class PlanningConfig(ConfigModel):
    """How finely distances are looked up."""

    max_cells: int = Field(
        1 << 22,
        ge=1,
        description="Cells of the distance map; where the occupancy grid has more, the map's "
        "cells are a multiple of its cells.",
    )
    elements_per_cell: int = Field(
        8, ge=1, le=64, description="Surface elements of a cell that a point is compared with."
    )


@dataclass(frozen=True)
class ClosestSurface:
    """The nearest surface element of each point."""

    distance_m: Float[Tensor, " n"]
    """Unsigned; infinite where there is no surface at all."""
    away: Float[Tensor, "n 3"]
    """Unit direction from the surface to the point; 0 where there is none."""
    in_front: Bool[Tensor, " n"]
    """Whether the point is on the side that the normal shows to."""


class DistanceMap:
    """Finds the nearest of all surface elements, which are small discs at the mesh's vertices.

    Args:
        meshes: The surface, with normals towards free space.
        aabb: Box of the map; what lies outside of it is looked up at its border.
        cell_m: Side of a cell.
        spacing_m: Usual distance of neighbouring vertices.
    """

    def __init__(
        self,
        config: PlanningConfig,
        meshes: Sequence[Mesh],
        aabb: Float[Tensor, "2 3"],
        cell_m: float,
        spacing_m: float,
        device: torch.device,
    ) -> None:
        """Build the map at once."""
        self._batch = _BATCH[device.type]
        # More than half of the diagonal between four neighbours, which is 0.71: discs leave no
        # gap.
        self._per_cell, self._radius_m = config.elements_per_cell, 0.75 * spacing_m
        self._low_m = aabb[0].to(device)
        extent = (aabb[1] - aabb[0]).cpu()
        self.cell_m = cell_m * _coarsening(extent / cell_m, config.max_cells)
        # A quotient just above a whole number is one, but for rounding.
        shape = torch.ceil(extent / self.cell_m - 1e-3).long().clamp(min=1)
        self._shape = shape.to(device)
        place, normals = (
            torch.from_numpy(np.concatenate(parts)).float().to(device)
            for parts in (
                [np.zeros((0, 3), np.float32), *(mesh.vertices for mesh in meshes)],
                [np.zeros((0, 3), np.float32), *(mesh.normals for mesh in meshes)],
            )
        )
        # A vertex without a normal says nothing of sides.
        usable = place.isfinite().all(dim=1) & (normals.square().sum(dim=1) > 0.5)
        self._build(place[usable], normals[usable], shape.tolist())

    @property
    def is_empty(self) -> bool:
        """Whether there is no surface."""
        return self._discs is None

    def _build(
        self, place: Float[Tensor, "p 3"], normals: Float[Tensor, "p 3"], shape: list[int]
    ) -> None:
        cell = self._cell_of(torch.floor((place - self._low_m) / self.cell_m).long())
        centre = ((place - self._low_m) / self.cell_m).floor() + 0.5
        off_centre = ((place - self._low_m) / self.cell_m - centre).square().sum(dim=1)
        # By cell, and within a cell the most central first: that one stands for the cell.
        order = torch.argsort(off_centre)
        order = order[torch.argsort(cell[order], stable=True)]
        elements = torch.cat((place, normals), dim=1)[order]
        count = torch.bincount(cell, minlength=int(np.prod(shape)))
        first = count.cumsum(0) - count
        seed = torch.where(count > 0, first, NONE).view(shape)
        # Of a seed, how many elements follow it in its cell.
        others = torch.zeros(len(place), dtype=torch.int64, device=place.device)
        others[first[count > 0]] = count[count > 0] - 1
        self._discs = None
        if len(elements):
            nearest = nearest_points(seed, elements[:, :3], self._low_m, self.cell_m).view(-1)
            self._discs = DiscGrid(
                elements, nearest, others, self._low_m, (shape[0], shape[1], shape[2]),
                self.cell_m, self._radius_m, self._per_cell,
            )  # fmt: skip

    def closest(self, points: Float[Tensor, "n 3"]) -> ClosestSurface:
        """Look up the nearest surface of finite points."""
        if self._discs is None:
            return ClosestSurface(
                torch.full((len(points),), torch.inf, device=points.device),
                torch.zeros_like(points),
                torch.ones(len(points), dtype=torch.bool, device=points.device),
            )
        parts = [nearest_disc(part, self._discs) for part in points.split(self._batch)]
        distances, aways, sides = zip(*parts, strict=True)
        return ClosestSurface(torch.cat(distances), torch.cat(aways), torch.cat(sides))

    def _cell_of(self, cell: Tensor) -> Tensor:
        """Return the flat index of cells; those outside count as the nearest within."""
        x, y, z = torch.minimum(cell.clamp(min=0), self._shape - 1).unbind(-1)
        return (x * self._shape[1] + y) * self._shape[2] + z


def _coarsening(cells: Float[Tensor, " 3"], max_cells: int) -> int:
    """Return the least whole factor by which cells must grow to be few enough."""
    factor = 1
    while int(torch.ceil(cells / factor).prod()) > max_cells:
        factor += 1
    return factor
