# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Garbage waits until a capture is over."""

import gc
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from ineus_core.training.captured.capturing import capturing


def test_nothing_is_collected_during_a_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def noted(graph: object, **options: Any) -> nullcontext[None]:
        given.append(options)
        return nullcontext()

    # Without a GPU nothing can be captured; what is asked of torch is what counts.
    monkeypatch.setattr(torch.cuda, "graph", noted)
    # Made without a GPU, as it is only handed on.
    graph = object.__new__(torch.cuda.CUDAGraph)
    collects: list[bool] = []

    def capture() -> None:
        with capturing(graph):
            collects.append(gc.isenabled())
            raise KeyError

    assert gc.isenabled()
    with pytest.raises(KeyError):
        capture()
    assert collects == [False] and gc.isenabled()
    assert given == [{"stream": None, "capture_error_mode": "thread_local"}]
    gc.disable()
    try:
        with pytest.raises(KeyError):
            capture()
        assert not gc.isenabled(), "whoever does without it still does"
    finally:
        gc.enable()
