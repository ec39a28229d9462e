# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the collector of garbage looks at."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from ineus_core.reconstruction.memory import spare_from_collection


class Held:
    """Refers to itself, as the parts of a map do."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_what_is_spared_is_collected_when_others_are_spared_after_it() -> None:
    old = Held()
    spare_from_collection()
    spared, young = weakref.ref(old), Held()
    made_later = weakref.ref(young)
    assert gc.get_freeze_count() > 1000
    del old, young
    gc.collect()
    assert spared() is not None and made_later() is None
    spare_from_collection()
    assert spared() is None
