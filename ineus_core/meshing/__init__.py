# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces out of a signed distance: blocks, welding and cleaning, mesh files."""

from ineus_core.meshing.atlas import load_xatlas
from ineus_core.meshing.blocks import (
    BlockMesher,
    ColourFunction,
    MeshingConfig,
    ObservedFunction,
)
from ineus_core.meshing.clean import moved_mesh, remove_small_components, weld
from ineus_core.meshing.dirty import DirtyBlocks, blocks_of_cells
from ineus_core.meshing.io import (
    MESH_SUFFIXES,
    TEXTURED_SUFFIXES,
    read_mesh,
    read_reference,
    write_mesh,
    write_textured_mesh,
)
from ineus_core.meshing.samples import SdfFunction
from ineus_core.meshing.surface import Surface
from ineus_core.meshing.texture import textured

__all__ = [
    "MESH_SUFFIXES",
    "TEXTURED_SUFFIXES",
    "BlockMesher",
    "ColourFunction",
    "DirtyBlocks",
    "MeshingConfig",
    "ObservedFunction",
    "SdfFunction",
    "Surface",
    "blocks_of_cells",
    "load_xatlas",
    "moved_mesh",
    "read_mesh",
    "read_reference",
    "remove_small_components",
    "textured",
    "weld",
    "write_mesh",
    "write_textured_mesh",
]
