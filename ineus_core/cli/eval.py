# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus eval`: measure a mesh against a reference."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ineus_core.errors import ConfigError, SourceError

if TYPE_CHECKING:
    import numpy as np

    from ineus_core.sources import Source
    from ineus_core.types import Mesh


def command(
    mesh: Annotated[
        Path, typer.Argument(metavar="DIR|MESH", help="Folder of a run, or a mesh file.")
    ],
    *,
    reference: Annotated[
        Path,
        typer.Option(
            help="Mesh or points (.ply, .npy of shape [n 3]) in the same frame, or a source that "
            "knows its true surface, such as `synthetic:room`."
        ),
    ],
    threshold: Annotated[
        list[float] | None,
        typer.Option(metavar="M", help="Distance that counts as right, m; repeatable."),
    ] = None,
    culling: Annotated[
        str,
        typer.Option(help="What is compared: none, box, frusta or frusta+occlusion."),
    ] = "none",
    frames: Annotated[
        Path | None,
        typer.Option(help="Source of the posed frames, for frusta and the reference fusion."),
    ] = None,
    reference_fusion: Annotated[
        bool,
        typer.Option("--reference-fusion", help="Fuse the frames by Open3D and measure that too."),
    ] = False,
    samples: Annotated[
        int, typer.Option(min=1, help="Points compared on each surface.")
    ] = 200_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a mesh against a reference: distances, F-score, agreement of the normals.

    The two are compared where they lie, without alignment. Figures under different cullings
    cannot be compared.
    """
    from ineus_core.evaluation import DEFAULT_THRESHOLDS_M, ReferenceFusion, View, evaluate_mesh
    from ineus_core.evaluation import Culling as Strategy
    from ineus_core.meshing import read_mesh

    if culling not in get_args(Strategy):
        known = ", ".join(get_args(Strategy))
        raise ConfigError(f"--culling {culling!r}: expected one of {known}")
    source = _open_frames(frames, culling, reference_fusion)
    truth = _read_truth(reference)
    surfaces = {"ineus": read_mesh(_mesh_file(mesh))}
    views = []
    if source is not None:
        fusion = ReferenceFusion() if reference_fusion else None
        for frame in source:
            if culling.startswith("frusta"):
                views.append(View(frame.camera, frame.world_from_camera, frame.depth_m))
            if fusion is not None:
                fusion.integrate(frame)
        if fusion is not None:
            surfaces["reference fusion"] = fusion.mesh()
    figures = {
        name: evaluate_mesh(
            surface,
            truth,
            threshold or DEFAULT_THRESHOLDS_M,
            culling,  # type: ignore[arg-type]
            views=views,
            samples=samples,
            seed=seed,
        ).to_json()
        for name, surface in surfaces.items()
    }
    _print_json(figures) if as_json else _print_table(figures)


def _open_frames(frames: Path | None, culling: str, reference_fusion: bool) -> "Source | None":
    if frames is not None:
        from ineus_core.sources import open_source

        return open_source(frames)
    if reference_fusion or culling.startswith("frusta"):
        what = "--reference-fusion" if reference_fusion else f"--culling {culling}"
        raise ConfigError(f"{what}: needs --frames, the source of the posed frames")
    return None


def _read_truth(reference: Path) -> "Mesh | np.ndarray":
    """A reference file, or the true surface of a source."""
    if reference.is_file():
        from ineus_core.meshing import read_reference

        return read_reference(reference)
    from ineus_core.sources import open_source

    mesh = open_source(str(reference)).reference_mesh()
    if mesh is None:
        raise SourceError(f"--reference {reference}: this source does not know its true surface")
    return mesh


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise SourceError(f"{what} {path}: no such file")
    return path


def _mesh_file(path: Path) -> Path:
    """The mesh of a run, or the file itself."""
    if path.is_dir():
        return _existing(path / "mesh.ply", f"run {path}: mesh")
    return _existing(path, "mesh")


def _print_json(figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Ours at the top level, so that scripts find the names of the interface."""
    import json

    ours, *others = figures.items()
    record = dict(ours[1])
    record.update({name.replace(" ", "_"): value for name, value in others})
    typer.echo(json.dumps(record, indent=1, allow_nan=False))


def _print_table(figures: Mapping[str, Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    first = next(iter(figures.values()))
    spacing = first["sample_spacing_m"] or 0.0
    table = Table(
        title=f"culling: {first['culling']}",
        caption=f"{first['samples']:,} points of the mesh and {first['reference_samples']:,} of "
        f"the reference; points on the mesh {1e3 * spacing:.1f} mm apart",
    )
    table.add_column("")
    for name in figures:
        table.add_column(name, justify="right")
    for key in ("accuracy_m", "completeness_m", "chamfer_m"):
        table.add_row(f"{key[:-2]}, cm", *(_scaled(f[key], "{:.2f}") for f in figures.values()))
    for key in ("precision", "recall", "f_score"):
        for limit in first[key]:
            cells = [_scaled(f[key][limit], "{:.1f}") for f in figures.values()]
            table.add_row(f"{key.replace('_', '-')} at {100 * float(limit):g} cm, %", *cells)
    cells = [_scaled(f["normal_consistency"], "{:.1f}") for f in figures.values()]
    table.add_row("normal consistency, %", *cells)
    Console().print(table)


def _scaled(value: float | None, form: str) -> str:
    """A hundredfold: metres to centimetres, shares to per cent."""
    return "–" if value is None else form.format(100 * value)
