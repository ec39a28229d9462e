# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Work in parts: a generator that pauses between them, so that other work is not held up."""

from collections.abc import Generator
from typing import TypeVar

_T = TypeVar("_T")
InParts = Generator[None, None, _T]
"""Pauses after each part but the last, and returns the result."""


def at_once(parts: InParts[_T]) -> _T:
    """Do all parts, one after the other, and return the result."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value
