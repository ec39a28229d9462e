# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the pipeline online, and so is the only one to touch the device."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ineus_core.pipeline.loop import Pipeline
from ineus_core.types import Frame

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_IDLE_S = 0.1


class Worker:
    """Ticks a pipeline; other threads only submit frames and ask for calls.

    Args:
        pipeline: Driven by the thread from `start` on, and touched by nobody else.
        now_ns: The clock of the stream.
        max_idle_steps: Steps after the last frame before the thread rests until the next one.
    """

    def __init__(
        self, pipeline: Pipeline, now_ns: Callable[[], int], max_idle_steps: int = 20_000
    ) -> None:
        """Prepare the thread."""
        self._pipeline, self._now_ns, self._max_idle_steps = pipeline, now_ns, max_idle_steps
        pipeline.is_live = True
        self._frames: deque[Frame] = deque()
        self._overwritten = 0
        self._calls: deque[tuple[Callable[[Pipeline], object], Future]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._paused = False
        self._idle_steps = 0
        self._thread = threading.Thread(target=self._run, name="ineus-worker", daemon=True)
        self.error: BaseException | None = None
        """Why the thread died, if it did."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Ask the thread to end after its present step, and wait; False if it did not in time."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def paused(self) -> bool:
        """Whether training rests; frames are then dropped and counted by the bounded queue."""
        return self._paused

    def pause(self) -> None:
        """Rest after the present step."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        with self._wake:
            self._paused = False
            self._wake.notify()

    def submit(self, frame: Frame) -> None:
        """Hand over a frame; never blocks for long. In a busy thread, the oldest make room."""
        with self._wake:
            if self._stopping:
                return
            if len(self._frames) >= self._pipeline.capacity:
                self._frames.popleft()
                self._overwritten += 1
            self._frames.append(frame)
            self._wake.notify()

    def call(self, function: Callable[[Pipeline], _T]) -> "Future[_T]":
        """Run a function on the worker's thread between two ticks."""
        future: Future[_T] = Future()
        with self._wake:
            if self._stopping:
                future.set_exception(RuntimeError("the worker has stopped"))
                return future
            self._calls.append((function, future))
            self._wake.notify()
        return future

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._hand_over()
                self._answer_calls()
                if self._paused or not self._has_work():
                    with self._wake:
                        if not (self._frames or self._calls or self._stopping):
                            self._wake.wait(_IDLE_S)
                    continue
                self._pipeline.tick(self._now_ns())
        except BaseException as error:
            self.error = error
            _LOG.exception("the worker died")
        finally:
            with self._wake:
                self._stopping = True
                for _, future in self._calls:
                    if future.set_running_or_notify_cancel():
                        future.set_exception(RuntimeError("the worker has stopped"))
                self._calls.clear()

    def _hand_over(self) -> None:
        with self._wake:
            frames, self._frames = self._frames, deque()
            overwritten, self._overwritten = self._overwritten, 0
        self._pipeline.count_dropped(overwritten)
        for frame in frames:
            self._pipeline.submit(frame)
            self._idle_steps = 0

    def _answer_calls(self) -> None:
        while self._calls:
            function, future = self._calls.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(self._pipeline))
            except Exception as error:
                future.set_exception(error)

    def _has_work(self) -> bool:
        if self._pipeline.waiting:
            return True
        # A robot that stands still must not heat the room for ever.
        self._idle_steps += self._pipeline.steps_per_tick
        return self._pipeline.reconstructor.is_ready and self._idle_steps <= self._max_idle_steps
