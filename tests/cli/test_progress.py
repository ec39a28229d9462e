# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows on the terminal, and without one."""

import io
import threading

import pytest
from rich.console import Console

from ineus_core.cli.progress import RunProgress, duration_text, rate_text
from ineus_core.types import StepReport


def report(samples_per_second: float = 56.7e6) -> StepReport:
    return StepReport(123_456, 0, {}, {}, 1.0, samples_per_second, 0.0, 9)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_rate_and_time_left_are_readable_at_80_columns() -> None:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, width=80, force_terminal=True)
    with RunProgress(console, now_s=clock) as progress:
        progress.update("streaming", 0.0, None)
        clock.now_s = 1000.0
        progress.update("streaming", 0.25, report())
    seen = out.getvalue()
    assert "50 min 00 s left" in seen and "step 123,456, 56.7 M samples/s" in seen
    assert "…" not in seen and "25 %" in seen


class Compiling:
    """Compiled for 90 s of the first 100."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def is_running(self) -> bool:
        return 5.0 <= self._clock.now_s < 95.0

    @property
    def seconds(self) -> float:
        return min(max(self._clock.now_s - 5.0, 0.0), 90.0)


def test_time_that_kernels_compile_is_said_and_tells_nothing_of_what_is_left() -> None:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, width=80, force_terminal=True)
    with RunProgress(console, now_s=clock, compiling=Compiling(clock)) as progress:
        progress.update("streaming", 0.0, None)
        clock.now_s = 50.0
        progress.update("streaming", 0.01, report())
        said = progress._left()
        clock.now_s = 100.0
        progress.update("streaming", 0.1, report())
    # A tenth took 10 s without compiling.
    assert said == "compiling kernels"
    assert "90 s left" in out.getvalue()


def test_a_finished_phase_vanishes() -> None:
    out = io.StringIO()
    with RunProgress(Console(file=out, width=80, force_terminal=True)) as progress:
        progress.update("streaming", 1.0, report())
        progress.update("measuring", 0.0, None)
    last = out.getvalue().rpartition("measuring")
    assert last[1] and "streaming" not in last[2]
    # What was there is erased as well when all is done.
    assert out.getvalue().endswith("\x1b[2K") or "\x1b[1A" in out.getvalue()


class Lines(io.StringIO):
    """Says when something has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        if "\n" in text:
            self.written.set()
        return count


def test_without_a_terminal_lines_tell_how_far_it_is() -> None:
    out, clock = Lines(), Clock()
    with RunProgress(Console(file=out, width=80), period_s=0.01, now_s=clock) as progress:
        progress.update("refining", 0.0, None)
        clock.now_s = 30.0
        progress.update("refining", 0.5, report(4200.0))
        # The first line may have been begun before the update.
        for _ in range(2):
            out.written.clear()
            assert out.written.wait(60.0)
    lines = out.getvalue().splitlines()
    assert "ineus: refining 50 %, 30 s left, step 123,456, 4.2 k samples/s" in lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (125, "2 min 05 s"), (7300, "2 h 01 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_rate_is_left_out_while_there_is_none() -> None:
    assert rate_text(report(0.0)) == "step 123,456"
