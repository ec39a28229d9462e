# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Meshes for the tests of the benchmarks' protocols."""

import numpy as np
import trimesh

from ineus_core.types import Mesh


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    count = len(shape.vertices)
    return Mesh(
        np.asarray(shape.vertices, dtype=np.float32),
        np.asarray(shape.faces, dtype=np.int32),
        np.asarray(shape.vertex_normals, dtype=np.float32),
        np.full((count, 3), 128, dtype=np.uint8),
    )


def plate(z: float, side: float = 20.0, left: float = 0.0) -> Mesh:
    """Return a square at a height, in mm."""
    corners = [(left, 0, z), (left + side, 0, z), (left + side, side, z), (left, side, z)]
    return mesh_of(trimesh.Trimesh(corners, [(0, 1, 2), (0, 2, 3)], process=False))
