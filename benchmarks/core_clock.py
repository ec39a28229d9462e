# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A clock for benchmarks on a machine that others use too."""

import time


class CoreClock:
    """Time that this thread spends on its core, or waits; what is measured does not count."""

    def __init__(self) -> None:
        """Begin at 0."""
        self._offset_s = 0.0
        self._offset_s = -self.now_s()

    def now_s(self) -> float:
        """Return the time."""
        return time.thread_time() + self._offset_s

    def wait_until(self, due_s: float) -> None:
        """Let time go by."""
        self._offset_s += max(0.0, due_s - self.now_s())

    def stand_still_from(self, moment_s: float) -> None:
        """Forget what was done since a moment."""
        self._offset_s -= self.now_s() - moment_s
