# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Waiting for jobs of the worker where the executor must not be held up."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from rclpy.node import Node
from rclpy.task import Future as RosFuture

from ineus_core.pipeline import Pipeline
from ineus_ros.drops import Drops
from ineus_ros.timers import wall_timer

Result = TypeVar("Result")
Ask = Callable[[Callable[[Pipeline], Result]], "Future[Result]"]
"""Has a function called between two ticks of the worker."""
LOOK_PERIOD_S = 1.0
"""How often is looked whether a rate of 0 has become another one."""


def finished(node: Node, job: "Future[Result]") -> Coroutine[Any, Any, "Future[Result]"]:
    """Return an awaitable of ROS that ends when the job does."""
    bridge = RosFuture(executor=node.executor)
    # Without a callback of its own, a finished future would not wake the executor.
    bridge.add_done_callback(lambda _: None)
    job.add_done_callback(bridge.set_result)
    return bridge


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
        self._rate_hz, self._is_wanted, self._ask, self._take = rate_hz, is_wanted, ask, take
        self._on_error, self._reason = on_error, reason
        self._job: Future[Result] | None = None
        self._timer = wall_timer(node, self._period_s(), self.look)

    def look(self) -> None:
        """Begin the job if it is time."""
        period_ns = round(1e9 * self._period_s())
        if period_ns != self._timer.timer_period_ns:
            self._timer.timer_period_ns = period_ns
            self._timer.reset()
        is_busy = self._job is not None and not self._job.done()
        if is_busy or not self._rate_hz() or not self._is_wanted():
            return
        self._job = self._ask()
        self._job.add_done_callback(self._done)

    def _period_s(self) -> float:
        rate_hz = self._rate_hz()
        return 1.0 / rate_hz if rate_hz else LOOK_PERIOD_S

    def _done(self, job: "Future[Result]") -> None:
        if job.cancelled():
            return
        try:
            self._take(job.result())
        # A topic that cannot be written to, as at shutdown, must not end the reconstruction.
        except Exception as error:
            self._on_error.add(self._reason, error)
