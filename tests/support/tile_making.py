# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of a mesh and its updates, for tests of what takes them."""

import numpy as np

from ineus_core.types import BlockIndex, Mesh, MeshBlock, MeshUpdate


def block(index: BlockIndex, triangles: int = 1) -> MeshBlock:
    """Return a block of triangles that lie one above the other at its index."""
    corners = np.array(((0, 0, 0), (1, 0, 0), (0, 1, 0)), np.float32) + np.array(index, np.float32)
    vertices = np.tile(corners, (triangles, 1))
    faces = np.arange(3 * triangles, dtype=np.int32).reshape(-1, 3)
    colours = np.full(vertices.shape, 100, np.uint8)
    return MeshBlock(index, Mesh(vertices, faces, np.zeros_like(vertices), colours))


def update(
    *blocks: MeshBlock, removed: tuple[BlockIndex, ...] = (), begins_anew: bool = False
) -> MeshUpdate:
    """Return an update of some blocks."""
    return MeshUpdate(0, blocks, removed, begins_anew=begins_anew)
