# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Messages that were published but never delivered, which nobody else would notice."""

from collections.abc import Callable
from typing import Any


class LossCounter:
    """Counts the gaps in the publisher's numbers, or what the middleware admits to have lost.

    The numbers also show what was overwritten in a full queue. They are per publisher, and a
    message does not tell whose it is, so with several publishers on a topic nothing is counted.

    Args:
        publishers: Gives the number of publishers on the topic.
    """

    def __init__(self, publishers: Callable[[], int]) -> None:
        """Start at 0."""
        self.count = 0
        self._publishers = publishers
        self._last: int | None = None
        self._is_numbered = False

    def on_message(self, info: Any) -> None:
        """Look at the number of a message, where there is one."""
        number = info.get("publication_sequence_number") if isinstance(info, dict) else None
        if not number:
            return
        self._is_numbered = True
        if self._publishers() != 1:
            # Nor may it be compared with the next one, when only one publisher is left.
            self._last = None
            return
        # A smaller number is a publisher that was started anew.
        if self._last is not None and number > self._last + 1:
            self.count += number - self._last - 1
        self._last = number

    def events(self) -> Any:
        """Return callbacks for the subscription, used as long as messages have no number."""
        try:
            from rclpy.event_handler import SubscriptionEventCallbacks
        except ImportError:  # Humble
            from rclpy.qos_event import SubscriptionEventCallbacks
        return SubscriptionEventCallbacks(message_lost=self._on_lost)

    def _on_lost(self, info: Any) -> None:
        # Counted once: where messages have numbers, their gaps tell of these too.
        if not self._is_numbered:
            self.count += info.total_count_change
