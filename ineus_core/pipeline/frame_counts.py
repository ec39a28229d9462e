# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the frames: used, dropped, and why; no frame ends the loop."""

import logging
import threading
from collections import Counter
from collections.abc import Callable

from ineus_core.errors import CapacityError, SourceError

_LOG = logging.getLogger(__name__)
_MOST_REASONS = 64
FRAMES = ("frames_in", "frames_used", "frames_dropped")
"""The counters that are there from the beginning; all others are reasons of drops."""


class FrameCounts:
    """Counts frames from any thread.

    Args:
        is_ready: Whether there is a map; without one what finds no memory is not a frame's fault.
    """

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        """Begin with none."""
        self._is_ready, self._lock = is_ready, threading.Lock()
        self.counters: Counter[str] = Counter(dict.fromkeys(FRAMES, 0))

    def add(self, name: str, frames: int = 1) -> None:
        """Count frames of one kind."""
        with self._lock:
            self.counters[name] += frames

    def drop(self, reason: str) -> bool:
        """Count a frame that is not used; True if it is the first for this reason."""
        with self._lock:
            self.counters["frames_dropped"] += 1
            # Reasons may name numbers of their frames: only so many are told apart.
            if reason not in self.counters and len(self.counters) >= _MOST_REASONS:
                reason = "refused: for other reasons"
            self.counters[reason] += 1
            return self.counters[reason] == 1

    def is_good(self, work: Callable[[], object]) -> bool:
        """Do something with a frame; one that it fails with is dropped and counted.

        Raises:
            CapacityError: There was no room for it, nor is there a map yet.
        """
        try:
            work()
        except (SourceError, CapacityError) as error:
            # What cannot even begin, as with too little memory, is not the fault of a frame.
            if isinstance(error, CapacityError) and not self._is_ready():
                raise
            # Cut off, as a reason becomes the name of a counter.
            self.drop(f"refused: {error}"[:80])
            return False
        # No frame ends the loop, also for a reason that nobody has thought of.
        except Exception as error:
            if self.drop(f"failed: {type(error).__name__}: {error}"[:80]):
                _LOG.exception("a frame is dropped; others like it are only counted")
            return False
        return True
