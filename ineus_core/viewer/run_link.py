# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a page may ask of the run that it shows."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ineus_core.reconstruction import Reconstructor


def _nothing() -> Mapping[str, int]:
    return {}


@dataclass(frozen=True)
class RunLink:
    """The ways from a page to its run; a button whose way is missing is not shown."""

    call: Callable[[Callable[[Reconstructor], Any], Any], "Future[Any]"] | None = None
    """Requests that a function is called between two steps, joined with an equal one by a key."""
    set_paused: Callable[[bool], object] | None = None
    is_paused: Callable[[], bool] = lambda: False
    reset: Callable[[], object] | None = None
    save: Callable[[], "Future[Any]"] | None = None
    """Writes files; the result names them."""
    drops: Callable[[], Mapping[str, int]] = _nothing
    """Frames that were not used, by reason."""
