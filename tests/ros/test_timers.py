# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Timers follow rates that change, however small these are."""

import math
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node

from ineus_ros.timers import LOOK_PERIOD_S, RateTimer, looks_of

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ("rate_hz", "looks", "period_s"),
    [
        (10.0, 1, 0.1),
        (1.0, 4, 0.25),
        (0.3, 14, 1 / 4.2),
        (1e-320, math.inf, LOOK_PERIOD_S),
        (0.0, math.inf, LOOK_PERIOD_S),
    ],
)
def test_the_looks_of_a_period(rate_hz: float, looks: float, period_s: float) -> None:
    assert looks_of(rate_hz) == (looks, pytest.approx(period_s))


def test_a_new_rate_holds_from_the_next_look_on(ros: Callable[..., Any]) -> None:
    node = ros(lambda context: Node("ineus", context=context))
    rate_hz, calls = [1e-320], list[float]()
    timer = RateTimer(node, lambda: rate_hz[0], lambda: calls.append(rate_hz[0]))

    def look(times: int) -> int:
        """Count the calls of so many looks; the node itself is never spun."""
        calls.clear()
        for _ in range(times):
            timer.look()
        return len(calls)

    assert look(100) == 0
    rate_hz[0] = 1.0
    assert look(1) == 1 and look(3) == 0 and look(1) == 1
    rate_hz[0] = 0.0
    assert look(100) == 0
    rate_hz[0] = 20.0
    assert look(5) == 5
    (made,) = node.timers
    assert made.timer_period_ns == 50_000_000
