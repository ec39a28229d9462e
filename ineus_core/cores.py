# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The cores of this process, and how its threads share the interpreter."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_SWITCHING_S = 5e-4
"""How long a thread waits for the interpreter's lock that another one holds; 5 ms by default.

That is ten steps of a GPU, which the other thread has to give it.
"""


def core_count() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def in_short_turns(work: Callable[[], _T]) -> _T:
    """Do something on a thread beside others, which need not wait long for the interpreter."""
    with short_turns():
        return work()


class _Sharing:
    """How many threads ask for short turns, and how long turns were before the first one did."""

    lock = threading.Lock()
    threads = 0
    before_s = 0.0


@contextmanager
def short_turns() -> Iterator[None]:
    """Have all threads of this process take short turns at the interpreter meanwhile."""
    with _Sharing.lock:
        if _Sharing.threads == 0:
            _Sharing.before_s = sys.getswitchinterval()
            sys.setswitchinterval(min(_SWITCHING_S, _Sharing.before_s))
        _Sharing.threads += 1
    try:
        yield
    finally:
        with _Sharing.lock:
            _Sharing.threads -= 1
            if _Sharing.threads == 0:
                sys.setswitchinterval(_Sharing.before_s)
