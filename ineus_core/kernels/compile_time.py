# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How long this process has compiled CPU kernels, so that nobody takes it for work."""

import threading
import time
from collections.abc import Callable

from numba.core import event

COMPILE = "numba:compile"
"""What numba calls a compilation, to whoever listens."""


class CompileTime(event.Listener):
    """Hears of compilations as long as it is used as a context, in any thread.

    Args:
        now_s: The clock that they are measured by.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self._now_s, self._lock = now_s, threading.Lock()
        self._running, self._began_s, self._past_s = 0, 0.0, 0.0

    def __enter__(self) -> "CompileTime":
        """Begin to listen."""
        event.register(COMPILE, self)
        return self

    def __exit__(self, *error: object) -> None:
        """Listen no more."""
        event.unregister(COMPILE, self)

    @property
    def is_running(self) -> bool:
        """Whether something is compiled now."""
        return self._running > 0

    @property
    def seconds(self) -> float:
        """How long there was something to compile, until now."""
        with self._lock:
            return self._past_s + (self._now_s() - self._began_s if self._running else 0.0)

    def on_start(self, event: event.Event) -> None:
        """Count a compilation; those within another one are of that one's time."""
        with self._lock:
            if self._running == 0:
                self._began_s = self._now_s()
            self._running += 1

    def on_end(self, event: event.Event) -> None:
        """End a compilation."""
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._past_s += self._now_s() - self._began_s
