# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scene as a union of textured solids, with its exact signed distance, normals and colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt8

from ineus_core.sources.synthetic.shapes import Shape, Texture, texture_colours

_SHININESS = 16


@dataclass(frozen=True)
class Part:
    """A shape in its place, with its texture."""

    shape: Shape
    texture: Texture
    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: np.ndarray | None = None
    """Scene from shape; None is the identity."""

    def local(self, points: np.ndarray) -> np.ndarray:
        """Move points (3 rows) to the frame of the shape."""
        if self.rotation is None and not any(self.position_m):
            return points
        moved = points - np.asarray(self.position_m, dtype=points.dtype)[:, None]
        if self.rotation is None:
            return moved
        return self.rotation.T.astype(points.dtype) @ moved

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return the signed distance at points (3 rows)."""
        return self.shape.distance(self.local(points))

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the corners of a box around the part."""
        rotation = np.eye(3) if self.rotation is None else self.rotation
        reach = self.shape.extent_m
        extent = (
            np.full(3, np.inf) if np.isinf(reach).any() else np.abs(rotation) @ np.asarray(reach)
        )
        return np.asarray(self.position_m) - extent, np.asarray(self.position_m) + extent


@dataclass(frozen=True)
class Group:
    """Parts that are skipped together where something else is nearer than the box around them."""

    parts: Sequence[Part]
    first: int
    centre_m: np.ndarray = field(init=False)
    half_m: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Work out the box."""
        corners = [part.box() for part in self.parts]
        low = np.min([c[0] for c in corners], axis=0)
        high = np.max([c[1] for c in corners], axis=0)
        bounded = bool(np.isfinite(low).all())
        object.__setattr__(self, "centre_m", (low + high) / 2 if bounded else np.zeros(3))
        object.__setattr__(self, "half_m", (high - low) / 2 if bounded else np.full(3, np.inf))

    def lower_bound(self, points: np.ndarray) -> np.ndarray:
        """Return a distance that no part of the group undercuts outside of the box."""
        squares = np.zeros(points.shape[1], dtype=points.dtype)
        for axis in range(3):
            away = np.abs(points[axis] - points.dtype.type(self.centre_m[axis]))
            squares += np.maximum(away - points.dtype.type(self.half_m[axis]), 0) ** 2
        return np.sqrt(squares)


class AnalyticScene:
    """A union of textured solids whose signed distance is exact in free space.

    Within the solids the distance is negative, but where they overlap it is only a bound.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Part]],
        aabb_m: Float[np.ndarray, "2 3"],
        gloss: float = 0.0,
    ) -> None:
        """Index the parts of the groups.

        Args:
            gloss: Brightness of the highlights of the main light; 0: the same from every side.
        """
        self.aabb_m, self.gloss = aabb_m, gloss
        self.parts = [part for group in groups for part in group]
        self.groups: list[Group] = []
        first = 0
        for group in groups:
            self.groups.append(Group(group, first))
            first += len(group)

    def with_parts(self, parts: Sequence[Part]) -> "AnalyticScene":
        """Return the scene with more solids in it."""
        if not parts:
            return self
        groups = [*(group.parts for group in self.groups), parts]
        return AnalyticScene(groups, self.aabb_m, self.gloss)

    def sdf(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Return the signed distance in metres, positive in free space."""
        return self.nearest(np.ascontiguousarray(np.asarray(points, dtype=np.float64).T))[0]

    def nearest(
        self, points: Float[np.ndarray, "3 n"]
    ) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Return signed distances at points (3 rows) in their precision, and the nearest part."""
        best = np.full(points.shape[1], np.inf, dtype=points.dtype)
        part_index = np.zeros(points.shape[1], dtype=np.int32)
        for group in self.groups:
            if np.isinf(group.half_m).any():
                self._nearest_in(group, points, slice(None), best, part_index)
                continue
            # A group is asked only where it can be nearer than what has been found.
            near = np.flatnonzero(group.lower_bound(points) < best)
            if len(near):
                self._nearest_in(group, points[:, near], near, best, part_index)
        return best, part_index

    @staticmethod
    def _nearest_in(
        group: Group,
        points: np.ndarray,
        where: slice | np.ndarray,
        best: np.ndarray,
        part_index: np.ndarray,
    ) -> None:
        distance, index = best[where], part_index[where]
        for i, part in enumerate(group.parts):
            d = part.distance(points)
            index = np.where(d < distance, np.int32(group.first + i), index)
            distance = np.minimum(distance, d)
        best[where], part_index[where] = distance, index

    def normals(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Return the unit normals towards free space at points on or near the surface."""
        rows = np.ascontiguousarray(np.asarray(points, dtype=np.float64).T)
        return self.normals_of(rows, self.nearest(rows)[1]).T

    def normals_of(
        self, points: Float[np.ndarray, "3 n"], part_index: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, "3 n"]:
        """Return the unit normals of the named part at each point, by central differences."""
        normals = np.zeros(points.shape, dtype=np.float64)
        # A hundredth of a millimetre, which no part is as small as, and double precision resolves.
        step = 1e-5
        for index, chosen in _by_part(part_index):
            part, local = self.parts[index], points[:, chosen].astype(np.float64)
            for axis in range(3):
                offset = np.zeros((3, 1))
                offset[axis] = step
                normals[axis, chosen] = part.distance(local + offset) - part.distance(
                    local - offset
                )
        return normals / np.maximum(np.linalg.norm(normals, axis=0), 1e-30)

    def distances_of(
        self, points: Float[np.ndarray, "3 n"], part_index: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """Return the signed distance to the named part at each point."""
        distances = np.zeros(points.shape[1])
        for index, chosen in _by_part(part_index):
            distances[chosen] = self.parts[index].distance(points[:, chosen])
        return distances

    def colours_of(
        self,
        points: Float[np.ndarray, "3 n"],
        part_index: Int[np.ndarray, " n"],
        footprint_m: Float[np.ndarray, " n"],
    ) -> Float[np.ndarray, "3 n"]:
        """Return the unlit texture colours (0 to 1) of the named part at each point."""
        colours = np.zeros(points.shape, dtype=np.float32)
        for index, chosen in _by_part(part_index):
            part = self.parts[index]
            local = part.local(points[:, chosen])
            colours[:, chosen] = texture_colours(part.texture, local, footprint_m[chosen])
        return colours

    def lit_colours(
        self,
        points: Float[np.ndarray, "3 n"],
        part_index: Int[np.ndarray, " n"],
        normals: Float[np.ndarray, "3 n"],
        footprint_m: Float[np.ndarray, " n"],
        directions: Float[np.ndarray, "3 n"],
    ) -> UInt8[np.ndarray, "n 3"]:
        """Return the colours under fixed lights, seen along unit directions."""
        # One from above and a weaker one from below on the other side, so that no part is flat.
        key = np.array((0.35, -0.48, 0.80))
        fill = np.array((-0.70, 0.62, -0.35))
        light = 0.62 + 0.36 * np.maximum(key @ normals, 0) + 0.16 * (fill @ normals)
        lit = self.colours_of(points, part_index, footprint_m) * light.astype(np.float32)
        if self.gloss:
            mirrored = directions - 2 * (directions * normals).sum(axis=0) * normals
            cosine = np.maximum(key @ mirrored, 0) / np.linalg.norm(key)
            lit += self.gloss * cosine.astype(np.float32) ** _SHININESS
        return (np.clip(lit, 0, 1) * 255 + 0.5).astype(np.uint8).T


def _by_part(part_index: np.ndarray) -> list[tuple[int, np.ndarray]]:
    order = np.argsort(part_index, kind="stable")
    indices, starts = np.unique(part_index[order], return_index=True)
    return (
        list(zip(indices.tolist(), np.split(order, starts[1:]), strict=True)) if len(order) else []
    )
