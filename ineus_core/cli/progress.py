# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows on the terminal: a bar with rate and time left, and a table at the end."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from ineus_core.cli.run_summary import summary_rows
from ineus_core.types import StepReport

_BAR_COLUMNS = 16
"""Of a bar, so that what stands beside it has room in 80 columns."""


class Compiling(Protocol):
    """Says how long kernels were compiled, which says nothing of how long the rest takes."""

    @property
    def is_running(self) -> bool:
        """Whether something is compiled now."""
        ...

    @property
    def seconds(self) -> float:
        """How long there was something to compile, until now."""
        ...


class _Left(ProgressColumn):
    """The time left as it is now, also while no update comes."""

    def __init__(self, left: Callable[[], str]) -> None:
        super().__init__()
        self._text = left

    def render(self, task: Task) -> Text:
        return Text(self._text())


class RunProgress:
    """A progress bar on stderr for the present phase; without a terminal, a line now and then.

    Args:
        console: Where it is shown.
        period_s: Between two lines.
        now_s: The clock that the time left is told by.
        compiling: Kernels that are compiled meanwhile; None: nobody knows.
    """

    def __init__(
        self,
        console: Console | None = None,
        period_s: float = 10.0,
        now_s: Callable[[], float] = time.monotonic,
        compiling: Compiling | None = None,
    ) -> None:
        """Prepare the bar."""
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(_BAR_COLUMNS),
            TextColumn("{task.percentage:>3.0f} %"),
            _Left(self._left),
            TextColumn("{task.fields[rate]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._now_s, self._period_s = now_s, period_s
        self._phase, self._share, self._rate = "", 0.0, ""
        self._compiling = compiling
        self._began_s, self._compiled_s = now_s(), 0.0
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
            self._compiled_s = self._compile_s()
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(phase, total=1.0, rate="")
        assert self._task is not None
        self._share, self._rate = share, "" if report is None else rate_text(report)
        self._bar.update(self._task, completed=share, rate=self._rate)

    def _compile_s(self) -> float:
        return 0.0 if self._compiling is None else self._compiling.seconds

    def _left(self) -> str:
        if self._compiling is not None and self._compiling.is_running:
            return "compiling kernels"
        # Compiling is over for good: it says nothing of what is left.
        passed_s = self._now_s() - self._began_s - (self._compile_s() - self._compiled_s)
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
        for name, text in summary_rows(out, report).items():
            table.add_row(name, text)
        Console().print(table)


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
