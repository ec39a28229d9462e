# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How numbers change with the step."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

Schedule = Callable[[int], float]
"""A number by step, counted from where the schedule begins."""
Shape = Literal["linear", "exponential", "step"]


def linear_ramp(step: int, steps: int) -> float:
    """0 at the first step, 1 from `steps` on; 1 throughout where `steps` is 0."""
    return 1.0 if steps == 0 else min(1.0, step / steps)


def warm_up(step: int, steps: int, start: float = 0.01) -> float:
    """Factor that rises from `start` to 1 over the first steps."""
    return start + (1.0 - start) * linear_ramp(step, steps)


def constant(value: float = 1.0) -> Schedule:
    """Return the same at every step."""
    return lambda step: value


def linear(first: float, last: float, steps: int) -> Schedule:
    """From one number to another by equal differences, then constant."""
    return lambda step: first + (last - first) * linear_ramp(step, steps)


def exponential(first: float, last: float, steps: int) -> Schedule:
    """From one positive number to another by equal ratios, then constant."""
    return lambda step: first * (last / first) ** linear_ramp(step, steps)


def sequential(parts: Sequence[tuple[int, Schedule]]) -> Schedule:
    """One schedule after another, each with the step at which it begins; the first also before."""

    def at(step: int) -> float:
        begin, part = next((p for p in reversed(parts) if p[0] <= step), parts[0])
        return part(max(step - begin, 0))

    return at


def chained(*schedules: Schedule) -> Schedule:
    """Return the product of schedules that begin together."""

    def at(step: int) -> float:
        product = 1.0
        for schedule in schedules:
            product *= schedule(step)
        return product

    return at


def through(steps: Sequence[int], values: Sequence[float], shape: Shape) -> Schedule:
    """Given values at given steps, the last one ever after; between them by shape.

    Args:
        shape: `step` keeps each value until the next.
    """
    parts: list[tuple[int, Schedule]] = []
    for (begin, first), (end, last) in pairwise(zip(steps, values, strict=True)):
        match shape:
            case "linear":
                part = linear(first, last, end - begin)
            case "exponential":
                part = exponential(first, last, end - begin)
            case "step":
                part = constant(first)
        parts.append((begin, part))
    parts.append((steps[-1], constant(values[-1])))
    return sequential(parts)


def ramp(begin: int, first: float, last: float, end: int) -> Schedule:
    """One value up to a step, another from a later one on, linear between them."""
    return sequential([(begin, linear(first, last, end - begin))])
