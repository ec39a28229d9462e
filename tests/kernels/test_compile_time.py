# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The time that numba compiles is measured once, however its compilations are nested."""

import pytest

pytest.importorskip("numba")
from numba.core import event

from ineus_core.kernels.compile_time import CompileTime


def test_nested_compilations_count_once_and_others_not_at_all() -> None:
    now_s = [0.0]

    def told(of: CompileTime) -> tuple[bool, float]:
        return of.is_running, of.seconds

    with CompileTime(lambda: now_s[0]) as compiling:
        assert told(compiling) == (False, 0.0)
        with event.trigger_event("numba:compile"):
            now_s[0] = 5.0
            with event.trigger_event("numba:compile"):
                now_s[0] = 7.0
            assert told(compiling) == (True, 7.0)
        now_s[0] = 100.0
        assert told(compiling) == (False, 7.0)
    with event.trigger_event("numba:compile"):
        assert told(compiling) == (False, 7.0)
