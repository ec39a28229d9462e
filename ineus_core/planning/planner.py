# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Answers to planners: the field's distance near the surface, the Euclidean one farther away."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from ineus_core.kernels.host_copy import to_host
from ineus_core.planning.distance import ClosestSurface, DistanceMap, PlanningConfig
from ineus_core.planning.slices import (
    EsdfSlice,
    OccupancySlice,
    occupancy_slice,
    slice_centres,
)
from ineus_core.types import BlockIndex, FieldOutput, MeshBlock

FieldFunction = Callable[[Tensor, Tensor], FieldOutput]
"""What the field says at points [n 3] seen along directions [n 3]."""
_SMEAR_CELLS = 2
"""How far from the surface a return may count for a cell."""
_BLEND_FROM = 0.5
"""Share of the truncation up to which the field alone decides; from 1 on it has no say."""


@dataclass(frozen=True)
class PlanningAnswer:
    """What a planner asks of points, on the host."""

    distance_m: Float[np.ndarray, " n"]
    """Signed, positive in free space; infinite while no surface is known."""
    gradient: Float[np.ndarray, "n 3"]
    """Unit direction in which the distance grows; 0 where it is not defined."""
    observed: Bool[np.ndarray, " n"]
    """Whether the sensor saw the place; elsewhere the distance is to the surface known so far."""


@dataclass(frozen=True)
class PlanningScene:
    """What of a reconstruction a planner sees."""

    evidence: Int8[Tensor, "gx gy gz"]
    low_m: Float[Tensor, " 3"]
    """Lowest corner of the evidence."""
    cell_m: float
    blocks: Mapping[BlockIndex, MeshBlock]
    field: FieldFunction


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
        self._map: DistanceMap | None = None

    def forget(self) -> None:
        """Have the map built anew when it is next needed: the surface has changed."""
        self._map = None

    @torch.no_grad()
    def query(
        self, points: Float[np.ndarray, "n 3"], scene: PlanningScene | None
    ) -> PlanningAnswer:
        """Distance, gradient and whether it was seen; a point that is not finite never was."""
        if scene is None or len(points) == 0:
            return _nothing_known(len(points))
        given = torch.as_tensor(points, dtype=torch.float32).to(self._device)
        distance, gradient, observed = self._ask(given, scene)
        # One transfer instead of three.
        answer = torch.cat((distance[:, None], gradient, observed[:, None].float()), dim=1)
        host = to_host(answer)[0].numpy()
        return PlanningAnswer(host[:, 0], host[:, 1:4], host[:, 4] > 0)

    def occupancy_slice(
        self, z_min_m: float, z_max_m: float, scene: PlanningScene
    ) -> OccupancySlice:
        """Columns between two heights, where surfaces are as thick as they are."""
        low_z_m = float(scene.low_m[2])
        first = math.floor((z_min_m - low_z_m) / scene.cell_m) - _SMEAR_CELLS
        last = math.ceil((z_max_m - low_z_m) / scene.cell_m) + _SMEAR_CELLS
        first, last = max(0, first), min(scene.evidence.shape[2], last)
        low_m = scene.low_m.clone()
        low_m[2] += first * scene.cell_m
        band = scene.evidence[:, :, first : max(first, last)]
        thin = self._thinned(band, low_m, scene)
        return occupancy_slice(thin, low_m, scene.cell_m, z_min_m, z_max_m)

    @torch.no_grad()
    def _thinned(
        self, evidence: Int8[Tensor, "gx gy gz"], low_m: Float[Tensor, " 3"], scene: PlanningScene
    ) -> Int8[Tensor, "gx gy gz"]:
        """Evidence whose returns are only in cells that the mesh goes through, where it is near.

        Returns count for cells on both sides of a surface, as its place is not exactly known when
        they come. The mesh knows it; the field says which of the other cells are in front, and so
        free. Where there is no mesh yet, every return counts.
        """
        holds = self._cells_of_mesh(tuple(evidence.shape), low_m, scene)
        doubtful = (evidence > 0) & ~holds & _dilated(holds, _SMEAR_CELLS)
        cells = doubtful.nonzero()
        if not len(cells):
            return evidence
        centres = low_m + (cells + 0.5) * scene.cell_m
        in_front = scene.field(centres, torch.zeros_like(centres)).sdf > 0
        thin = evidence.clone()
        thin[doubtful] = torch.where(in_front, -1, 0).to(torch.int8)
        return thin

    def _cells_of_mesh(
        self, shape: tuple[int, ...], low_m: Float[Tensor, " 3"], scene: PlanningScene
    ) -> Bool[Tensor, "gx gy gz"]:
        """The cells that vertices lie in, widened if cells are finer than the mesh."""
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
        nx, ny, _ = scene.evidence.shape
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
        self, given: Float[Tensor, "n 3"], scene: PlanningScene
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
        finite = given.isfinite().all(dim=1)
        points = torch.where(finite[:, None], given, 0.0)
        shape = torch.tensor(scene.evidence.shape).to(self._device, non_blocking=True)
        evidence = _look_up(points, scene, shape)
        surface = self._map_of(scene).closest(points)
        field = self._field_near(surface, _into_box(points, scene, shape), scene)
        distance, gradient = _blend(surface, evidence < 0, field, self._truncation_m)
        distance = torch.where(finite, distance, torch.inf)
        gradient = torch.where(finite[:, None], gradient, 0.0)
        return distance, gradient, finite & (evidence != 0)

    def _field_near(
        self, surface: ClosestSurface, points: Float[Tensor, "n 3"], scene: PlanningScene
    ) -> FieldOutput:
        """The field at points; outside of its band it is not asked, where that saves work."""
        if points.device.type != "cpu":
            return scene.field(points, torch.zeros_like(points))
        near = (surface.distance_m < self._truncation_m).nonzero()[:, 0]
        found = scene.field(points[near], torch.zeros_like(points[near]))
        whole = FieldOutput(
            torch.zeros_like(points[:, 0]), torch.zeros_like(points), torch.zeros_like(points)
        )
        whole.sdf[near], whole.gradient[near] = found.sdf, found.gradient
        return whole

    def _map_of(self, scene: PlanningScene) -> DistanceMap:
        if self._map is None:
            shape = torch.tensor(scene.evidence.shape, device=self._device)
            aabb = torch.stack((scene.low_m, scene.low_m + shape * scene.cell_m))
            meshes = [block.mesh for block in scene.blocks.values()]
            self._map = DistanceMap(
                self._config, meshes, aabb, scene.cell_m, self._spacing_m, self._device
            )
        return self._map


def _blend(
    surface: ClosestSurface,
    seen_free: Bool[Tensor, " n"],
    field: FieldOutput,
    truncation_m: float,
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
    """The field within the band, the surface outside of it, and in between a little of both."""
    outside = (surface.distance_m / truncation_m - _BLEND_FROM) / (1 - _BLEND_FROM)
    share = outside.clamp(0.0, 1.0)
    sign = torch.where(seen_free | surface.in_front, 1.0, -1.0)
    euclidean = sign * surface.distance_m
    distance = torch.where(
        share < 1, torch.lerp(field.sdf, euclidean.clamp(-1e6, 1e6), share), euclidean
    )
    along = torch.nn.functional.normalize(field.gradient, dim=1)
    mixed = torch.lerp(along, sign[:, None] * surface.away, share[:, None])
    return distance, torch.nn.functional.normalize(mixed, dim=1)


def _into_box(
    points: Float[Tensor, "n 3"], scene: PlanningScene, shape: Int[Tensor, " 3"]
) -> Float[Tensor, "n 3"]:
    """Points, those outside of the grid on its border: beyond, the field may not be defined."""
    high_m = scene.low_m + shape * scene.cell_m
    return points.maximum(scene.low_m).minimum(high_m)


def _look_up(
    points: Float[Tensor, "n 3"], scene: PlanningScene, shape: Int[Tensor, " 3"]
) -> Int8[Tensor, " n"]:
    """Evidence at points; 0 outside of the grid."""
    place = torch.floor((points - scene.low_m) / scene.cell_m)
    inside = ((place >= 0) & (place < shape)).all(dim=1)
    x, y, z = torch.minimum(place.clamp(min=0), shape - 1).long().unbind(dim=1)
    return torch.where(inside, scene.evidence[x, y, z], 0).to(torch.int8)


def _dilated(cells: Bool[Tensor, "gx gy gz"], by: int) -> Bool[Tensor, "gx gy gz"]:
    """Cells and all that are at most so many cells away along each axis."""
    if by < 1 or not cells.numel():
        return cells
    for axis in range(3):
        moved = cells.float().movedim(axis, -1)
        wide = torch.nn.functional.max_pool1d(
            moved.reshape(-1, 1, moved.shape[-1]), 2 * by + 1, stride=1, padding=by
        )
        cells = wide.view(moved.shape).movedim(-1, axis) > 0
    return cells


def _nothing_known(n: int) -> PlanningAnswer:
    return PlanningAnswer(
        np.full(n, np.inf, np.float32), np.zeros((n, 3), np.float32), np.zeros(n, bool)
    )
