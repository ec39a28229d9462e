# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One keyframe at a time on another thread, until somebody stores what has come of it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from ineus_core.cores import in_short_turns

_T = TypeVar("_T")


class KeyframeThread(Generic[_T]):
    """Works on keyframes in the order in which they come, each after the one before is stored.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        """Have nothing to do."""
        # One, as each keyframe is corrected by those before it.
        self._thread = ThreadPoolExecutor(1, name)
        self._begun: tuple[Future[_T], Future[bool]] | None = None

    def begin(self, work: Callable[[], _T]) -> "Future[bool]":
        """Begin with a keyframe; the future is done when `complete` has stored it."""
        taken: Future[bool] = Future()
        self._begun = self._thread.submit(in_short_turns, work), taken
        return taken

    @property
    def is_busy(self) -> bool:
        """Whether `complete` would have to wait."""
        return self._begun is not None and not self._begun[0].done()

    def wait(self, at_most_s: float) -> None:
        """Wait until there is nothing to do, or some time has gone by."""
        if self._begun is not None:
            wait((self._begun[0],), at_most_s)

    def complete(self, store: Callable[[_T], bool]) -> None:
        """Store what has begun, if anything has; whether it was taken is for who has begun it."""
        begun, self._begun = self._begun, None
        if begun is None:
            return
        found, taken = begun
        try:
            taken.set_result(store(found.result()))
        # For whoever has begun it: what is asked now is something else.
        except Exception as error:
            taken.set_exception(error)
