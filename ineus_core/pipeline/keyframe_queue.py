# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Judged frames on their way to the thread that owns the device; only keyframes take room."""

import threading
from collections import deque
from dataclasses import dataclass, replace

from ineus_core.reconstruction import JudgedFrame
from ineus_core.types import Frame

_MOST_PASSING = 32
"""Frames that wait between keyframes, for what they show; of others only the stamp is kept."""


@dataclass(frozen=True)
class WaitingFrame:
    """A judged frame, and when it came."""

    judged: JudgedFrame
    submitted_s: float


class KeyframeQueue:
    """Holds frames in their order; threads put them and one takes them.

    Args:
        most_bytes: Memory of the keyframes that wait.
    """

    def __init__(self, most_bytes: int) -> None:
        """Begin empty."""
        self._most_bytes, self._bytes, self._passing = most_bytes, 0, 0
        self._frames: deque[WaitingFrame] = deque()
        self._lock = threading.Lock()
        self.keyframes = 0
        """Keyframes that wait."""

    def __len__(self) -> int:
        """Return how many entries wait, of keyframes and of what came between them."""
        return len(self._frames)

    def has_room_for(self, frame: Frame) -> bool:
        """Decide whether a frame may be put; into a queue without keyframes any may."""
        # One that is larger than all of the room would else never be taken.
        return self.keyframes == 0 or self._bytes + frame.bytes <= self._most_bytes

    def put(self, waiting: WaitingFrame) -> None:
        """Let a frame wait; of frames in a row with nothing to take, only the newest is kept."""
        with self._lock:
            if self._passing >= _MOST_PASSING:
                waiting = replace(waiting, judged=replace(waiting.judged, passing=None))
            if self._frames and _has_nothing(waiting) and _has_nothing(self._frames[-1]):
                self._frames.pop()
            self._frames.append(waiting)
            self._note(waiting, 1)

    def pop(self) -> WaitingFrame | None:
        """Take the frame that has waited longest; None if none does."""
        with self._lock:
            if not self._frames:
                return None
            waiting = self._frames.popleft()
            self._note(waiting, -1)
            return waiting

    def clear(self) -> int:
        """Forget all; how many keyframes they were."""
        with self._lock:
            forgotten, self.keyframes, self._bytes, self._passing = self.keyframes, 0, 0, 0
            self._frames.clear()
            return forgotten

    def _note(self, waiting: WaitingFrame, sign: int) -> None:
        frame = waiting.judged.frame
        if frame is not None:
            self.keyframes += sign
            self._bytes += sign * frame.bytes
        elif waiting.judged.passing is not None:
            self._passing += sign


def _has_nothing(waiting: WaitingFrame) -> bool:
    return waiting.judged.frame is None and waiting.judged.passing is None
