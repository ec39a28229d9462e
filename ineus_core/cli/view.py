# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus view`: a finished run or a checkpoint on the live page."""

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ineus_core.errors import SourceError

if TYPE_CHECKING:
    from ineus_core.types import Mesh
    from ineus_core.viewer import LivePage, ViewerConfig


def command(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder of a run, checkpoint, or mesh file.")
    ],
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="TCP port; 0: the first free one from 8080 on.")
    ] = 0,
    host: Annotated[
        str, typer.Option(help="Address to bind to; 0.0.0.0: all, without a password.")
    ] = "127.0.0.1",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")] = "auto",
) -> None:
    """Show a finished run, a checkpoint or a mesh in a browser, until Ctrl-C.

    A checkpoint can be asked for slices and for what the field shows; a mesh alone cannot.
    """
    from ineus_core.files import check_source_exists

    check_source_exists(path)
    from ineus_core.viewer import ViewerConfig

    config = ViewerConfig(port=port, host=host)
    mesh_file = path if path.is_file() else path / "mesh.ply"
    has_checkpoint = any(
        (folder / "state.json").is_file() for folder in (path, path / "checkpoint")
    )
    with contextlib.suppress(KeyboardInterrupt):
        if has_checkpoint:
            _show_checkpoint(path, config, device)
        elif mesh_file.is_file():
            _show_mesh(mesh_file, config)
        else:
            raise SourceError(f"{path}: expected a checkpoint or mesh.ply in it, or a mesh file")


def _show_checkpoint(path: Path, config: "ViewerConfig", device: str) -> None:
    from ineus_core.cli.restore import restore
    from ineus_core.pipeline import Pipeline, PipelineConfig, Worker
    from ineus_core.viewer import LivePage, RunLink

    reconstructor = restore(path, device).reconstructor

    def call(function: Any, key: Any) -> Any:
        return worker.call(lambda p: function(p.reconstructor), key)

    page = LivePage(config, RunLink(call), str(path), reconstructor.device.type)
    page.set_up(reconstructor.up)
    page.end_training()
    pipeline = Pipeline(reconstructor, page, PipelineConfig(), is_live=True)
    worker = Worker(pipeline, lambda: 0)
    # It answers, and trains no more.
    worker.pause()
    worker.start()
    try:
        worker.call(lambda p: page.on_report(p.reconstructor.report())).result()
        worker.call(lambda p: p.update_mesh(everything=True)).result()
        _stay(page)
    finally:
        worker.stop()
        page.close()


def _show_mesh(path: Path, config: "ViewerConfig") -> None:
    from ineus_core.meshing import read_mesh
    from ineus_core.viewer import LivePage, RunLink

    mesh = read_mesh(path)
    page = LivePage(config, RunLink(), str(path))
    try:
        _hand_over(mesh, page)
        _stay(page)
    finally:
        page.close()


def _hand_over(mesh: "Mesh", page: "LivePage") -> None:
    """Give a page a mesh that has no blocks."""
    import numpy as np

    from ineus_core.types import Mesh, MeshBlock, MeshUpdate

    # What is left of the vertices fits single precision, which is all that a browser takes.
    origin = np.floor(mesh.vertices.mean(axis=0)) if mesh.vertices.dtype == np.float64 else 0
    vertices = (mesh.vertices - origin).astype(np.float32)
    block = MeshBlock((0, 0, 0), Mesh(vertices, mesh.triangles, mesh.normals, mesh.colours))
    x_m, y_m, z_m = np.broadcast_to(origin, 3).tolist()
    page.on_mesh(MeshUpdate(0, (block,), (), (x_m, y_m, z_m)))


def _stay(page: "LivePage") -> None:
    from ineus_core.cli.live_page import say_where

    say_where(page)
    threading.Event().wait()
