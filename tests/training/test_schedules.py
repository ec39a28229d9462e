# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Ramps by hand."""

import pytest

from ineus_core.training.schedules import (
    Shape,
    chained,
    constant,
    exponential,
    linear,
    linear_ramp,
    ramp,
    sequential,
    through,
    warm_up,
)


@pytest.mark.parametrize(
    ("step", "steps", "expected"), [(0, 10, 0), (5, 10, 0.5), (10, 10, 1), (99, 10, 1), (0, 0, 1)]
)
def test_linear_ramp(step: int, steps: int, expected: float) -> None:
    assert linear_ramp(step, steps) == expected


def test_warm_up_begins_low_and_ends_at_1() -> None:
    assert [warm_up(step, 4, start=0.25) for step in (0, 2, 4, 50)] == [0.25, 0.625, 1, 1]
    assert warm_up(0, 0) == 1


def test_simple_schedules_by_hand() -> None:
    assert [constant(3.0)(step) for step in (0, 99)] == [3, 3]
    assert [linear(1.0, 3.0, 4)(step) for step in (0, 1, 4, 9)] == [1, 1.5, 3, 3]
    found = [exponential(1.0, 0.01, 4)(step) for step in (0, 2, 4, 9)]
    assert found == pytest.approx([1, 0.1, 0.01, 0.01])
    assert [ramp(10, 0.0, 2.0, 20)(step) for step in (0, 10, 15, 30)] == [0, 0, 1, 2]


def test_schedules_in_a_row_count_their_own_steps() -> None:
    both = sequential([(0, linear(0.0, 1.0, 10)), (10, exponential(1.0, 0.1, 5))])
    assert [both(step) for step in (0, 5, 10, 15)] == pytest.approx([0, 0.5, 1, 0.1])
    late = sequential([(5, linear(1.0, 2.0, 5))])
    assert [late(step) for step in (0, 5, 10)] == [1, 1, 2]


def test_chained_schedules_multiply() -> None:
    both = chained(linear(1.0, 3.0, 2), constant(0.5))
    assert [both(step) for step in (0, 1, 2)] == [0.5, 1, 1.5]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", [1, 1, 0.55, 0.1, 0.1]),
        ("exponential", [1, 1, 10**-0.5, 0.1, 0.1]),
        ("step", [1, 1, 1, 0.1, 0.1]),
    ],
)
def test_through_given_values(shape: Shape, expected: list[float]) -> None:
    # As neus-dtu: constant, then down to a tenth.
    schedule = through((5000, 20000), (1.0, 0.1), shape)
    found = [schedule(step) for step in (0, 5000, 12500, 20000, 30000)]
    assert found == pytest.approx(expected)
