# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows on the terminal: a bar with rate and time left, and a table at the end."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from ineus_core.pipeline import figures_text
from ineus_core.types import StepReport

_BAR_COLUMNS = 16
"""Of a bar, so that what stands beside it has room in 80 columns."""


class RunProgress:
    """A progress bar on stderr for the present phase; without a terminal, a line now and then.

    Args:
        console: Where it is shown.
        period_s: Between two lines.
        now_s: The clock that the time left is told by.
    """

    def __init__(
        self,
        console: Console | None = None,
        period_s: float = 10.0,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the bar."""
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(_BAR_COLUMNS),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[rate]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._now_s, self._period_s = now_s, period_s
        self._phase, self._share, self._rate = "", 0.0, ""
        self._began_s = now_s()
        self._task: TaskID | None = None
        self._ending = threading.Event()
        self._lines = threading.Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> "RunProgress":
        """Show the bar."""
        self._bar.start()
        if not self._console.is_terminal:
            self._lines.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._ending.set()
        self._bar.stop()

    def update(self, phase: str, share: float, report: StepReport | None) -> None:
        """Show the share of a phase that is done; the one before vanishes."""
        if phase != self._phase:
            self._phase, self._began_s = phase, self._now_s()
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(phase, total=1.0, rate="", left="")
        assert self._task is not None
        self._share, self._rate = share, "" if report is None else rate_text(report)
        self._bar.update(self._task, completed=share, rate=self._rate, left=self._left())

    def _left(self) -> str:
        passed_s = self._now_s() - self._began_s
        if not 0 < self._share < 1 or passed_s <= 0:
            return ""
        return f"{duration_text(passed_s * (1 / self._share - 1))} left"

    def _print_lines(self) -> None:
        while not self._ending.wait(self._period_s):
            if self._phase:
                parts = (f"{self._phase} {100 * self._share:.0f} %", self._left(), self._rate)
                self._console.print("ineus: " + ", ".join(filter(None, parts)), markup=False)

    def summary(self, out: Path, report: dict[str, Any]) -> None:
        """Print what came of the run."""
        table = Table(show_header=False)
        held_out = report["held_out"]
        rows = report["input"] | _chosen(report["chosen"])
        rows |= {
            "frames": f"{report['frames_used']} used, {report['frames_dropped']} dropped, "
            f"{report['keyframes']} keyframes",
            "training": f"{report['steps']} steps in {report['wall_s']:.1f} s, "
            f"{report['samples_per_second'] / 1e6:.2f} M samples/s on {report['device']}",
            "mesh": f"{report['mesh']['vertices']:,} vertices, "
            f"{report['mesh']['triangles']:,} triangles, "
            f"voxels of {1e3 * report['mesh']['voxel_size_m']:g} mm",
        }
        if held_out["frames"]:
            rows["held out"] = f"{held_out['frames']} frames: {figures_text(held_out)}"
        rows["written"] = f"{out}/mesh.ply, checkpoint/, renders/, report.json, report.html"
        for name, text in rows.items():
            table.add_row(name, text)
        Console().print(table)


def _chosen(chosen: dict[str, Any]) -> dict[str, str]:
    """Return what the input shows, and the settings that were chosen for it."""
    if not chosen["kind"]:
        return {}
    settings = ", ".join(f"{key}={_short(value)}" for key, value in chosen["settings"].items())
    return {"shows": f"{chosen['kind']}: {settings or 'all is set'}"}


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{','.join(f'{number:g}' for number in value)}]"
    return str(value)


def rate_text(report: StepReport) -> str:
    """Tell the step, and how many samples are trained on in a second."""
    samples, step = report.samples_per_second, f"step {report.step:,}"
    if not samples:
        return step
    million = samples / 1e6
    many = f"{million:.3g} M" if million >= 1 else f"{1e3 * million:.3g} k"
    return f"{step}, {many} samples/s"


def duration_text(seconds: float) -> str:
    """Tell a duration by one or two numbers."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
