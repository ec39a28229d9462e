# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Timers of the wall clock: under `use_sim_time` those of a node stand still with the bag."""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer


def wall_timer(node: Node, period_s: float, callback: Callable[[], object]) -> Timer:
    """Make a timer that goes on whatever happens to /clock."""
    return node.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
