# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One mesh out of many blocks, without small components, in the coordinates that are asked for."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ineus_core.geometry import as_precise
from ineus_core.types import Mesh, MeshBlock


def weld(blocks: Iterable[MeshBlock], tolerance_m: float = 1e-6) -> Mesh:
    """Join blocks; vertices that round to the same multiple of the tolerance become one.

    A welded vertex has the normal and the colour of the first block that holds it. Triangles that
    the welding folds to a line are dropped.
    """
    joined = _join([block.mesh for block in blocks])
    kept, index = _first_of_equals(
        # Whole multiples of a micrometre, as equality of floats would miss vertices that differ in
        # the last bit.
        np.rint(joined.vertices / np.float64(tolerance_m)).astype(np.int64)
    )
    triangles = index[joined.triangles]
    a, b, c = triangles.T
    # Welding has folded them to a line.
    triangles = triangles[(a != b) & (b != c) & (c != a)]
    return Mesh(joined.vertices[kept], triangles, joined.normals[kept], joined.colours[kept])


def remove_small_components(mesh: Mesh, min_triangles: int) -> Mesh:
    """Leave out the connected pieces with fewer triangles, and vertices without a triangle."""
    n = len(mesh.vertices)
    if len(mesh.triangles) == 0:
        return _join([])
    start, end = mesh.triangles[:, [0, 1]].T, mesh.triangles[:, [1, 2]].T
    links = (np.concatenate((start[0], end[0])), np.concatenate((start[1], end[1])))
    graph = coo_matrix((np.ones(len(links[0]), dtype=np.int8), links), shape=(n, n))
    _, label_of_vertex = connected_components(graph, directed=False)
    # One corner tells for all three, which are linked.
    label = label_of_vertex[mesh.triangles[:, 0]]
    return _keep_triangles(mesh, np.bincount(label)[label] >= min_triangles)


def moved_mesh(mesh: Mesh, other_from_world: Float[np.ndarray, "4 4"]) -> Mesh:
    """Move a mesh to other coordinates, by a similarity; a mirror turns the triangles round.

    Vertices are float64 where single precision would not hold them.
    """
    linear = np.asarray(other_from_world, dtype=np.float64)[:3, :3]
    determinant = np.linalg.det(linear)
    vertices = mesh.vertices @ linear.T + other_from_world[:3, 3]
    # A similarity stretches all axes alike.
    scale = np.cbrt(abs(determinant))
    normals = mesh.normals @ (linear / scale).T
    # A mirror turns the winding round, and with it the side that faces free space.
    triangles = mesh.triangles if determinant > 0 else mesh.triangles[:, ::-1].copy()
    placed = as_precise(vertices, float(scale))
    return Mesh(placed, triangles, normals.astype(np.float32), mesh.colours)


def _keep_triangles(mesh: Mesh, keep: Bool[np.ndarray, " t"]) -> Mesh:
    """Keep some triangles, with the vertices that they use."""
    triangles = mesh.triangles[keep]
    used = np.zeros(len(mesh.vertices), dtype=bool)
    used[triangles] = True
    new_index = (np.cumsum(used) - 1).astype(np.int32)
    return Mesh(mesh.vertices[used], new_index[triangles], mesh.normals[used], mesh.colours[used])


def _join(meshes: list[Mesh]) -> Mesh:
    """Put all triangles in one mesh, no vertex shared yet."""
    sizes = [len(mesh.vertices) for mesh in meshes]
    first = np.cumsum([0, *sizes])[:-1]
    triangles = [mesh.triangles + start for mesh, start in zip(meshes, first, strict=True)]
    nothing = np.zeros((0, 3))
    return Mesh(
        np.concatenate([nothing, *(m.vertices for m in meshes)]).astype(np.float32),
        np.concatenate([nothing, *triangles]).astype(np.int32),
        np.concatenate([nothing, *(m.normals for m in meshes)]).astype(np.float32),
        np.concatenate([nothing, *(m.colours for m in meshes)]).astype(np.uint8),
    )


def _first_of_equals(
    rows: Int[np.ndarray, "n 3"],
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " n"]]:
    """Find the first of equal rows, in order, and for each row which of them it equals."""
    order = np.lexsort(rows.T)
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (rows[order][1:] != rows[order][:-1]).any(axis=1)
    # lexsort is stable, so the first of each run is also the first of the input.
    kept = order[is_new]
    run = np.empty(len(rows), dtype=np.int32)
    run[order] = np.cumsum(is_new) - 1
    rank = np.empty(len(kept), dtype=np.int32)
    rank[np.argsort(kept)] = np.arange(len(kept), dtype=np.int32)
    return np.sort(kept), rank[run]
