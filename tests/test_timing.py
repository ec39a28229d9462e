# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far steps run ahead of a device."""

import pytest
import torch

from ineus_core.timing import Pace


def test_nothing_runs_ahead_on_a_cpu() -> None:
    pace = Pace(torch.device("cpu"))
    for _ in range(100):
        pace.after_step()
    assert pace.steps_within(1.0) == 0


@pytest.mark.gpu
def test_as_many_steps_run_ahead_as_a_gpu_takes_in_a_time() -> None:
    pace = Pace(torch.device("cuda"))
    work = torch.ones(4096, 4096, device="cuda")

    def step() -> None:
        _ = work @ work
        pace.after_step()

    assert pace.steps_within(0.01) == 0, "before it is known how long a step takes"
    for _ in range(60):
        step()
    step_ms = min(pace._times_ms) / 4
    steps = pace.steps_within(0.01)
    assert 1 <= steps <= 64
    assert steps == min(int(10 / step_ms), 64)
    assert pace.steps_within(1e3) == 64
    for _ in range(64):
        step()
    assert 2 < len(pace._marks) <= 18
    pace.end_ahead()
    for _ in range(4):
        step()
    assert len(pace._marks) == 2
