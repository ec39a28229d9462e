# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Mutated messages, frames and files into everything that takes them: no crash, no hang, no bloat.

Every case runs in a child process that writes its number down first, so that a crash names the
case. An error counts as a right answer if it is a sentence (`IneusError`, or `ValueError` of a
record that refuses a value) or a counted drop. Memory is the peak of one case above what the
process held before, beside that of the largest honest input of its kind.

Run: python benchmarks/fuzz.py [--messages N] [--frames N] [--files N] [--seed S] [--json]
"""

import argparse
import json
import mmap
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
HANG_S, WAIT_S = 5.0, 60.0
"""Most of a case, by the clock of its process and by the wall's."""
CASES_OF_A_CHILD = {"messages": 5_000, "frames": 250, "files": 250}
"""Each begins with seconds of imports, and the memory of many frames is measured more roughly."""
_NONE = (-1).to_bytes(8, "little", signed=True)
LEAST_LIMIT_MB = 64.0
"""Below this, growth is that of caches and of the allocator."""

Run = Callable[[int], str]
"""Runs the case of a number and returns in a word how it ended; what else it raises is a fault."""


@dataclass
class Outcome:
    """What became of the cases of one kind."""

    kind: str
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    honest_mb: float = 0.0
    peak_mb: float = 0.0
    largest: int = 0
    """The case of that peak."""
    slowest_s: float = 0.0


class Hang(BaseException):
    """A case took too long; no `except Exception` may keep it."""


def main() -> int:
    """Run; 1 if any case was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=2_000)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcomes = [
        fuzz(kind, make, getattr(arguments, kind), arguments.seed)
        for kind, make in (
            ("messages", make_messages),
            ("frames", make_frames),
            ("files", make_files),
        )
        if getattr(arguments, kind)
    ]
    if arguments.json:
        print(json.dumps([vars(outcome) for outcome in outcomes]))
    else:
        for outcome in outcomes:
            print_outcome(outcome)
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def print_outcome(outcome: Outcome) -> None:
    """Print a line of figures, how cases ended, and the faults."""
    total = sum(outcome.ended.values())
    print(
        f"{outcome.kind}: {total} cases, {len(outcome.faults)} faults, slowest "
        f"{outcome.slowest_s:.2f} s, memory {outcome.peak_mb:.0f} MB "
        f"(honest {outcome.honest_mb:.0f} MB)"
    )
    for ended, count in outcome.ended.most_common():
        print(f"  {count:7d} {ended}")
    for fault in outcome.faults[:20]:
        print(f"  FAULT {fault}")


def fuzz(
    kind: str, make: Callable[[int, Path], tuple[Run, Run, int]], cases: int, seed: int
) -> Outcome:
    """Run all cases of a kind, a child after the other.

    Args:
        make: From a seed and a folder: runs a mutated case, runs an honest one, and how many
            honest ones there are.
    """
    outcome = Outcome(kind)
    with tempfile.TemporaryDirectory() as folder:
        first = 0
        while first < cases:
            last = min(cases, first + CASES_OF_A_CHILD[kind])
            first = _run_child(outcome, make, seed, Path(folder), first, last)
    limit_mb = max(LEAST_LIMIT_MB, 2.0 * outcome.honest_mb)
    if outcome.peak_mb > limit_mb:
        outcome.faults.append(
            f"case {outcome.largest}: {outcome.peak_mb:.0f} MB, allowed {limit_mb:.0f} MB"
        )
    return outcome


def _run_child(outcome: Outcome, make: Any, seed: int, folder: Path, first: int, last: int) -> int:
    """Run cases in a child; return the first one that is left."""
    shared = mmap.mmap(-1, 8)
    shared[:8] = _NONE
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(make, seed, folder, first, last, shared, sender))
    child.start()
    sender.close()
    while True:
        try:
            number, ended, seconds, peak_mb, fault, honest_mb = receiver.recv()
        except EOFError:
            break
        outcome.ended[ended] += 1
        outcome.honest_mb = max(outcome.honest_mb, honest_mb)
        outcome.slowest_s = max(outcome.slowest_s, seconds)
        if peak_mb > outcome.peak_mb:
            outcome.peak_mb, outcome.largest = peak_mb, number
        if fault:
            outcome.faults.append(fault)
    child.join()
    if child.exitcode == 0:
        return last
    number = int.from_bytes(shared[:8], "little", signed=True)
    if number < 0:
        raise SystemExit(f"fuzz: the child that makes {outcome.kind} ended before its first case")
    outcome.ended["process died"] += 1
    outcome.faults.append(f"case {number}: the process ended with {child.exitcode}")
    return number + 1


def _child(
    make: Any, seed: int, folder: Path, first: int, last: int, shared: mmap.mmap, sender: Any
) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    # The libraries for pictures write what they think of each straight to the terminal.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.signal(signal.SIGPROF, _on_alarm)
    signal.signal(signal.SIGALRM, _on_alarm)
    run, run_honest, honest = make(seed, folder)
    honest_mb = 0.0
    for _ in range(2):
        # The second time it is the input alone, not what it imports and compiles.
        honest_mb = max(_peak_mb(lambda i=i: run_honest(i))[0] for i in range(honest))
    for number in range(first, last):
        shared[:8] = number.to_bytes(8, "little")
        begin_s = time.process_time()
        # Of the processor's time, as the machine may be busy; a wait costs none of it.
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        signal.setitimer(signal.ITIMER_REAL, WAIT_S)
        peak_mb, ended, fault = _peak_mb(lambda n=number: run(n))
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        seconds = time.process_time() - begin_s
        if fault:
            fault = f"case {number}: {fault}"
        sender.send((number, ended, seconds, peak_mb, fault, honest_mb))
    sender.close()
    os._exit(0)


def _on_alarm(*_: object) -> None:
    raise Hang(f"over {HANG_S:g} s of work or {WAIT_S:g} s of waiting")


def _peak_mb(act: Callable[[], str]) -> tuple[float, str, str]:
    """Return the peak of memory above what was held, how a case ended, and its fault if any."""
    from ineus_core.errors import IneusError

    Path("/proc/self/clear_refs").write_text("5")
    before = _status_kb("VmRSS")
    fault = ""
    try:
        ended = act()
    except (IneusError, ValueError) as error:
        ended = type(error).__name__
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        ended, fault = "fault", f"{type(error).__name__}: {str(error)[:160]} at {where}"
    return (_status_kb("VmHWM") - before) / 1024, ended, fault


def _status_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def make_messages(seed: int, folder: Path) -> tuple[Run, Run, int]:
    """Messages of cameras, images and transforms, with mutated fields, through their decoders."""
    from fuzz_messages import Messages

    messages = Messages(seed)
    return messages.run, messages.run_honest, messages.honest


def make_frames(seed: int, folder: Path) -> tuple[Run, Run, int]:
    """Frames as the node accepts them, between good ones, through the pipeline."""
    from fuzz_frames import Frames

    frames = Frames(seed)
    return frames.run, frames.run_honest, frames.honest


def make_files(seed: int, folder: Path) -> tuple[Run, Run, int]:
    """Bags, data sets, meshes and checkpoints with damaged bytes, through their readers."""
    from fuzz_files import Files

    files = Files(seed, folder)
    return files.run, files.run_honest, files.honest


if __name__ == "__main__":
    sys.exit(main())
