# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Points on surfaces, and the strategies that decide which of them are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.errors import ConfigError
from ineus_core.geometry import project, rigid_inverse
from ineus_core.types import Camera, Mesh

Culling = Literal["none", "box", "frusta", "frusta+occlusion"]


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a surface, and its unit normals there if they are known."""

    positions: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"] | None

    def thinned(self, count: int, seed: int) -> "SurfacePoints":
        """Draw so many of the points at random, or take all if there are fewer."""
        order = np.random.default_rng(seed).permutation(len(self.positions))
        keep = np.zeros(len(order), dtype=bool)
        keep[order[:count]] = True
        return self.take(keep)

    def take(self, keep: Bool[np.ndarray, " n"]) -> "SurfacePoints":
        """Take some of the points."""
        normals = None if self.normals is None else self.normals[keep]
        return SurfacePoints(self.positions[keep], normals)


@dataclass(frozen=True)
class CullingView:
    """What one frame saw, for culling."""

    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    depth_m: Float[np.ndarray, "h w"] | None
    """Along the optical axis; 0 where the sensor has no return."""


def sample_surface(mesh: Mesh, count: int, seed: int) -> SurfacePoints:
    """Spread points evenly over the area, with the normals of their triangles."""
    corners = mesh.vertices.astype(np.float64)[mesh.triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    cross = np.cross(b - a, c - a)
    area = 0.5 * np.linalg.norm(cross, axis=1)
    if len(area) == 0 or area.sum() == 0:
        return SurfacePoints(np.zeros((0, 3)), np.zeros((0, 3)))
    rng = np.random.default_rng(seed)
    # Even steps through the summed area spread the points more evenly than independent draws.
    steps = (np.arange(count) + rng.random(count)) / count * area.sum()
    # Rounding may put the last step behind the sum.
    triangle = np.searchsorted(np.cumsum(area), steps).clip(max=len(area) - 1)
    u, v = rng.random((2, count, 1))
    # The root makes the density even over the triangle (Osada et al. 2002, eq. 1).
    root = np.sqrt(u)
    points = (1 - root) * a[triangle] + root * ((1 - v) * b[triangle] + v * c[triangle])
    # Triangles without an area are drawn by rounding alone, and must not make NaN.
    normals = cross[triangle] / np.maximum(2 * area[triangle, None], 1e-30)
    return SurfacePoints(points, normals)


def surface_area(mesh: Mesh) -> float:
    """Return the area of all triangles, m²."""
    a, b, c = (mesh.vertices.astype(np.float64)[mesh.triangles[:, i]] for i in range(3))
    return float(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


def cull(
    points: SurfacePoints,
    reference: SurfacePoints,
    strategy: Culling,
    margin_m: float,
    views: Sequence[CullingView],
) -> SurfacePoints:
    """Leave out the points that the strategy does not compare.

    Args:
        reference: Its bounds are the box of "box".
        strategy: "none" keeps all; "box" keeps what lies in the bounds of the reference and the
            margin; "frusta" keeps what is in the image of any view; "frusta+occlusion" of those
            only what is not behind the depth that the view measured, by more than the margin.
        margin_m: Distance by which points may lie outside.
    """
    positions = points.positions
    if strategy == "none" or len(positions) == 0:
        return points
    if strategy == "box":
        low = reference.positions.min(axis=0) - margin_m
        high = reference.positions.max(axis=0) + margin_m
        return points.take(((positions >= low) & (positions <= high)).all(axis=1))
    if not views:
        raise ConfigError(
            f"culling {strategy!r}: no views, expected the posed frames that were used"
        )
    seen = np.zeros(len(positions), dtype=bool)
    for view in views:
        # One view suffices, so the later ones only judge what is left.
        open_ones = np.flatnonzero(~seen)
        occludes = strategy == "frusta+occlusion"
        seen[open_ones] = _seen_by(view, positions[open_ones], margin_m, occludes)
    return points.take(seen)


def _seen_by(
    view: CullingView, positions: Float[np.ndarray, "n 3"], margin_m: float, occludes: bool
) -> Bool[np.ndarray, " n"]:
    """Decide which points a view has in its image and, if asked, not behind its depth."""
    seen = np.zeros(len(positions), dtype=bool)
    camera_from_world = rigid_inverse(view.world_from_camera)
    in_camera = positions @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    # Lens distortion folds points far outside of the image back into it.
    limit = 1.5 * np.array(
        (view.camera.width_px / view.camera.fx, view.camera.height_px / view.camera.fy)
    )
    depth = in_camera[:, 2]
    near_axis = (np.abs(in_camera[:, :2]) < limit * depth[:, None]).all(axis=1)
    candidates = np.flatnonzero((depth > 1e-3) & near_axis)
    if len(candidates) == 0:
        return seen
    column, row = np.floor(project(view.camera, in_camera[candidates])).astype(np.int64).T
    inside = (column >= 0) & (column < view.camera.width_px)
    inside &= (row >= 0) & (row < view.camera.height_px)
    if occludes:
        if view.depth_m is None:
            raise ConfigError("culling 'frusta+occlusion': a view has no depth, use 'frusta'")
        at = (row.clip(0, view.camera.height_px - 1), column.clip(0, view.camera.width_px - 1))
        measured = view.depth_m[at]
        inside &= (measured > 0) & (depth[candidates] <= measured + margin_m)
    seen[candidates] = inside
    return seen
