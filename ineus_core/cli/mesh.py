# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus mesh`: the surface of a checkpoint at any resolution."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ineus_core.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from ineus_core.reconstruction import Reconstructor

_MANY_TRIANGLES = 1_000_000
_TRIANGLES_A_MINUTE = 1_300_000
"""That one core of an Intel Xeon unfolded, at the rate of a mesh of 146,000."""


def command(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CKPT", help="Checkpoint, or the folder of a run.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Mesh: .ply, .obj or .glb.")],
    voxel_size: Annotated[
        float | None, typer.Option(metavar="M", help="Voxel size, m; default: as configured.")
    ] = None,
    texture: Annotated[
        int | None,
        typer.Option(
            metavar="PX",
            min=64,
            max=16384,
            help="Side of a texture instead of colours of vertices, such as 4096; .obj or .glb.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")] = "auto",
) -> None:
    """Extract a mesh from a checkpoint, in the coordinates of the data set it came from."""
    from ineus_core.files import check_writable

    _check_suffix(out, texture)
    if voxel_size is not None and not 0 < voxel_size < float("inf"):
        raise ConfigError(f"--voxel-size {voxel_size}: expected a positive number of metres")
    check_writable(out.parent)
    from ineus_core.cli.restore import restore
    from ineus_core.meshing import write_mesh

    reconstructor = restore(checkpoint, device, voxel_size).reconstructor
    reconstructor.extract_mesh(everything=True)
    mesh = reconstructor.mesh_to_save()
    if not len(mesh.triangles):
        raise SourceError(f"{checkpoint}: there is no surface in it that has been seen")
    size = f"{len(mesh.vertices):,} vertices, {len(mesh.triangles):,} triangles"
    if texture is None:
        write_mesh(mesh, out)
        typer.echo(f"{out}: {size}")
    else:
        _write_textured(reconstructor, out, texture)
        typer.echo(f"{out}: {size}, a texture of {texture} x {texture}")


def _check_suffix(out: Path, texture_px: int | None) -> None:
    from ineus_core.meshing import MESH_SUFFIXES, TEXTURED_SUFFIXES, load_xatlas

    expected = MESH_SUFFIXES if texture_px is None else TEXTURED_SUFFIXES
    if out.suffix.lower() not in expected:
        why = "" if texture_px is None else " for a texture"
        raise ConfigError(
            f"--out {out}: suffix {out.suffix!r}, expected one of {', '.join(expected)}{why}"
        )
    if texture_px is not None:
        # Said before the mesh is made.
        load_xatlas()


def _write_textured(reconstructor: "Reconstructor", out: Path, side_px: int) -> None:
    from dataclasses import replace

    from ineus_core.meshing import moved_mesh, textured, write_textured_mesh

    mesh = reconstructor.current_mesh()
    triangles = len(mesh.triangles)
    if triangles > _MANY_TRIANGLES:
        typer.echo(
            f"{out}: unfolding {triangles:,} triangles takes about "
            f"{triangles / _TRIANGLES_A_MINUTE:.0f} min of one core, several times that if parts "
            "wind over themselves; twice the --voxel-size has a quarter of them",
            err=True,
        )
    made = textured(mesh, side_px, reconstructor.surface_colours)
    saved = moved_mesh(made.mesh, reconstructor.dataset_from_world)
    write_textured_mesh(replace(made, mesh=saved), out)
