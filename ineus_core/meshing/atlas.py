# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A mesh unfolded onto a picture: parts that are seen from one side, packed by xatlas.

xatlas would find parts itself, which took 17 s for a room of 36,000 triangles, and packing 0.2 s.
"""

from types import ModuleType

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix

from ineus_core.errors import MissingDependencyError
from ineus_core.kernels.rasterising import rasterise
from ineus_core.types import Mesh

_PADDING_PX = 2
"""Texels between two parts, so that neither is seen at the edge of the other."""
_SIDES = np.concatenate((np.eye(3), -np.eye(3)))
_LEAST_COSINE = 0.5
"""Of the angle that a triangle may be seen at; of some side it is 0.577."""
_SMOOTHINGS = 6
# What still winds over itself then stays as it is.
_MOST_LAYERS = 8
_FAR_TEXELS = 4.0
_PLACES = np.concatenate((np.full((1, 3), 1 / 3), 0.1 + 0.7 * np.eye(3)))
"""In a triangle, where it is looked at."""


def unfold(mesh: Mesh, side_px: int) -> tuple[Mesh, Float[np.ndarray, "v 2"]]:
    """Cut a mesh into parts that lie flat, and place them side by side in a square picture.

    A part is seen from one of six sides, and nowhere stretched by more than 2.

    Args:
        mesh: Welded, with at least one triangle.
        side_px: Side of the picture, which tells how far apart the parts are.

    Returns:
        The mesh with the vertices of seams repeated, its triangles as they were; and the place of
        each vertex, 0 to 1, from the left and from the bottom.

    Raises:
        MissingDependencyError: xatlas is not installed.
    """
    xatlas = load_xatlas()
    # Far from the origin single precision would fold small triangles.
    vertices = mesh.vertices - mesh.vertices.mean(axis=0, dtype=np.float64)
    part = _sides(vertices, mesh.triangles)
    for _ in range(_MOST_LAYERS):
        source, side, triangles, uv = _packed(xatlas, vertices, mesh.triangles, part, side_px)
        is_hidden = _hidden(vertices[source], side, triangles, uv, side_px)
        if not is_hidden.any():
            break
        # A part that winds over itself, as a spiral staircase does.
        part[is_hidden] += len(_SIDES)
    unfolded = Mesh(
        mesh.vertices[source],
        triangles.astype(np.int32),
        mesh.normals[source],
        mesh.colours[source],
    )
    return unfolded, uv


def load_xatlas() -> ModuleType:
    """Return the module.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import xatlas
    except ImportError as error:
        raise MissingDependencyError("xatlas", extra="texture") from error
    return xatlas


def facing_us(
    corners: Float[np.ndarray, "v _"], triangles: Int[np.ndarray, "t 3"]
) -> Int[np.ndarray, "t 3"]:
    """Turn round the triangles that lie on their face in a picture."""
    a, b, c = (corners[triangles[:, i], :2] for i in range(3))
    edge, other = b - a, c - a
    is_turned = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0] > 0
    return np.where(is_turned[:, None], triangles[:, ::-1], triangles)


def on_picture(uv: Float[np.ndarray, "v 2"], side_px: int) -> Float[np.ndarray, "v 3"]:
    """Return column, row and inverse depth: rows from the top, and everything as far away."""
    return np.stack((uv[:, 0] * side_px, (1 - uv[:, 1]) * side_px, np.ones(len(uv))), axis=1)


def _sides(
    vertices: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"]
) -> Int[np.ndarray, " t"]:
    """Choose the side that each triangle is seen from, alike for neighbours where that can be."""
    solid = trimesh.Trimesh(vertices, triangles, process=False)
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    # A triangle without area has no normal, and NaN would spread to its neighbours.
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    cosines = normals @ _SIDES.T
    one, other = solid.face_adjacency.T
    links = (np.concatenate((one, other)), np.concatenate((other, one)))
    count = len(triangles)
    beside = coo_matrix((np.ones(len(links[0])), links), shape=(count, count)).tocsr()
    weights = 1.0 + np.asarray(beside.sum(axis=1))
    smooth = cosines
    for _ in range(_SMOOTHINGS):
        smooth = (smooth + beside @ smooth) / weights
    return np.where(cosines < _LEAST_COSINE, -np.inf, smooth).argmax(axis=1)


def _packed(
    xatlas: ModuleType,
    vertices: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "t 3"],
    part: Int[np.ndarray, " t"],
    side_px: int,
) -> tuple[
    Int[np.ndarray, " n"], Int[np.ndarray, " n"], Int[np.ndarray, "t 3"], Float[np.ndarray, "n 2"]
]:
    """Lay parts flat and pack them: which vertex and side each is of, triangles, and places."""
    count = int(part.max()) + 1
    # A vertex is repeated for each part that it is in.
    corners, triangles = np.unique(triangles * count + part[:, None], return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    source, side = corners // count, corners % count % len(_SIDES)
    row, axis = np.arange(len(source)), side % 3
    points = vertices[source]
    across = points[row, (axis + 1) % 3]
    # Seen from the other side, left is right.
    up = points[row, (axis + 2) % 3] * np.where(side < 3, 1.0, -1.0)
    atlas = xatlas.Atlas()
    # Apart, as xatlas takes parts for one whose edges lie on each other, here as in space.
    across = across + 2.0 * np.abs(vertices).max() * (corners % count)
    flat = np.stack((across, up), axis=1)
    atlas.add_mesh(
        *(np.ascontiguousarray(points, np.float32), np.ascontiguousarray(triangles, np.uint32)),
        uvs=np.ascontiguousarray(flat, np.float32),
    )
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.use_input_mesh_uvs = True
    packing.resolution, packing.padding = side_px, _PADDING_PX
    # Without, the time to pack grows with the square of the number of parts.
    packing.bruteForce = False
    atlas.generate(charts, packing)
    of_corner, triangles, uv = atlas[0]
    places = uv.clip(0.0, 1.0).astype(np.float32)
    return source[of_corner], side[of_corner], triangles.astype(np.int64), places


def _hidden(
    vertices: Float[np.ndarray, "v 3"],
    side: Int[np.ndarray, " v"],
    triangles: Int[np.ndarray, "t 3"],
    uv: Float[np.ndarray, "v 2"],
    side_px: int,
) -> Bool[np.ndarray, " t"]:
    """Find triangles on which the picture shows a place of the surface that is far away."""
    corners = on_picture(uv, side_px)
    # As seen from the side of each: what is above hides what is below.
    height = (vertices * _SIDES[side]).sum(axis=1)
    corners[:, 2] += (height - height.min()) / max(float(np.ptp(height)), 1e-30)
    turned = facing_us(corners, triangles)
    seen = rasterise(corners, turned, side_px, side_px)
    shown = np.full(side_px * side_px, -1)
    shown[seen.pixels] = np.arange(len(seen.pixels))
    own = vertices[triangles]
    areas = np.linalg.norm(np.cross(own[:, 1] - own[:, 0], own[:, 2] - own[:, 0]), axis=1) / 2
    far = _FAR_TEXELS * np.sqrt(areas.sum() / max(len(seen.pixels), 1))
    is_hidden = np.zeros(len(triangles), dtype=bool)
    for weights in _PLACES:
        column, row = (corners[triangles, :2].swapaxes(1, 2) @ weights).astype(np.int64).T
        hit = shown[row.clip(0, side_px - 1) * side_px + column.clip(0, side_px - 1)]
        points = vertices[turned[seen.triangles[hit]]]
        there = np.einsum("ti,tic->tc", seen.weights[hit], points)
        off = np.linalg.norm(there - own.swapaxes(1, 2) @ weights, axis=1)
        is_hidden |= (hit >= 0) & (off > far)
    return is_hidden
