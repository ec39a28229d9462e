# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What other threads ask of an offline run: calls that it makes between two steps."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ineus_core.pipeline.worker import REQUEST_SHARE

_Owner = TypeVar("_Owner")
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Request(Generic[_Owner]):
    """Work beside training, and those who wait for its result."""

    function: Callable[[_Owner], Any]
    key: Hashable
    futures: list[Future]

    @property
    def is_wanted(self) -> bool:
        """Whether anyone still waits."""
        return not all(future.cancelled() for future in self.futures)


class Requests(Generic[_Owner]):
    """Requests in the order in which they came, and whether training has had its turn since.

    They are made by any thread, and answered by the one that trains.

    Args:
        now_s: The clock that requests are measured by.
    """

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        """Begin without any."""
        self._now_s = now_s
        self._waiting: deque[_Request[_Owner]] = deque()
        self._lock = threading.Lock()
        self._owed_s = 0.0
        self._has_trained = True
        self._end: Exception | None = None

    @property
    def is_due(self) -> bool:
        """Whether training has had a step, and as long as the last request took."""
        return self._has_trained and self._owed_s <= 0.0

    def add(self, function: Callable[[_Owner], _T], key: Hashable = None) -> "Future[_T]":
        """Request that a function is called with the owner; see `Worker.call`."""
        future: Future[_T] = Future()
        with self._lock:
            if self._end is not None:
                future.set_exception(self._end)
                return future
            # What nobody waits for any more may hold large arrays until its turn would come.
            self._waiting = deque(filter(lambda request: request.is_wanted, self._waiting))
            same = (r for r in self._waiting if key is not None and r.key == key)
            request = next(same, None)
            if request is None:
                self._waiting.append(_Request(function, key, [future]))
            else:
                request.futures.append(future)
        return future

    def answer_one(self, owner: _Owner) -> bool:
        """Answer the oldest one that somebody waits for; False if there is none."""
        function, futures = self._take()
        if function is None:
            return False
        begin_s = self._now_s()
        try:
            result = function(owner)
        except Exception as error:
            for future in futures:
                future.set_exception(error)
        else:
            # Their callbacks publish, here on this thread, so it counts as the request's time.
            for future in futures:
                future.set_result(result)
        # Training gets its share of the time afterwards, whatever the request has taken.
        self._owed_s = (self._now_s() - begin_s) * (1.0 / REQUEST_SHARE - 1.0)
        self._has_trained = False
        return True

    def after_training(self, seconds: float) -> None:
        """Count the time of a step or a tick towards what is owed to training."""
        self._owed_s = max(0.0, self._owed_s - seconds)
        self._has_trained = True

    def refuse(self, why: Exception) -> None:
        """Fail all that wait, and all that are made from now on."""
        with self._lock:
            self._end = why
        # Outside of the lock: callbacks of a future may make requests.
        while futures := self._take()[1]:
            for future in futures:
                future.set_exception(why)

    def _take(self) -> tuple[Callable[[_Owner], Any] | None, list[Future]]:
        """Take the oldest request that somebody waits for, and those who do."""
        with self._lock:
            while self._waiting:
                request = self._waiting.popleft()
                futures = [f for f in request.futures if f.set_running_or_notify_cancel()]
                if futures:
                    return request.function, futures
        return None, []
