# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Answers to planners: the field's distance near the surface, the Euclidean one farther away."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from ineus_core.kernels.host_copy import to_host
from ineus_core.planning.distance import DistanceMap, PlanningConfig
from ineus_core.planning.slices import (
    EsdfSlice,
    OccupancySlice,
    occupancy_slice,
    slice_centres,
)
from ineus_core.types import BlockIndex, MeshBlock

_SMEAR_CELLS = 2
"""How far from the surface a return may count for a cell."""
_BLEND_FROM = 0.5
"""Share of the truncation up to which the field alone decides; from 1 on it has no say."""
_AROUND_SPACINGS = 2.0
"""How far from a point its neighbours are that have a say in its direction: what is smaller than
that is noise of the surface, which turns the way to the nearest point of it by several degrees."""
_SAME_SIDE_COS = 0.8
"""A neighbour whose direction differs by more than 37 degrees is nearest to another surface."""
_BATCH = 1 << 17
"""Points whose neighbours are looked up at once, for the memory that they take."""


@dataclass(frozen=True)
class PlanningAnswer:
    """What a planner asks of points, on the host."""

    distance_m: Float[np.ndarray, " n"]
    """Signed, positive in free space; infinite while no surface is known."""
    gradient: Float[np.ndarray, "n 3"]
    """Unit direction in which the distance grows; 0 where it is not defined."""
    observed: Bool[np.ndarray, " n"]
    """Whether the place was observed; elsewhere the distance is to the surface known so far."""

    @classmethod
    def of_nothing(cls, n: int) -> "PlanningAnswer":
        """Answer for points while nothing is known."""
        return cls(np.full(n, np.inf, np.float32), np.zeros((n, 3), np.float32), np.zeros(n, bool))


@dataclass(frozen=True)
class PlanningScene:
    """What of a reconstruction a planner sees."""

    log_odds: Int8[Tensor, "gx gy gz"]
    low_m: Float[Tensor, " 3"]
    """Lowest corner of the log odds."""
    cell_m: float
    blocks: Mapping[BlockIndex, MeshBlock]
    sdf: Callable[[Tensor], Tensor]
    """What the field says of points [n 3]."""

    @cached_property
    def shape(self) -> Int[Tensor, " 3"]:
        """Cells along each axis, where the log odds is."""
        return torch.tensor(self.log_odds.shape).to(self.log_odds.device, non_blocking=True)


class Planner:
    """Holds the distance map of the surface as last extracted.

    Args:
        spacing_m: Usual distance of neighbouring vertices of the mesh.
        truncation_m: How far from the surface the field was trained to be a distance.
    """

    def __init__(
        self, config: PlanningConfig, spacing_m: float, truncation_m: float, device: torch.device
    ) -> None:
        """Begin without a map."""
        self._config, self._device = config, device
        self._spacing_m, self._truncation_m = spacing_m, truncation_m
        # Along each axis, so that the corners of the cube are as far away as is said.
        reach_m = _AROUND_SPACINGS * spacing_m / math.sqrt(3)
        self._around_m = torch.tensor(list(product((-reach_m, reach_m), repeat=3))).to(device)
        self._map: DistanceMap | None = None

    def forget(self) -> None:
        """Have the map built anew when it is next needed: the surface has changed."""
        self._map = None

    @torch.no_grad()
    def query(self, points: Float[np.ndarray, "n 3"], scene: PlanningScene) -> PlanningAnswer:
        """Return distances, gradients and what is observed; what is not finite never is."""
        if len(points) == 0:
            return PlanningAnswer.of_nothing(0)
        given = torch.as_tensor(points, dtype=torch.float32).to(self._device)
        finite = given.isfinite().all(dim=1)
        # Computed with and thrown away: an index by NaN would be anywhere.
        usable = torch.where(finite[:, None], given, 0.0)
        distance, outward, is_observed = self._ask(usable, scene)
        distance = torch.where(finite, distance, torch.inf)
        gradient = self._steadied(outward, usable, scene) * finite[:, None]
        observed = finite & is_observed
        # One transfer instead of three.
        answer = torch.cat((distance[:, None], gradient, observed[:, None].float()), dim=1)
        host = to_host(answer)[0].numpy()
        return PlanningAnswer(host[:, 0], host[:, 1:4], host[:, 4] > 0)

    def occupancy_slice(
        self, z_min_m: float, z_max_m: float, scene: PlanningScene
    ) -> OccupancySlice:
        """Return columns between two heights, where surfaces are as thick as they are."""
        low_z_m = float(scene.low_m[2])
        first = math.floor((z_min_m - low_z_m) / scene.cell_m) - _SMEAR_CELLS
        last = math.ceil((z_max_m - low_z_m) / scene.cell_m) + _SMEAR_CELLS
        first, last = max(0, first), min(scene.log_odds.shape[2], last)
        low_m = scene.low_m.clone()
        # Only a band of heights is worked on, with what may smear into it.
        low_m[2] += first * scene.cell_m
        band = scene.log_odds[:, :, first : max(first, last)]
        thin = self._thinned(band, low_m, scene)
        return occupancy_slice(thin, low_m, scene.cell_m, z_min_m, z_max_m)

    def occupied_voxels(self, scene: PlanningScene) -> Float[np.ndarray, "n 3"]:
        """Return the centres of the cells that hold surface, as thick as it is."""
        cells = (scene.log_odds > 0).nonzero()
        if not len(cells):
            return np.zeros((0, 3))
        # Only about what is occupied: most of the grid is air.
        first = (cells.amin(dim=0) - _SMEAR_CELLS).clamp(min=0)
        end = cells.amax(dim=0) + 1 + _SMEAR_CELLS
        x, y, z = (slice(a, b) for a, b in zip(first.tolist(), end.tolist(), strict=True))
        low_m = scene.low_m + first * scene.cell_m
        thin = self._thinned(scene.log_odds[x, y, z], low_m, scene)
        return (low_m + ((thin > 0).nonzero() + 0.5) * scene.cell_m).cpu().numpy()

    @torch.no_grad()
    def _thinned(
        self, log_odds: Int8[Tensor, "gx gy gz"], low_m: Float[Tensor, " 3"], scene: PlanningScene
    ) -> Int8[Tensor, "gx gy gz"]:
        """Keep returns only in cells that the mesh goes through, where it is near.

        Returns count for cells on both sides of a surface, as its place is not exactly known when
        they come. The mesh knows it; the field says which of the other cells are in front, and so
        free. Where there is no mesh yet, every return counts.
        """
        holds = self._cells_of_mesh(tuple(log_odds.shape), low_m, scene)
        doubtful = (log_odds > 0) & ~holds & _dilated(holds, _SMEAR_CELLS)
        cells = doubtful.nonzero()
        if not len(cells):
            return log_odds
        centres = low_m + (cells + 0.5) * scene.cell_m
        in_front = scene.sdf(centres) > 0
        thin = log_odds.clone()
        thin[doubtful] = torch.where(in_front, -1, 0).to(torch.int8)
        return thin

    def _cells_of_mesh(
        self, shape: tuple[int, ...], low_m: Float[Tensor, " 3"], scene: PlanningScene
    ) -> Bool[Tensor, "gx gy gz"]:
        """Return the cells that vertices lie in, widened if cells are finer than the mesh."""
        holds = torch.zeros(shape, dtype=torch.bool, device=self._device)
        meshes = [block.mesh.vertices for block in scene.blocks.values()]
        if meshes and holds.numel():
            vertices = torch.from_numpy(np.concatenate(meshes)).to(self._device)
            place = torch.floor((vertices - low_m) / scene.cell_m).long()
            size = torch.tensor(shape, device=self._device)
            inside = ((place >= 0) & (place < size)).all(dim=1)
            x, y, z = place[inside].unbind(dim=1)
            holds[x, y, z] = True
        return _dilated(holds, math.ceil(self._spacing_m / scene.cell_m - 0.7))

    @torch.no_grad()
    def esdf_slice(self, z_m: float, scene: PlanningScene) -> EsdfSlice:
        """Distances at one height, at the centres of the cells."""
        nx, ny, _ = scene.log_odds.shape
        centres = slice_centres((nx, ny), scene.low_m, scene.cell_m, z_m)
        distance, _, observed = self._ask(centres, scene)
        x_m, y_m, _ = scene.low_m.tolist()
        return EsdfSlice(
            (x_m, y_m),
            scene.cell_m,
            z_m,
            distance.view(ny, nx).cpu().numpy(),
            observed.view(ny, nx).cpu().numpy(),
        )

    def _ask(
        self, points: Float[Tensor, "n 3"], scene: PlanningScene
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
        """Return signed distance, the direction in which it grows, and what is observed."""
        surface_m, outward, log_odds = self._from_surface(points, scene)
        return self._with_field(surface_m, points, scene), outward, log_odds != 0

    def _from_surface(
        self, points: Float[Tensor, "n 3"], scene: PlanningScene
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Int8[Tensor, " n"]]:
        """Return the signed distance to the mesh, the direction it grows in, and the log odds."""
        surface, log_odds = self._map_of(scene).closest(points), _look_up(points, scene)
        # What rays went through is free, whatever a normal at an edge says.
        sign = torch.where((log_odds < 0) | surface.in_front, 1.0, -1.0)
        return sign * surface.distance_m, sign[:, None] * surface.away, log_odds

    def _steadied(
        self, outward: Float[Tensor, "n 3"], points: Float[Tensor, "n 3"], scene: PlanningScene
    ) -> Float[Tensor, "n 3"]:
        """Average the directions at points and at those of their neighbours that agree.

        The neighbours are the corners of a cube around the point. One that is nearest to another
        side of a wall, or across the line where two surfaces are equally near, has no say.
        """
        totals = []
        for own, at in zip(outward.split(_BATCH), points.split(_BATCH), strict=True):
            around = (at[:, None] + self._around_m).view(-1, 3)
            theirs = self._from_surface(around, scene)[1].view(-1, len(self._around_m), 3)
            agrees = (theirs * own[:, None]).sum(dim=2, keepdim=True) > _SAME_SIDE_COS
            totals.append(own + (theirs * agrees).sum(dim=1))
        return torch.nn.functional.normalize(torch.cat(totals), dim=1)

    def _with_field(
        self, surface_m: Float[Tensor, " n"], points: Float[Tensor, "n 3"], scene: PlanningScene
    ) -> Float[Tensor, " n"]:
        """Blend the field within its band with the surface outside of it."""
        outside = (surface_m.abs() / self._truncation_m - _BLEND_FROM) / (1 - _BLEND_FROM)
        share = outside.clamp(0.0, 1.0)
        inside = _into_box(points, scene)
        if points.device.type == "cpu":
            # Outside of its band it is not asked, where that saves work.
            near = (share < 1).nonzero()[:, 0]
            field_m = torch.zeros_like(surface_m)
            field_m[near] = scene.sdf(inside[near])
        else:
            field_m = scene.sdf(inside)
        # Bounded, as infinity times 0 would be NaN.
        mixed = torch.lerp(field_m, surface_m.clamp(-1e6, 1e6), share)
        return torch.where(share < 1, mixed, surface_m)

    def _map_of(self, scene: PlanningScene) -> DistanceMap:
        if self._map is None:
            aabb = torch.stack((scene.low_m, scene.low_m + scene.shape * scene.cell_m))
            meshes = [block.mesh for block in scene.blocks.values()]
            self._map = DistanceMap(
                self._config, meshes, aabb, scene.cell_m, self._spacing_m, self._device
            )
        return self._map


def _into_box(points: Float[Tensor, "n 3"], scene: PlanningScene) -> Float[Tensor, "n 3"]:
    """Points, those outside of the grid on its border: beyond, the field may not be defined."""
    high_m = scene.low_m + scene.shape * scene.cell_m
    return points.maximum(scene.low_m).minimum(high_m)


def _look_up(points: Float[Tensor, "n 3"], scene: PlanningScene) -> Int8[Tensor, " n"]:
    """Return the log odds at points; 0 outside of the grid."""
    place = torch.floor((points - scene.low_m) / scene.cell_m)
    within = torch.minimum(place.clamp(min=0), scene.shape - 1)
    x, y, z = within.long().unbind(dim=1)
    return scene.log_odds[x, y, z] * (within == place).all(dim=1)


def _dilated(cells: Bool[Tensor, "gx gy gz"], by: int) -> Bool[Tensor, "gx gy gz"]:
    """Widen a set of cells by so many cells along each axis."""
    if by < 1 or not cells.numel():
        return cells
    for axis in range(3):
        moved = cells.float().movedim(axis, -1)
        wide = torch.nn.functional.max_pool1d(
            moved.reshape(-1, 1, moved.shape[-1]), 2 * by + 1, stride=1, padding=by
        )
        cells = wide.view(moved.shape).movedim(-1, axis) > 0
    return cells
