# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Run-time compilation of CPU kernels, kept on disk where a directory for it can be written."""

from collections.abc import Callable
from typing import Any

import numba


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
            return numba.njit(**options)(function)

    return decorate
