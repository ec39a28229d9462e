# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The clock that is waited by, work in parts, named timers and counters.

A GPU stage is timed by events, so that timing it does not wait for it.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

_T = TypeVar("_T")
InParts = Generator[None, None, _T]
"""Work that pauses after each part but the last, for other work, and returns the result."""


def at_once(parts: InParts[_T]) -> _T:
    """Do all parts, one after the other, and return the result."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True)
class Clock:
    """What time is told and waited by."""

    now_s: Callable[[], float] = time.perf_counter
    sleep_s: Callable[[float], object] = time.sleep

    def sleep_until(self, due_s: float) -> None:
        """Wait for a moment, unless it has passed."""
        left_s = due_s - self.now_s()
        if left_s > 0:
            self.sleep_s(left_s)


WALL_CLOCK = Clock()


class Patience:
    """Rests from work that was in vain; by counting, so that a run repeats.

    Args:
        tries: In a row and in vain, after which it rests.
        rests: Times that it then leaves out.
    """

    def __init__(self, tries: int, rests: int) -> None:
        """Begin with all tries left."""
        self._tries, self._rests = tries, rests
        self._in_vain = self._at_rest = 0

    def goes_on(self) -> bool:
        """Whether to work this time; asked once each time."""
        if self._at_rest > 0:
            self._at_rest -= 1
            return False
        return True

    def tell(self, was_in_vain: bool) -> bool:
        """Say what came of work; True if it rests from now on."""
        self._in_vain = self._in_vain + 1 if was_in_vain else 0
        if self._in_vain < self._tries:
            return False
        self._in_vain, self._at_rest = 0, self._rests
        return True


class Pace:
    """Keeps the host from running far ahead of a GPU: what comes next would wait for it all.

    Args:
        device: Where the steps run; nothing is ever awaited on a CPU.
        steps: Steps between marks; at most two marks' worth are under way.
    """

    def __init__(self, device: torch.device, steps: int = 4) -> None:
        """Start with nothing under way."""
        self._is_on = device.type == "cuda"
        self._steps, self._since = steps, 0
        self._marks: deque[torch.cuda.Event] = deque()

    def after_step(self) -> None:
        """Note a step, and wait for an older one if too many are under way."""
        self._since += 1
        if not self._is_on or self._since < self._steps:
            return
        self._since = 0
        # A blocking event leaves the core to others while it waits.
        mark = torch.cuda.Event(blocking=True)
        mark.record()
        self._marks.append(mark)
        if len(self._marks) > 2:
            self._marks.popleft().synchronize()


class TimeShare:
    """Keeps work that comes again and again to a share of the time.

    Time that was not used is kept for a while, so that work may come in bursts.

    Args:
        share: 0 to 1, above 0; 1 is no limit.
        now_s: The clock.
    """

    _LONGEST_S = 2.0
    """Of work that counts: what compiles once takes longer, and never again."""
    _KEPT_S = 0.5
    """Of time that was not used."""

    def __init__(self, share: float, now_s: Callable[[], float] = time.perf_counter) -> None:
        """Be due at once."""
        self._share, self._now_s = share, now_s
        self._left_s, self._at_s = self._KEPT_S, now_s()

    def part(self, share: float) -> "TimeShare":
        """Return a limit of its own, of so much of this one's share."""
        return TimeShare(share * self._share, self._now_s)

    def is_due(self) -> bool:
        """Tell whether there is time left."""
        now_s = self._now_s()
        gained_s = self._share * (now_s - self._at_s)
        self._left_s, self._at_s = min(self._left_s + gained_s, self._KEPT_S), now_s
        return self._share == 1.0 or self._left_s > 0

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Note how long the block takes."""
        begin_s = self._now_s()
        try:
            yield
        finally:
            self._left_s -= min(self._now_s() - begin_s, self._LONGEST_S)


class Timers:
    """Wall time and calls per stage name; on a GPU, stages are bracketed by CUDA events.

    Args:
        device: Where the stages run.
    """

    def __init__(self, device: torch.device) -> None:
        """Start with no stage."""
        self._uses_events = device.type == "cuda"
        self._total_ms: dict[str, float] = defaultdict(float)
        self._calls: Counter[str] = Counter()
        self._pending: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        self._calls[name] += 1
        if self._uses_events:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            try:
                yield
            finally:
                end.record()
                self._pending.append((name, start, end))
            return
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._total_ms[name] += 1e3 * (time.perf_counter() - begin)

    def take_means_ms(self) -> dict[str, float]:
        """Return mean milliseconds a call by stage since the last take; wait for the GPU once."""
        # Events of one stream come in their order: with the last one all are there.
        if self._pending:
            self._pending[-1][2].synchronize()
        for name, start, end in self._pending:
            self._total_ms[name] += start.elapsed_time(end)
        means = {name: self._total_ms[name] / calls for name, calls in self._calls.items()}
        self._pending.clear()
        self._total_ms.clear()
        self._calls.clear()
        return means


def peak_memory_mb(device: torch.device) -> dict[str, float]:
    """Return the most memory so far, of the process and of what torch has held on a GPU."""
    import resource

    memory = {
        # Linux has kilobytes here.
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_gpu_mb": 0.0,
    }
    if device.type == "cuda":
        memory["peak_gpu_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
    return memory
