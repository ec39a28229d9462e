# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A kind of source for one test; the registry is one for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ineus_core.sources import SourceConfig, register_source, registry


@contextmanager
def registered_source(kind: str, *parts: Any) -> Iterator[None]:
    """Register a kind as `register_source` does, and take it back at the end."""
    register_source(kind, *parts)
    try:
        yield
    finally:
        del registry._REGISTERED[kind], SourceConfig.added_sections[kind]
