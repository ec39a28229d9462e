# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Timers of the wall clock: under `use_sim_time` those of a node stand still with the bag."""

import math
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer

LOOK_PERIOD_S = 0.25
"""Longest time until a new rate is noticed."""


def wall_timer(node: Node, period_s: float, callback: Callable[[], object]) -> Timer:
    """Make a timer that goes on whatever happens to /clock."""
    return node.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))


class RateTimer:
    """Calls at a rate that may change at any time, and be as small as floats are.

    Args:
        rate_hz: The rate as it now is; 0 is never.
    """

    def __init__(
        self, node: Node, rate_hz: Callable[[], float], callback: Callable[[], object]
    ) -> None:
        """Begin to look."""
        self._rate_hz, self._callback = rate_hz, callback
        self._followed_hz = rate_hz()
        self._left = looks_of(self._followed_hz)[0]
        self._timer = wall_timer(node, looks_of(self._followed_hz)[1], self.look)

    def look(self) -> None:
        """Call if it is time; a new rate begins with a call."""
        rate_hz = self._rate_hz()
        looks, period_s = looks_of(rate_hz)
        if rate_hz != self._followed_hz:
            self._followed_hz, self._left = rate_hz, 1
            self._timer.timer_period_ns = round(1e9 * period_s)
            self._timer.reset()
        # Counted in looks, not by the clock: a timer that comes a little early loses no turn.
        self._left -= 1
        if rate_hz > 0 and self._left <= 0:
            self._left = looks
            self._callback()


def looks_of(rate_hz: float) -> tuple[float, float]:
    """Return how many looks make a period of a rate, and the time between two, in s.

    The period of a slow rate may be longer than a timer can be set to, even infinite.
    """
    period_s = 1.0 / rate_hz if rate_hz > 0 else math.inf
    if math.isinf(period_s):
        return math.inf, LOOK_PERIOD_S
    # Rounded up, and the looks spread over the period: none is then longer than the limit.
    looks = max(1, math.ceil(period_s / LOOK_PERIOD_S))
    return looks, period_s / looks
