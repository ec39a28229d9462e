# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""CPU kernels compiled by other processes, into numba's folder on disk, before they are needed.

Other processes do it, as a compilation by numba holds the interpreter's lock. This one waits for
none of them: what it needs before it is there it compiles itself.
"""

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import TextIO

from numba.core import event

from ineus_core.cores import core_count
from ineus_core.kernels.compile_time import COMPILE
from ineus_core.kernels.jit import are_kept
from ineus_core.kernels.small_calls import LATER, SMALL_CALLS

_LOG = logging.getLogger(__name__)
_MOST_PROCESSES = 4
# At a low priority from the first import on, as nobody waits for it.
_PROGRAM = f"import os; os.nice(5); from {__name__} import main; main()"

Call = tuple[str, int]
"""An operator, and the number of one of its small calls."""


class CompilingAhead:
    """Processes that compile what some small calls need, each its share of the calls.

    Args:
        calls: In the order in which they are needed.
        processes: How many share them.
    """

    def __init__(self, calls: Sequence[Call], processes: int) -> None:
        """Start them."""
        self._children = [_started(calls[first::processes]) for first in range(processes)]
        self._listener = _Listener(self)
        event.register(COMPILE, self._listener)
        atexit.register(self.stop)
        self._thread = threading.Thread(target=self._watch, name="compiling ahead", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Let them go on from the other end, as this process compiles itself by now.

        Else they would compile the same as it does, at the same time.
        """
        for child in self._children:
            assert child.stdin is not None
            child.stdin.close()

    def wait(self) -> None:
        """Wait until all is compiled."""
        self._thread.join()

    def stop(self) -> None:
        """End them."""
        for child in self._children:
            child.terminate()
        self.wait()

    def _watch(self) -> None:
        ends = [child.wait() for child in self._children]
        event.unregister(COMPILE, self._listener)
        atexit.unregister(self.stop)
        self.hurry()
        if any(end > 0 for end in ends):
            _LOG.info("CPU kernels could not all be compiled ahead; the rest is when it is needed")


def start(operators: Iterable[str], processes: int | None = None) -> CompilingAhead | None:
    """Begin to compile what operators need; None if there is nothing to do. Load what is on disk.

    Args:
        processes: At most so many; unless given, one for each core beside that of this process.
    """
    if processes is None:
        processes = min(core_count() - 1, _MOST_PROCESSES)
    if processes < 1:
        return None
    missing = load(operators)
    # What another process compiles is found on disk or not at all. Asked for by now, as only the
    # calls have imported the kernels.
    if not missing or not are_kept():
        return None
    return CompilingAhead(missing, min(processes, len(missing)))


def load(operators: Iterable[str]) -> list[Call]:
    """Load what is on disk of what operators need, and return what is not."""
    wanted = set(operators)
    calls = [
        (operator, number)
        for operator, each in SMALL_CALLS.items()
        for number in range(len(each))
        if operator in wanted
    ]
    return [call for call in calls if not _is_compiled(call)]


def _is_compiled(call: Call) -> bool:
    """Tell whether all that a small call needs is loaded or on disk; load it."""
    try:
        with event.install_listener(COMPILE, _Refusal()):
            _do(call)
    except _NotCompiledError:
        return False
    return True


def _do(call: Call) -> None:
    operator, number = call
    SMALL_CALLS[operator][number]()


class _NotCompiledError(Exception):
    """What is asked for would have to be compiled."""


class _Refusal(event.Listener):
    """Lets no compilation begin in the thread that made it."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def on_start(self, event: event.Event) -> None:
        if threading.get_ident() == self._thread:
            raise _NotCompiledError

    def on_end(self, event: event.Event) -> None:
        pass


class _Listener(event.Listener):
    """Hears of the first compilation in this process."""

    def __init__(self, ahead: CompilingAhead) -> None:
        self._ahead = ahead

    def on_start(self, event: event.Event) -> None:
        self._ahead.hurry()

    def on_end(self, event: event.Event) -> None:
        pass


def _started(calls: Sequence[Call]) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        # Theirs is the same code, also where this process has found it in a way of its own.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
    }
    # Not in this one's group: an interrupt from the keyboard is for this one, which ends them.
    child = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    assert child.stdin is not None
    child.stdin.write(json.dumps(calls) + "\n")
    child.stdin.flush()
    return child


def compile_in_turn(calls: Sequence[Call], other_process: TextIO) -> None:
    """Compile what calls need, from the first one on, as long as the parent of this process lives.

    Args:
        other_process: Ends when that process compiles itself; then from the last one on, but for
            those that have time.
    """
    parent = os.getppid()
    later = [call for call in calls if call[0] in LATER]
    for left in ([call for call in calls if call not in later], later):
        while left and os.getppid() == parent:
            is_behind = bool(select.select([other_process], [], [], 0)[0])
            _do(left.pop(-1 if is_behind else 0))


def main() -> None:
    """Compile what is asked for by the first line of the standard input."""
    compile_in_turn(json.loads(sys.stdin.readline()), sys.stdin)
