# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Signals that end a run: what it has learnt is kept, and what it leaves is said."""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from ineus_core.reconstruction import Reconstructor

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KEPT = "interrupted"
"""Name of the checkpoint of a run that was ended; those of whole runs are not replaced by it."""
_WITH_STEPS = {"reading", "streaming", "refining"}
_AFTER_STEPS = {"meshing", "measuring", "writing"}


class Interrupted(BaseException):
    """A signal has ended the run; no `except Exception` may keep it."""

    def __init__(self, number: int) -> None:
        """Name the signal."""
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)

    @property
    def exit_code(self) -> int:
        """As a shell gives it for a signal."""
        return 128 + self.signal


class Interruption:
    """Ends a run on a signal: between two steps while there are any, else at once.

    A second signal does not wait for the end of a step.

    Args:
        out: Folder that the run writes to.
    """

    def __init__(self, out: Path) -> None:
        """Note what is in the folder before the run."""
        self._out = out
        self._before = _ages(out)
        self._signal: int | None = None
        self._reconstructor: Reconstructor | None = None
        self._steps_before = 0
        self._phase = ""
        self._is_within_a_step = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Listen to signals; those that were ignored, as under `nohup`, still are."""
        # Python lets no other thread listen, as where a program calls the command line.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        found = {number: signal.getsignal(number) for number in ENDING}
        before = {
            # None is a handler that was set outside of Python, which could not be set back.
            number: how
            for number, how in found.items()
            if how not in (signal.SIG_IGN, None)
        }
        try:
            for number in before:
                signal.signal(number, self._on_signal)
            yield
        finally:
            for number, how in before.items():
                signal.signal(number, how)

    def watch(self, reconstructor: "Reconstructor") -> None:
        """Know whose steps are to be kept; a resumed run has some already."""
        self._reconstructor, self._steps_before = reconstructor, reconstructor.steps

    def enter(self, phase: str) -> None:
        """Go on with a phase; to be called between steps.

        Raises:
            Interrupted: There was a signal meanwhile.
        """
        self._phase, self._is_within_a_step = phase, False
        if self._signal is not None:
            raise Interrupted(self._signal)

    def keep(self) -> None:
        """Save the field beside the results of whole runs, if it learnt anything since."""
        made = self._reconstructor
        is_saved = "checkpoint" in self._written()
        if made is None or made.steps == self._steps_before or is_saved or self._is_within_a_step:
            return
        made.save(self._out / KEPT)

    def forget(self) -> None:
        """Remove what an ended run had kept, now that a whole one has written all."""
        shutil.rmtree(self._out / KEPT, ignore_errors=True)

    def sentence(self, error: Interrupted) -> str:
        """Say what ended the run, after how many steps, and what it leaves."""
        made = self._reconstructor
        steps = 0 if made is None else made.steps - self._steps_before
        written = self._written()
        older = sorted(name for name in _ages(self._out) if name not in written)
        text = f"{error.signal.name} has ended the run after {steps} steps; "
        text += f"written to {self._out}: {', '.join(written) or 'nothing'}"
        text += f"; as before the run: {', '.join(older)}" if older else ""
        if KEPT in written:
            text += f"; go on with --resume {self._out / KEPT}"
        return text

    def _on_signal(self, number: int, _: "FrameType | None") -> None:
        is_first, self._signal = self._signal is None, number
        if is_first and self._phase in _WITH_STEPS:
            return
        # Half a step leaves parameters that belong to no step, which are not worth keeping.
        self._is_within_a_step = self._phase not in _AFTER_STEPS
        raise Interrupted(number)

    def _written(self) -> list[str]:
        ages = _ages(self._out)
        return sorted(name for name, age in ages.items() if self._before.get(name) != age)


def _ages(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what tells the version of each file and folder in a folder."""
    if not folder.is_dir():
        return {}
    # Names with a dot in front are of what is still being written.
    found = {path.name: path.stat() for path in folder.iterdir() if path.name[0] != "."}
    # Results take their place by a rename: another inode, even within one tick of the clock.
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in found.items()}
