# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Ramps by hand."""

import pytest

from ineus_core.training.schedules import linear_ramp, warm_up


@pytest.mark.parametrize(
    ("step", "steps", "expected"), [(0, 10, 0), (5, 10, 0.5), (10, 10, 1), (99, 10, 1), (0, 0, 1)]
)
def test_linear_ramp(step: int, steps: int, expected: float) -> None:
    assert linear_ramp(step, steps) == expected


def test_warm_up_begins_low_and_ends_at_1() -> None:
    assert [warm_up(step, 4, start=0.25) for step in (0, 2, 4, 50)] == [0.25, 0.625, 1, 1]
    assert warm_up(0, 0) == 1
