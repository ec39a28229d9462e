# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The live page of commands: of a run as it goes on, and of what a run has left."""

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ineus_core.pipeline import OfflineRun, Pipeline
from ineus_core.viewer import LivePage, RunLink, ViewerConfig

if TYPE_CHECKING:
    from ineus_core.reconstruction import Reconstructor
    from ineus_core.types import Frame, MeshUpdate, StepReport

SAVED = "saved"
"""Folder of what the page's button saves; the results of whole runs are not replaced by it."""


class BeginAgain(Exception):
    """Somebody has pressed the page's reset: the run begins again from the first frame."""


class RunPage:
    """The page of `ineus run --view`: an onlooker, and the way back to the run.

    Args:
        out: Folder of the run.
        title: What is reconstructed.
    """

    def __init__(self, config: ViewerConfig, out: Path, title: str, device_type: str) -> None:
        """Serve the page, and say where."""
        self._out = out
        self._run: OfflineRun | None = None
        self._is_again = False
        link = RunLink(
            self._call,
            self._set_paused,
            lambda: self._run is not None and self._run.beside.paused,
            self._begin_again,
            self._save,
            lambda: {} if self._run is None else self._run.drops(),
        )
        self._page = LivePage(config, link, title, device_type)
        say_where(self._page)

    @property
    def is_watched(self) -> bool:
        """Whether a browser is open."""
        return self._page.is_watched

    def on_frame(self, frame: "Frame") -> None:
        """Show the newest frame."""
        self._page.on_frame(frame)

    def on_mesh(self, update: "MeshUpdate") -> None:
        """Show what changed."""
        self._page.on_mesh(update)

    def on_report(self, report: "StepReport") -> None:
        """Show the progress."""
        self._page.on_report(report)

    def follow(self, run: OfflineRun) -> None:
        """Belong to a run from now on."""
        if self._run is not None:
            # The page would wait for ever for what the former one was asked for.
            self._run.beside.end()
        self._run, self._is_again = run, False
        self._page.clear()

    def check(self) -> None:
        """Raise `BeginAgain` if somebody has asked for it; to be called between two steps."""
        if self._is_again:
            raise BeginAgain

    def stay(self) -> None:
        """Answer the page until an interrupt ends it."""
        assert self._run is not None
        self._page.end_training()
        print(f"ineus: the page stays at {self._page.url} until Ctrl-C", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            self._run.stay()

    def __enter__(self) -> "RunPage":
        """Keep the page for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the page."""
        self._page.close()

    def _call(self, function: Callable[["Reconstructor"], Any], key: Any) -> "Future[Any]":
        if self._run is None:
            refused: Future[Any] = Future()
            refused.set_exception(RuntimeError("the run has not begun"))
            return refused
        return self._run.beside.call(lambda p: function(p.reconstructor), key)

    def _set_paused(self, is_paused: bool) -> None:
        if self._run is not None:
            (self._run.beside.pause if is_paused else self._run.beside.resume)()

    def _begin_again(self) -> None:
        self._is_again = True
        # A paused run takes no step, and would not come to the check.
        self._set_paused(False)

    def _save(self) -> "Future[str]":
        from ineus_core.meshing import write_mesh

        folder = self._out / SAVED

        def job(pipeline: Pipeline) -> str:
            pipeline.update_mesh(everything=True)
            reconstructor = pipeline.reconstructor
            reconstructor.save(folder / "checkpoint")
            write_mesh(reconstructor.mesh_to_save(), folder / "mesh.ply")
            return f"{folder}: mesh.ply, checkpoint"

        if self._run is None:
            return self._call(lambda _: "", None)
        return self._run.beside.call(job, key="save of the page")


def say_where(page: LivePage) -> None:
    """Print the address of a page."""
    print(f"ineus: live page: {page.url}", file=sys.stderr, flush=True)
