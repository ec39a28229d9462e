# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Drops: what the node could not use, counted by reason and logged now and then."""

import threading
import time
from collections import Counter
from typing import Any

SAY_EVERY_S = 5.0


class Drops:
    """Counts by reason; logs the first of each reason, then one every few seconds.

    Args:
        logger: The node's; its own throttle is by line of code, not by reason.
    """

    def __init__(self, logger: Any) -> None:
        """Start with nothing dropped."""
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._logger = logger
        self._said_s: dict[str, float] = {}

    def snapshot(self) -> dict[str, int]:
        """Return the counts by name as they are now, while other threads go on counting."""
        with self._lock:
            return dict(sorted(self.counts.items()))

    def add(self, reason: str, message: object, count: int = 1) -> None:
        """Count a drop and say why."""
        if count <= 0:
            return
        with self._lock:
            self.counts[reason] += count
            now_s = time.monotonic()
            is_to_say = now_s - self._said_s.get(reason, -SAY_EVERY_S) >= SAY_EVERY_S
            if is_to_say:
                self._said_s[reason] = now_s
        # Outside of the lock, for which the threads that decode would wait while it is written.
        if is_to_say:
            self._logger.warning(f"{reason} ({self.counts[reason]} so far): {message}")
