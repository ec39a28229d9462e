# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Questions to the thread that trains, so seldom that training does not feel them."""

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from ineus_core.reconstruction import Reconstructor

_T = TypeVar("_T")
_SHARE = 0.01
"""Most of the time that answers may take which only follow the training."""


class Ask(Generic[_T]):
    """Has one question at a time answered, anew when somebody wishes or the map has changed.

    A new wish is asked at once; the same one again when the map has changed, and only after a
    hundred times as long as the last answer took.

    Args:
        call: Requests that a function is called between two steps.
        key: Joins equal questions.
        now_s: The clock.
    """

    def __init__(
        self,
        call: Callable[[Callable[[Reconstructor], Any], Any], "Future[Any]"],
        key: Hashable,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Ask nothing yet."""
        self._call, self._key, self._now_s = call, key, now_s
        self._future: Future[tuple[_T, float]] | None = None
        self._wish: Hashable = None
        self._version: Hashable = None
        self._not_before_s = 0.0

    def poll(
        self, wish: Hashable, version: Hashable, question: Callable[[Reconstructor], _T]
    ) -> _T | None:
        """Return the answer once, when it is there; to be called again and again.

        Args:
            wish: What is wanted; never None.
            version: Of the map.
            question: Called with the reconstruction, between two steps.
        """
        if self._future is not None:
            return self._answer() if self._future.done() else None
        is_old = version != self._version and self._now_s() >= self._not_before_s
        if wish != self._wish or is_old:
            self._wish, self._version = wish, version
            self._future = self._call(self._timed(question), self._key)
        return None

    def forget(self) -> None:
        """Take the next wish for a new one."""
        self._wish = None

    def _timed(
        self, question: Callable[[Reconstructor], _T]
    ) -> Callable[[Reconstructor], tuple[_T, float]]:
        def timed(reconstructor: Reconstructor) -> tuple[_T, float]:
            begin_s = self._now_s()
            return question(reconstructor), self._now_s() - begin_s

        return timed

    def _answer(self) -> _T | None:
        future, self._future = self._future, None
        assert future is not None
        # A question that cannot be answered yet, as there is no map, is asked again with the next.
        if future.cancelled() or future.exception() is not None:
            self._not_before_s = self._now_s() + 1.0
            self._version = None
            return None
        answer, took_s = future.result()
        self._not_before_s = self._now_s() + took_s / _SHARE
        return answer
