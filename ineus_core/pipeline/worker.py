# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the pipeline online, and so is the only one to touch the device."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from ineus_core.cores import in_short_turns
from ineus_core.pipeline.loop import Pipeline
from ineus_core.timing import InParts
from ineus_core.types import Frame

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_IDLE_S = 0.1
REQUEST_SHARE = 0.5
"""Most of the time that requests take from training, as long as there is anything to train."""


@dataclass(eq=False)
class _Request:
    """Work beside training, and those who wait for its result."""

    begin: Callable[[Pipeline], InParts[Any]]
    key: Hashable
    futures: list[Future]
    is_short: bool
    """Whether it is done in one part."""
    parts: InParts[Any] | None = None
    """What is left of the work, once it has begun."""

    @property
    def is_wanted(self) -> bool:
        """Whether anyone still waits."""
        return not all(future.cancelled() for future in self.futures)

    def take(self) -> bool:
        """Keep those who still wait, who from now on cannot leave; False if there are none."""
        self.futures = [f for f in self.futures if f.set_running_or_notify_cancel()]
        return bool(self.futures)

    def advance(self, pipeline: Pipeline) -> bool:
        """Do a part; True if it was the last, and those who wait have been told."""
        try:
            if self.parts is None:
                self.parts = self.begin(pipeline)
            next(self.parts)
        except StopIteration as end:
            # Their callbacks publish, here on this thread, so it counts as the request's time.
            for future in self.futures:
                future.set_result(end.value)
        except Exception as error:
            self.fail(error)
        else:
            return False
        return True

    def fail(self, error: BaseException) -> None:
        """Tell those who wait that there is no result."""
        for future in self.futures:
            future.set_exception(error)


def _in_one_part(function: Callable[[Pipeline], _T]) -> Callable[[Pipeline], InParts[_T]]:
    def parts(pipeline: Pipeline) -> InParts[_T]:
        yield from ()
        return function(pipeline)

    return parts


class Worker:
    """Ticks a pipeline; other threads only submit frames and make requests.

    Requests never stop training: after each of them, and after each part of one in parts, the
    pipeline ticks at least once, and for as long as that has taken.

    Args:
        pipeline: A live one, driven by the thread from `start` on; others only submit
            frames to it.
        now_ns: The clock of the stream.
        max_idle_steps: Steps after the last frame before the thread rests until the next one.
        now_s: The clock that requests and ticks are measured by.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        now_ns: Callable[[], int],
        max_idle_steps: int = 20_000,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare the thread."""
        self._pipeline, self._now_ns, self._max_idle_steps = pipeline, now_ns, max_idle_steps
        self._now_s = now_s
        self._requests: deque[_Request] = deque()
        self._begun: _Request | None = None
        self._was_short = False
        self._owed_s = 0.0
        self._has_ticked = True
        self._wake = threading.Condition()
        self._stopping = False
        self._paused = False
        self._idle_steps = 0
        self._thread = self._new_thread()
        self.ticks = 0
        """Ticks so far, for others to see whether training goes on."""
        self.error: BaseException | None = None
        """Why the thread died, if it did."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def restart(self) -> None:
        """Begin anew, without the map, if the thread has died; else do nothing."""
        with self._wake:
            if self.error is None:
                return
        # It has told why, and so is about to end.
        self._thread.join()
        with self._wake:
            self.error, self._stopping = None, False
            self._owed_s, self._has_ticked, self._idle_steps = 0.0, True, 0
            # What holds memory of the device is given back before anything new takes some.
            self._pipeline.clear()
            self._pipeline.reconstructor.reset()
            self._thread = self._new_thread()
            self._thread.start()

    def stop(self, timeout_s: float | None = 10.0) -> bool:
        """Ask the thread to end after its present step, and wait; False if it did not in time.

        Args:
            timeout_s: None: for however long it takes.
        """
        with self._wake:
            self._stopping = True
            self._wake.notify()
        # One that was never started cannot be joined.
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def paused(self) -> bool:
        """Whether training rests; keyframes then wait, as far as there is room for them."""
        return self._paused

    @property
    def frames_waiting(self) -> int:
        """Keyframes that training has not taken yet."""
        return self._pipeline.waiting

    @property
    def requests_waiting(self) -> int:
        """Requests that have not begun; one at a time does."""
        return len(self._requests)

    def pause(self) -> None:
        """Rest after the present step."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        with self._wake:
            self._paused = False
            self._wake.notify()

    def submit(self, frame: Frame) -> None:
        """Have a frame judged, here and now, and let it wait if it is needed."""
        if self._stopping:
            self._pipeline.refuse()
            return
        self._pipeline.submit(frame)
        with self._wake:
            self._idle_steps = 0
            self._wake.notify()

    def call(self, function: Callable[[Pipeline], _T], key: Hashable = None) -> "Future[_T]":
        """Request that a function is run on the worker's thread, between two ticks.

        A request that all its askers have cancelled before its turn is not run.

        Args:
            key: Names what is asked for: while one of the same key has not begun, the function is
                run once for both. None is equal to nothing.
        """
        return self._add(_in_one_part(function), key, is_short=True)

    def call_in_parts(
        self, begin: Callable[[Pipeline], InParts[_T]], key: Hashable = None
    ) -> "Future[_T]":
        """Request work whose parts are done between ticks, as `call` does for work in one part.

        One at a time has begun, as many at once would take much memory; requests in one part are
        answered between its parts.
        """
        return self._add(begin, key, is_short=False)

    def _add(
        self, begin: Callable[[Pipeline], InParts[_T]], key: Hashable, is_short: bool
    ) -> "Future[_T]":
        future: Future[_T] = Future()
        with self._wake:
            if self._stopping:
                future.set_exception(self._why_not())
                return future
            # What nobody waits for any more may hold large arrays until its turn would come.
            self._requests = deque(filter(lambda request: request.is_wanted, self._requests))
            same = (r for r in self._requests if key is not None and r.key == key)
            request = next(same, None)
            if request is None:
                self._requests.append(_Request(begin, key, [future], is_short))
            else:
                request.futures.append(future)
            self._wake.notify()
        return future

    def _new_thread(self) -> threading.Thread:
        # Each call to the device gives the interpreter to other threads, such as a node's.
        return threading.Thread(
            target=in_short_turns, args=(self._run,), name="ineus-worker", daemon=True
        )

    def _run(self) -> None:
        try:
            while not self._stopping:
                rests = self._paused or not self._has_work()
                if rests or (self._has_ticked and self._owed_s <= 0.0):
                    self._answer_one()
                if rests:
                    self._rest()
                else:
                    self._tick()
        # Of any kind: a thread that ended in silence would leave all others waiting.
        except BaseException as error:
            self.error = error
            _LOG.exception("the worker died")
        finally:
            with self._wake:
                self._stopping = True
                while request := self._next_request():
                    request.fail(self._why_not())

    def _why_not(self) -> RuntimeError:
        """Return why nothing is answered any more."""
        if self.error is None:
            return RuntimeError("the worker has stopped")
        return RuntimeError(f"the worker has stopped: it died of {self.error!r}; reset it first")

    def _tick(self) -> None:
        begin_s = self._now_s()
        self._pipeline.tick(self._now_ns())
        self._owed_s = max(0.0, self._owed_s - (self._now_s() - begin_s))
        self._has_ticked = True
        self.ticks += 1

    def _rest(self) -> None:
        with self._wake:
            is_called = self._requests or self._begun or self._stopping
            if not is_called and (self._paused or not self._pipeline.has_waiting):
                self._wake.wait(_IDLE_S)

    def _answer_one(self) -> None:
        with self._wake:
            request = self._next_request()
        if request is None:
            return
        begin_s = self._now_s()
        if not request.advance(self._pipeline):
            self._begun = request
        # What training gets before the next one, by the shares of both.
        self._owed_s = (self._now_s() - begin_s) * (1.0 / REQUEST_SHARE - 1.0)
        self._has_ticked = False

    def _next_request(self) -> _Request | None:
        """Take the oldest that is waited for; of one that has begun and short ones in turn."""
        begun = self._begun
        if begun is not None and self._was_short:
            self._begun, self._was_short = None, False
            return begun
        self._was_short = begun is not None
        for request in list(self._requests):
            if begun is not None and not request.is_short:
                continue
            self._requests.remove(request)
            if request.take():
                return request
        self._begun, self._was_short = None, False
        return begun

    def _has_work(self) -> bool:
        with self._wake:
            if self._pipeline.has_waiting:
                return True
            # A robot that stands still must not heat the room for ever.
            self._idle_steps += self._pipeline.steps_per_tick
            is_recent = self._idle_steps <= self._max_idle_steps
        return is_recent and self._pipeline.reconstructor.is_ready
