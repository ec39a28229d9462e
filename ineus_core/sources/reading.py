# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames decoded on all cores before they are asked for, in their order and within a bound."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, runtime_checkable

from ineus_core.cores import core_count
from ineus_core.sources.source import Source
from ineus_core.types import Frame

Reading = Callable[[], Frame | None]
"""Decodes one frame; None if it has to be left out."""
Run = Callable[[Iterable[Reading]], Iterator[Frame | None]]
"""Does readings and yields what comes of them, in their order."""

_MOST_BYTES = 512 << 20
_MOST_THREADS = 16


@runtime_checkable
class CanReadAhead(Protocol):
    """A source whose frames can be decoded on several threads at once."""

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields, with the readings done by `run`."""
        ...


def one_by_one(readings: Iterable[Reading]) -> Iterator[Frame | None]:
    """Do each reading when its frame is asked for."""
    return (reading() for reading in readings)


def decoder_threads() -> int:
    """Return how many threads decode: one for each core, but only so many help."""
    return min(core_count(), _MOST_THREADS)


def read_ahead(
    source: Source, threads: int | None = None, most_bytes: int = _MOST_BYTES
) -> Iterator[Frame]:
    """Yield the frames of a source in order, decoded ahead if the source can.

    Args:
        threads: That decode; as many as there are cores if not given.
        most_bytes: That frames which were not asked for yet may take, but for one of them.
    """
    if not isinstance(source, CanReadAhead):
        return iter(source)
    return source.frames(lambda readings: _in_parallel(readings, threads, most_bytes))


def _in_parallel(
    readings: Iterable[Reading], threads: int | None, most_bytes: int
) -> Iterator[Frame | None]:
    threads = threads or decoder_threads()
    ahead: deque[Future[Frame | None]] = deque()
    left = iter(readings)
    # How much memory a frame takes is known when there is one.
    limit = 1
    # Threads suffice, and copy no frames between processes: decoders let go of the interpreter
    # lock.
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ineus-reading")
    try:
        while True:
            while len(ahead) < limit and (reading := next(left, None)) is not None:
                ahead.append(pool.submit(reading))
            if not ahead:
                return
            frame = ahead.popleft().result()
            if frame is not None:
                # Twice the threads: none is idle while the frames that are done wait for their
                # turn.
                limit = min(2 * threads, max(1, most_bytes // frame.bytes))
            yield frame
    finally:
        # Also when the caller stops early and closes this generator: nothing decodes on in vain.
        pool.shutdown(wait=True, cancel_futures=True)
