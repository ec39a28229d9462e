# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes from where they wait into the map, as many of them as a tick takes."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from ineus_core.pipeline.frame_counts import FrameCounts
from ineus_core.pipeline.keyframe_queue import KeyframeQueue, WaitingFrame
from ineus_core.reconstruction import FrameIntake
from ineus_core.types import Frame

_PASSED_AT_ONCE = 4
"""Frames between keyframes, of which only what they show is taken in, before one of those."""
TAKING_GPU_S, _TAKING_CPU_S = 0.025, 0.4
"""How long a tick takes more than one keyframe, of many that wait online."""
_BRIEF_S = 0.005
"""How long taking keyframes may have taken in a tick that goes on with estimates of depth."""
_STORED_AFTER = 8
"""Ticks after which a keyframe of an offline run is stored that another thread corrects."""


class KeyframeTaker:
    """Lets keyframes wait and hands them over; owned by the thread that ticks.

    Args:
        intake: Where they go.
        queue: Where they wait; others may put.
        counts: Of what becomes of them.
        now_s: The clock that bounds how many a tick takes.
    """

    def __init__(
        self,
        intake: FrameIntake,
        queue: KeyframeQueue,
        counts: FrameCounts,
        now_s: Callable[[], float],
    ) -> None:
        """Begin without a keyframe."""
        self._intake, self._queue, self._counts, self._now_s = intake, queue, counts, now_s
        # A keyframe that is being corrected on another thread.
        self._taking: tuple[Future[bool], WaitingFrame] | None = None
        self._ticks_taking = 0
        self.submitted_s: float | None = None
        """When the newest frame came that was taken since this was set back."""

    def judge(self, frame: Frame) -> None:
        """Let a frame wait if it is needed as a keyframe; from any thread."""
        submitted_s = self._now_s()
        judged = self._intake.judge(frame)
        if judged.frame is None:
            self._counts.add("frames_used")
        self._queue.put(WaitingFrame(judged, submitted_s))

    @property
    def waiting(self) -> int:
        """Keyframes that wait until they are taken."""
        return self._queue.keyframes + (self._taking is not None)

    @property
    def has_waiting(self) -> bool:
        """Whether there is anything to take, be it that frames came which are not needed."""
        return len(self._queue) > 0 or self._taking is not None

    @property
    def is_taking(self) -> bool:
        """Whether a keyframe was begun to be taken."""
        return self._taking is not None

    def take_in_order(self) -> float:
        """Store a keyframe of an offline run at a tick that is always the same; begin the next.

        Returns:
            How long it has taken, s, as do the others.
        """
        begin_s = self._now_s()
        self._ticks_taking += 1
        is_time = self._queue.keyframes > 0 or self._ticks_taking >= _STORED_AFTER
        if self._taking is not None and is_time:
            self._end()
            # Before the next one is corrected, so that a run repeats.
            self._counts.is_good(self._estimate_all)
        waiting = self._next() if self._taking is None else None
        if waiting is not None:
            self._ticks_taking = 0
            self._counts.is_good(partial(self._begin, waiting))
        return self._now_s() - begin_s

    def take_some(self, many: bool) -> float:
        """Take a keyframe, or many: a share of those that wait."""
        begin_s = self._now_s()
        for _ in range(1 + self.waiting // 4 if many else 1):
            self.take_one()
            took_s = self._now_s() - begin_s
            # The next one will need as long as the first.
            if 2 * took_s >= _TAKING_CPU_S:
                break
        return took_s

    def take_beside(self) -> float:
        """Store the keyframe that is corrected by now, and begin with the next one."""
        begin_s = self._now_s()
        while not self._intake.is_correcting:
            if self._taking is not None:
                self._end()
            waiting = self._next()
            if waiting is None:
                break
            self._counts.is_good(partial(self._begin, waiting))
            if self._now_s() - begin_s >= TAKING_GPU_S:
                break
        if self._now_s() - begin_s < _BRIEF_S:
            # One part a tick, as each takes as long as some steps.
            self._counts.is_good(self._intake.go_on_estimating)
        return self._now_s() - begin_s

    def take_one(self) -> None:
        """Hand over the keyframe that has waited longest, and some of what came before it."""
        if self._taking is not None:
            self._end()
            return
        waiting = self._next()
        if waiting is not None:
            is_taken = self._counts.is_good(partial(self._intake.take, waiting.judged))
            self._note(waiting, is_taken)

    def _begin(self, waiting: WaitingFrame) -> None:
        others_wait = self._queue.keyframes > 0
        self._taking = self._intake.begin_taking(waiting.judged, others_wait), waiting

    def _estimate_all(self) -> None:
        while self._intake.go_on_estimating():
            pass

    def _end(self) -> None:
        assert self._taking is not None
        (taking, waiting), self._taking = self._taking, None
        self._note(waiting, self._counts.is_good(partial(self._intake.end_taking, taking)))

    def _next(self) -> WaitingFrame | None:
        """Return the keyframe that has waited longest; take in some of what came before it."""
        passed = 0
        while passed < _PASSED_AT_ONCE and (waiting := self._queue.pop()) is not None:
            judged = waiting.judged
            if judged.frame is not None:
                return waiting
            passed += judged.passing is not None
            # They were counted when they came.
            if self._counts.is_good(partial(self._intake.take, judged)):
                self.submitted_s = waiting.submitted_s
        return None

    def _note(self, waiting: WaitingFrame, is_taken: bool) -> None:
        if is_taken:
            self.submitted_s = waiting.submitted_s
        self._counts.add("frames_used", int(is_taken))
