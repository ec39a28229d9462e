# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Waiting for jobs of the worker where the executor must not be held up."""

from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from rclpy.node import Node
from rclpy.task import Future as RosFuture

from ineus_core.pipeline import Pipeline
from ineus_ros.drops import Drops
from ineus_ros.timers import RateTimer

Result = TypeVar("Result")


class Ask(Protocol):
    """Has a function called between two ticks of the worker: `Worker.call`."""

    def __call__(
        self, function: Callable[[Pipeline], Result], key: Hashable = None
    ) -> "Future[Result]":
        """Ask; while one of the same key waits, both get its result."""
        ...


def finished(node: Node, job: "Future[Result]") -> Coroutine[Any, Any, "Future[Result]"]:
    """Return an awaitable of ROS that ends when the job does."""
    bridge = RosFuture(executor=node.executor)
    # Without a callback of its own, a finished future would not wake the executor.
    bridge.add_done_callback(lambda _: None)
    # The job itself is the result, so that its error is raised where it is awaited.
    job.add_done_callback(bridge.set_result)
    return bridge


class Backlog:
    """Jobs that others ask for as often as they like: of too many, the oldest is given up.

    Args:
        limit: The most that may wait.
        drops: Counts what is given up, under `reason`.
    """

    def __init__(self, limit: int, drops: Drops, reason: str, message: str) -> None:
        """Begin with none."""
        self._limit, self._drops, self._reason, self._message = limit, drops, reason, message
        self._jobs: deque[Future[Any]] = deque()

    def add(self, job: "Future[Any]") -> None:
        """Take note of a job that has been asked for."""
        self._jobs.append(job)
        # What is being done cannot be given up, and does not wait any more.
        while self._jobs and self._jobs[0].done():
            self._jobs.popleft()
        while len(self._jobs) > self._limit:
            if self._jobs.popleft().cancel():
                self._drops.add(self._reason, self._message)


class Periodic(Generic[Result]):
    """Asks for a job at a rate, while someone wants its result and none is under way.

    Args:
        rate_hz: The rate as it now is; 0 is never.
        is_wanted: Whether anyone wants the result.
        ask: Begins the job.
        take: Gets the result, on the worker's thread.
        on_error: Counts what failed, under `reason`.
    """

    def __init__(
        self,
        node: Node,
        rate_hz: Callable[[], float],
        is_wanted: Callable[[], bool],
        ask: Callable[[], "Future[Result]"],
        take: Callable[[Result], None],
        on_error: Drops,
        reason: str,
    ) -> None:
        """Begin to look."""
        self._is_wanted, self._ask, self._take = is_wanted, ask, take
        self._on_error, self._reason = on_error, reason
        self._job: Future[Result] | None = None
        self._timer = RateTimer(node, rate_hz, self.look)

    def look(self) -> None:
        """Begin the job if it is time; give up one that nobody wants any more."""
        is_wanted = self._is_wanted()
        # One at a time: the worker would else get requests faster than it answers them.
        if self._job is not None and not self._job.done():
            if not is_wanted:
                self._job.cancel()
            return
        if is_wanted:
            self._job = self._ask()
            self._job.add_done_callback(self._done)

    def _done(self, job: "Future[Result]") -> None:
        if job.cancelled():
            return
        try:
            self._take(job.result())
        # A topic that cannot be written to, as at shutdown, must not end the reconstruction.
        except Exception as error:
            self._on_error.add(self._reason, error)
