# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The surface of an analytic scene as a mesh."""

import itertools

import numpy as np
import torch

from ineus_core.kernels.marching_cubes import marching_cubes
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.types import Mesh

BLOCK_CELLS = 32


def scene_mesh(scene: AnalyticScene, voxel_m: float) -> Mesh:
    """Mesh the whole surface within the scene's box by marching cubes.

    Edges sharper than a voxel are cut; all vertices are moved onto the surface.
    """
    vertices, triangles, count = [np.zeros((0, 3))], [np.zeros((0, 3), dtype=np.int64)], 0
    for corner in _block_corners(scene, voxel_m):
        block = _extract_block(scene, corner, voxel_m)
        vertices.append(block[0])
        triangles.append(block[1] + count)
        count += len(block[0])
    # Blocks hold the same vertex on their common face; only rounding may tell the two apart.
    _, first, welded = np.unique(
        np.round(np.concatenate(vertices) / (1e-4 * voxel_m)).astype(np.int64),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    corners = welded.reshape(-1)[np.concatenate(triangles)]
    a, b, c = corners.T
    return _finish(scene, np.concatenate(vertices)[first], corners[(a != b) & (b != c) & (c != a)])


def _block_corners(scene: AnalyticScene, voxel_m: float) -> np.ndarray:
    """Return the lowest corners of the blocks that the surface may cross."""
    block_m = BLOCK_CELLS * voxel_m
    # Keeps the samples off faces at round numbers, which would make triangles without area.
    start = scene.aabb_m[0] - 1.37 * voxel_m
    shape = np.ceil((scene.aabb_m[1] + 1.37 * voxel_m - start) / block_m).astype(int)
    places = np.array(list(itertools.product(*(range(n) for n in shape))))
    corners = start + places * block_m
    near = np.abs(scene.sdf(corners + block_m / 2)) < np.sqrt(3) / 2 * block_m + 1e-6
    return corners[near]


def _extract_block(
    scene: AnalyticScene, corner: np.ndarray, voxel_m: float
) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(BLOCK_CELLS + 1) * voxel_m
    grid = np.stack(np.meshgrid(*(corner[:, None] + steps), indexing="ij")).reshape(3, -1)
    sdf = scene.nearest(grid)[0].reshape((1, *(BLOCK_CELLS + 1,) * 3))
    cells = torch.ones((1, *(BLOCK_CELLS,) * 3), dtype=torch.bool)
    found = marching_cubes(torch.from_numpy(sdf), cells)
    return corner + found.vertices.double().numpy() * voxel_m, found.triangles.numpy()


def _finish(scene: AnalyticScene, vertices: np.ndarray, triangles: np.ndarray) -> Mesh:
    rows = np.ascontiguousarray(vertices.T)
    # Two Newton steps: the first is off by the curvature of the surface.
    for _ in range(2):
        distance, part_index = scene.nearest(rows)
        rows = rows - distance * scene.normals_of(rows, part_index)
    part_index = scene.nearest(rows)[1]
    normals = scene.normals_of(rows, part_index)
    footprint_m = np.full(rows.shape[1], 1e-3)
    colours = scene.lit_colours(rows, part_index, normals, footprint_m, directions=-normals)
    return Mesh(rows.T.copy(), triangles, normals.T.copy(), colours)
