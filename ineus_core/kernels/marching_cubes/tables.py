# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The triangles of the 256 sign patterns of a cell, derived from the topology of the cube.

Corner c has the offset (c & 1, c >> 1 & 1, c >> 2 & 1) along x, y, z; bit c of a case is set where
the corner is inside (negative). Edge 4 a + u + 2 v runs along axis a, at the offsets u and v of
the other two axes.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Int

CASES = 256
EDGES = 12
Triangle = tuple[int, int, int]
Segment = tuple[int, int]


def _edge(axis: int, u: int, v: int) -> int:
    return 4 * axis + u + 2 * v


def _other_axes(axis: int) -> tuple[int, int]:
    return ((1, 2), (0, 2), (0, 1))[axis]


def _edge_starts() -> Int[np.ndarray, "12 3"]:
    starts = np.zeros((EDGES, 3), dtype=np.int64)
    for axis in range(3):
        for corner in range(4):
            starts[4 * axis + corner, _other_axes(axis)] = (corner & 1, corner >> 1)
    return starts


EDGE_STARTS = _edge_starts()
"""Offset of the corner at which each edge starts; it ends one step along its axis."""
EDGE_AXES = np.repeat(np.arange(3), 4)
"""Axis along which each edge runs."""
_MIDPOINTS = EDGE_STARTS + 0.5 * np.eye(3)[EDGE_AXES]


@lru_cache
def _faces() -> list[tuple[np.ndarray, list[int], list[int]]]:
    """Return normal, corners in turn, and edges from corner to corner, of the six faces."""
    faces = []
    for axis in range(3):
        first, second = _other_axes(axis)
        for side in (0, 1):
            normal = np.zeros(3)
            normal[axis] = 2 * side - 1
            turn = ((0, 0), (1, 0), (1, 1), (0, 1))
            corners = [(side << axis) + (u << first) + (v << second) for u, v in turn]
            edges = []
            for (u, v), (u_next, _) in zip(turn, turn[1:] + turn[:1], strict=True):
                along, across, place = (first, second, v) if u != u_next else (second, first, u)
                offset = {axis: side, across: place}
                edges.append(_edge(along, *(offset[other] for other in _other_axes(along))))
            faces.append((normal, corners, edges))
    return faces


def _face_segments(inside: list[bool], edges: list[int]) -> list[tuple[int, int, int]]:
    """Return segments on a face as two edges and the place of a positive corner beside them.

    The pattern with two inside corners on a diagonal is ambiguous. It is resolved by the signs of
    the face alone, so that the cells on both sides agree: the solid stays joined and each free
    corner is cut off.
    """
    crossed = [place for place in range(4) if inside[place] != inside[(place + 1) % 4]]
    free = [place for place in range(4) if not inside[place]]
    if len(crossed) == 4:
        return [(edges[place - 1], edges[place], place) for place in free]
    return [(edges[crossed[0]], edges[crossed[1]], free[0])] if crossed else []


def _oriented_segments(case: int) -> list[Segment]:
    """Return segments of all faces, turning as the triangles beside them, normal to free space."""
    segments = []
    for normal, corners, edges in _faces():
        inside = [bool(case >> corner & 1) for corner in corners]
        for start, end, place in _face_segments(inside, edges):
            corner = np.array([corners[place] >> axis & 1 for axis in range(3)])
            direction = _MIDPOINTS[end] - _MIDPOINTS[start]
            to_free = corner - 0.5 * (_MIDPOINTS[start] + _MIDPOINTS[end])
            # The surface lies behind the face, so its normal is direction x (-normal).
            turns_to_free = np.cross(direction, -normal) @ to_free > 0
            segments.append((start, end) if turns_to_free else (end, start))
    return segments


def _loops(segments: list[Segment]) -> list[list[int]]:
    """Return closed polygons of edges; a crossed edge lies in two faces and so in one polygon."""
    following = dict(segments)
    loops = []
    while following:
        start = min(following)
        loop = [start]
        while (edge := following.pop(loop[-1])) != start:
            loop.append(edge)
        loops.append(loop)
    return loops


@lru_cache
def _diagonal_cost(a: int, b: int) -> float:
    """Return the squared length; forbidden on a face, where the next cell could draw that line."""
    if any(a in edges and b in edges for _, _, edges in _faces()):
        return np.inf
    return float(((_MIDPOINTS[a] - _MIDPOINTS[b]) ** 2).sum())


def _triangulate(loop: list[int]) -> list[Triangle]:
    """Return triangles of a polygon with the shortest diagonals, none of them on a face."""

    @lru_cache
    def best(first: int, last: int) -> tuple[float, tuple[Triangle, ...]]:
        if last - first < 2:
            return 0.0, ()
        choices = []
        for apex in range(first + 1, last):
            cost, triangles = 0.0, [(loop[first], loop[apex], loop[last])]
            for a, b in pairwise((first, apex, last)):
                side_cost, side = best(a, b)
                # Sides of the polygon are there in any case; only diagonals are chosen.
                cost += side_cost + (_diagonal_cost(loop[a], loop[b]) if b - a > 1 else 0.0)
                triangles.extend(side)
            choices.append((cost, tuple(triangles)))
        return min(choices)

    cost, triangles = best(0, len(loop) - 1)
    assert np.isfinite(cost), f"loop {loop} has no triangulation off the faces"
    return list(triangles)


@lru_cache
def triangles_of_case(case: int) -> tuple[Triangle, ...]:
    """Return the triangles of a sign pattern as triples of edges, with normals to free space."""
    loops = _loops(_oriented_segments(case))
    return tuple(triangle for loop in loops for triangle in _triangulate(loop))


@lru_cache
def triangle_table() -> Int[np.ndarray, "256 slots 3"]:
    """Return edges of the triangles of all cases, filled up with -1."""
    cases = [triangles_of_case(case) for case in range(CASES)]
    table = np.full((CASES, max(map(len, cases)), 3), -1, dtype=np.int64)
    for case, triangles in enumerate(cases):
        table[case, : len(triangles)] = np.array(triangles, dtype=np.int64).reshape(-1, 3)
    return table
