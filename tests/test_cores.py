# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cores by affinity, and turns at the interpreter that are as long afterwards as before."""

import os
import sys

import pytest

from ineus_core.cores import core_count, short_turns


def test_cores_that_the_process_may_not_use_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert core_count() == 2


def test_turns_are_short_until_the_last_one_is_done_that_asked_for_it() -> None:
    before_s = sys.getswitchinterval()
    first, second = short_turns(), short_turns()
    first.__enter__()
    second.__enter__()
    assert sys.getswitchinterval() == pytest.approx(5e-4)
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(5e-4)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == before_s


def test_turns_are_as_before_after_an_error() -> None:
    before_s = sys.getswitchinterval()
    turns = short_turns()
    turns.__enter__()
    # It is not swallowed either.
    assert not turns.__exit__(RuntimeError, RuntimeError(), None)
    assert sys.getswitchinterval() == before_s
