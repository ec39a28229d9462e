# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus eval`: a mesh against a reference, and the views of a checkpoint against frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ineus_core.errors import ConfigError, SourceError
from ineus_core.files import check_source_exists

if TYPE_CHECKING:
    import numpy as np

    from ineus_core.evaluation import CullingView
    from ineus_core.sources import Source
    from ineus_core.types import Frame, Mesh


def command(
    mesh: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|MESH",
            help="Folder of a run, or a mesh file; for --hold-out a run or a checkpoint.",
        ),
    ],
    *,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Mesh or points (.ply, .npy of shape (n, 3)) in the same frame, or a source that "
            "knows its true surface, such as `synthetic:room`."
        ),
    ] = None,
    threshold: Annotated[
        list[float] | None,
        typer.Option(metavar="M", help="Threshold of precision and recall, m; repeatable."),
    ] = None,
    culling: Annotated[
        str,
        typer.Option(help="Culling: none, box, frusta or frusta+occlusion."),
    ] = "none",
    frames: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Source of posed frames, for frusta, the fusion and --hold-out."
        ),
    ] = None,
    reference_fusion: Annotated[
        bool,
        typer.Option(
            "--reference-fusion", help="Evaluate a TSDF fusion of the frames by Open3D too."
        ),
    ] = False,
    hold_out: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Compare rendered views with every N-th frame; 0: none."
        ),
    ] = 0,
    device: Annotated[
        str, typer.Option(help="Device that renders: auto, cpu, cuda or cuda:N.", metavar="D")
    ] = "auto",
    samples: Annotated[
        int, typer.Option(min=1, help="Number of samples on each surface.")
    ] = 200_000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the samples.")] = 0,
    protocol: Annotated[
        str,
        typer.Option(
            help="Protocol of a benchmark: dtu, tanks-and-temples or replica; --reference is then "
            "the folder of its published data (MVS Data, or that of a scene). replica culls by "
            "--frames, and needs no --reference if the sequence has its mesh beside it."
        ),
    ] = "none",
    scan: Annotated[int, typer.Option(min=0, metavar="N", help="Scan number (DTU).")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a mesh against a reference: distances, F-score, agreement of the normals.

    The two are compared where they lie, without alignment. Figures under different cullings
    cannot be compared; --protocol says how it culls. With --hold-out, PSNR, SSIM and depth L1 of
    rendered views, of those frames that `ineus run` and `ineus bag make` leave out for the same N.
    """
    if protocol != "none":
        _by_protocol(mesh, protocol, reference, scan, frames, seed, as_json)
        return
    if reference is None and not hold_out:
        raise ConfigError("expected --reference FILE, or --frames PATH with --hold-out N")
    check_source_exists(mesh, "a run or a mesh")
    figures: dict[str, dict[str, Any]] = {}
    if reference is not None:
        limits = tuple(threshold or ())
        figures = _mesh_figures(
            mesh, reference, limits, culling, frames, reference_fusion, samples, seed
        )
    held_out = _held_out_figures(mesh, frames, hold_out, device) if hold_out else None
    _print_json(figures, held_out) if as_json else _print_tables(figures, held_out)


def _by_protocol(
    mesh: Path,
    protocol: str,
    reference: Path | None,
    scan: int,
    frames: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    import json

    from ineus_core.cli.protocols import protocol_figures, protocol_lines
    from ineus_core.meshing import read_mesh

    surface = read_mesh(_mesh_file(mesh))
    figures = protocol_figures(surface, protocol, reference, scan, frames, seed)
    typer.echo(json.dumps(figures, indent=1) if as_json else protocol_lines(protocol, figures))


def _mesh_figures(
    mesh: Path,
    reference: Path,
    thresholds_m: tuple[float, ...],
    culling: str,
    frames: Path | None,
    reference_fusion: bool,
    samples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Return the figures of the mesh, and of the reference fusion if wanted, by name."""
    from ineus_core.evaluation import DEFAULT_THRESHOLDS_M, ReferenceFusion, evaluate_mesh
    from ineus_core.evaluation import Culling as Strategy
    from ineus_core.meshing import moved_mesh, read_mesh
    from ineus_core.sources import dataset_from_world, read_ahead

    if culling not in get_args(Strategy):
        known = ", ".join(get_args(Strategy))
        raise ConfigError(f"--culling {culling!r}: expected one of {known}")
    source = _open_frames(frames, culling, reference_fusion)
    truth = _read_truth(reference)
    surfaces = {"ineus": read_mesh(_mesh_file(mesh))}
    views = []
    if source is not None:
        to_dataset = dataset_from_world(source)
        fusion = ReferenceFusion() if reference_fusion else None
        for frame in read_ahead(source):
            if culling.startswith("frusta"):
                views.append(_view_in(to_dataset, frame))
            if fusion is not None:
                fusion.integrate(frame)
        if fusion is not None:
            surfaces["reference fusion"] = moved_mesh(fusion.mesh(), to_dataset)
    return {
        name: evaluate_mesh(
            surface,
            truth,
            thresholds_m or DEFAULT_THRESHOLDS_M,
            culling,  # type: ignore[arg-type]
            views=views,
            samples=samples,
            seed=seed,
        ).to_json()
        for name, surface in surfaces.items()
    }


def _view_in(dataset_from_world: "np.ndarray", frame: "Frame") -> "CullingView":
    """Return where a frame was taken, in the coordinates of saved meshes."""
    from ineus_core.evaluation import CullingView
    from ineus_core.sources import moved_pose, similarity_scale

    scale = similarity_scale(dataset_from_world)
    depth = None if frame.depth_m is None else (frame.depth_m * scale).astype("float32")
    return CullingView(
        frame.camera, moved_pose(dataset_from_world, frame.world_from_camera), depth
    )


def _held_out_figures(
    checkpoint: Path, frames: Path | None, every: int, device: str
) -> dict[str, Any]:
    """Measure how far rendered views are from the frames that were held out."""
    if frames is None:
        raise ConfigError("--hold-out: needs --frames, the source of the posed frames")
    from rich.console import Console
    from rich.progress import track

    from ineus_core.cli.restore import restore
    from ineus_core.pipeline import FULL_WIDTH_PX, compare_view, mean_figures
    from ineus_core.sources import frame_count, is_held_out, open_source

    source = open_source(frames)
    reconstructor = restore(checkpoint, device).reconstructor
    width_px = FULL_WIDTH_PX[reconstructor.device.type]
    shown = track(source, "comparing", frame_count(source), console=Console(stderr=True))
    views = [
        compare_view(reconstructor, frame, width_px)
        for index, frame in enumerate(shown)
        if is_held_out(index, every)
    ]
    if not views:
        raise SourceError(f"--frames {frames}: has no {every} frames, so none is held out")
    figures = mean_figures(views)
    return figures | {"frames": len(views), "width_px": views[0].frame.camera.width_px}


def _open_frames(frames: Path | None, culling: str, reference_fusion: bool) -> "Source | None":
    if frames is not None:
        from ineus_core.sources import open_source

        return open_source(frames)
    if reference_fusion or culling.startswith("frusta"):
        what = "--reference-fusion" if reference_fusion else f"--culling {culling}"
        raise ConfigError(f"{what}: needs --frames, the source of the posed frames")
    return None


def _read_truth(reference: Path) -> "Mesh | np.ndarray":
    """Read a reference file, or the true surface of a source."""
    if reference.is_file():
        from ineus_core.meshing import read_reference

        return read_reference(reference)
    from ineus_core.sources import open_source, reference_mesh

    mesh = reference_mesh(open_source(str(reference)))
    if mesh is None:
        raise SourceError(f"--reference {reference}: this source does not know its true surface")
    return mesh


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise SourceError(f"{what} {path}: no such file")
    return path


def _mesh_file(path: Path) -> Path:
    """Return the path of the mesh of a run, or the file itself."""
    if path.is_dir():
        return _existing(path / "mesh.ply", f"run {path}: mesh")
    return _existing(path, "mesh")


def _print_json(figures: Mapping[str, Mapping[str, Any]], held_out: Any) -> None:
    """Print ours at the top level, so that scripts find the names of the interface."""
    import json

    record: dict[str, Any] = {}
    for name, value in figures.items():
        record |= value if name == "ineus" else {name.replace(" ", "_"): value}
    if held_out is not None:
        record["held_out"] = held_out
    typer.echo(json.dumps(record, indent=1, allow_nan=False))


def _print_tables(figures: Mapping[str, Mapping[str, Any]], held_out: Any) -> None:
    if figures:
        _print_table(figures)
    if held_out is not None:
        from ineus_core.pipeline import figures_text

        typer.echo(
            f"{held_out['frames']} frames at {held_out['width_px']} px width: "
            f"{figures_text(held_out)}"
        )


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
    """Show a hundredfold: metres to centimetres, shares to per cent."""
    return "–" if value is None else form.format(100 * value)
