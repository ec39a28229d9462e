# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus mesh`: the surface of a checkpoint at any resolution."""

from pathlib import Path
from typing import Annotated

import typer

from ineus_core.errors import ConfigError, SourceError


def command(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CKPT", help="Checkpoint, or the folder of a run.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Mesh: .ply, .obj or .glb.")],
    voxel_size: Annotated[
        float | None, typer.Option(metavar="M", help="Voxel size, m; default: as configured.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")] = "auto",
) -> None:
    """Extract a mesh from a checkpoint, in the coordinates of the data set it came from."""
    from ineus_core.files import check_writable
    from ineus_core.meshing import MESH_SUFFIXES, write_mesh

    if out.suffix.lower() not in MESH_SUFFIXES:
        known = ", ".join(MESH_SUFFIXES)
        raise ConfigError(f"--out {out}: suffix {out.suffix!r}, expected one of {known}")
    if voxel_size is not None and not 0 < voxel_size < float("inf"):
        raise ConfigError(f"--voxel-size {voxel_size}: expected a positive number of metres")
    check_writable(out.parent)
    from ineus_core.cli.restore import restore

    reconstructor = restore(checkpoint, device, voxel_size).reconstructor
    reconstructor.extract_mesh(everything=True)
    mesh = reconstructor.mesh_to_save()
    if not len(mesh.triangles):
        raise SourceError(f"{checkpoint}: there is no surface in it that has been seen")
    write_mesh(mesh, out)
    typer.echo(f"{out}: {len(mesh.vertices):,} vertices, {len(mesh.triangles):,} triangles")
