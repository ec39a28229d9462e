# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the node does and what it could not do, on /diagnostics."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from ineus_core.ros_config import RosConfig
from ineus_ros.timers import RateTimer

LEVELS = {
    "ok": DiagnosticStatus.OK,
    "warning": DiagnosticStatus.WARN,
    "error": DiagnosticStatus.ERROR,
}


@dataclass(frozen=True)
class PartStatus:
    """One part of the node: how it is, in a word, a sentence and numbers."""

    name: str
    level: str = "ok"
    message: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


class StatusPublisher:
    """Publishes the status of all parts at a fixed rate.

    Args:
        parts: Gives the status of each part; it is called on the executor's thread.
    """

    def __init__(
        self, node: Node, config: RosConfig, parts: Callable[[], list[PartStatus]]
    ) -> None:
        """Advertise /diagnostics."""
        self._node = node
        self._parts = parts
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = RateTimer(node, lambda: config.diagnostics_rate_hz, self.publish)

    def publish(self) -> None:
        """Publish now."""
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name().lstrip("/")
        for part in self._parts():
            array.status.append(
                DiagnosticStatus(
                    level=LEVELS[part.level],
                    name=f"{name}: {part.name}",
                    message=part.message,
                    hardware_id="ineus",
                    values=[
                        KeyValue(key=key, value=as_text(value))
                        for key, value in part.values.items()
                    ],
                )
            )
        self._publisher.publish(array)


class Rate:
    """Rate of a count that only grows."""

    def __init__(self) -> None:
        """Start at 0."""
        self._last = 0
        self._since_s = time.monotonic()

    def per_second(self, count: int) -> float:
        """Return the mean rate since the last call."""
        now_s = time.monotonic()
        # Two looks may fall on one tick of the clock.
        rate = (count - self._last) / max(now_s - self._since_s, 1e-9)
        self._last, self._since_s = count, now_s
        # A count that begins anew, as after a reset, did not run backwards.
        return max(rate, 0.0)


def as_text(value: object) -> str:
    """Format a number or word for /diagnostics."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
