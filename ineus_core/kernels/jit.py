# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Run-time compilation of CPU kernels, kept on disk where a directory for it can be written."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np

_PARTS_PER_THREAD = 4
"""So that threads that are given less to do, or start late, do not keep the others waiting."""
_LEAST_PIXELS = 1 << 16
"""Pixels of views to compare in a part: about a millisecond, the time of waking threads.

On a busy machine a thread that waits for a core, or for the interpreter's lock, waits longer.
"""
_NOT_KEPT: list[str] = []
"""Kernels for which numba finds no folder to write to."""


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile as `numba.njit` does, cached on disk or, where that cannot be written, by process.

    The interpreter's lock is released, or messages of a node would wait for each kernel.
    """
    options = {"nogil": True, **options}

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            # numba finds no folder to write to, as in an image that is read-only.
            _NOT_KEPT.append(function.__qualname__)
            return numba.njit(**options)(function)

    return decorate


def are_kept() -> bool:
    """Tell whether what is compiled is kept on disk, of the kernels that are imported."""
    return not _NOT_KEPT


def plain(array: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """Return an array contiguous and writable: kernels are compiled anew for any other kind."""
    # Nearly all are; to find that out takes numpy a dozen calls.
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.writeable and flags.aligned:
        return array
    return np.require(array, dtype, ("C_CONTIGUOUS", "WRITEABLE"))


def in_parallel(kernel: Callable[..., Any], count: int, *arguments: Any, least: int = 1) -> None:
    """Call a kernel with begin and end of each part of `range(count)`, on all of numba's threads.

    `parallel=True` would take 1.4 to 3.4 times as long to compile.

    Args:
        kernel: Of `jit`; no two parts may write to the same place.
        count: Of what there is to do.
        arguments: Of the kernel, behind begin and end.
        least: To do in a part, as waking a thread takes time.
    """
    threads = min(numba.config.NUMBA_NUM_THREADS, -(-count // least))
    if threads < 2:
        kernel(0, count, *arguments)
        return
    size = max(least, -(-count // (threads * _PARTS_PER_THREAD)))
    # One iterator, of which each thread takes the next part.
    begins = iter(range(0, count, size))

    def work() -> None:
        for begin in begins:
            kernel(begin, min(begin + size, count), *arguments)

    pool = _pool()
    others = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        # One that has not begun finds nothing left to do.
        if not other.cancel():
            other.result()


def views_in_a_part(pixels: int) -> int:
    """Return how many comparisons of views, of so many pixels each, are worth a part."""
    return -(-_LEAST_PIXELS // max(1, pixels))


@cache
def _pool() -> ThreadPoolExecutor:
    # Kept, as on a busy machine a thread that wakes is run sooner than one that is new.
    return ThreadPoolExecutor(max(1, numba.config.NUMBA_NUM_THREADS - 1), "kernels")


# Threads do not survive a fork.
os.register_at_fork(after_in_child=_pool.cache_clear)
