# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces out of a signed distance: blocks, welding and cleaning, mesh files."""

from ineus_core.meshing.blocks import BlockMesher, MeshingConfig
from ineus_core.meshing.clean import moved_mesh, remove_small_components, weld
from ineus_core.meshing.dirty import DirtyBlocks, blocks_of_cells
from ineus_core.meshing.io import MESH_SUFFIXES, read_mesh, read_reference, write_mesh
from ineus_core.meshing.surface import Surface

__all__ = [
    "MESH_SUFFIXES",
    "BlockMesher",
    "DirtyBlocks",
    "MeshingConfig",
    "Surface",
    "blocks_of_cells",
    "moved_mesh",
    "read_mesh",
    "read_reference",
    "remove_small_components",
    "weld",
    "write_mesh",
]
