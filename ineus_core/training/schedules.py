# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How numbers change with the step."""


def linear_ramp(step: int, steps: int) -> float:
    """0 at the first step, 1 from `steps` on; 1 throughout where `steps` is 0."""
    return 1.0 if steps == 0 else min(1.0, step / steps)


def warm_up(step: int, steps: int, start: float = 0.01) -> float:
    """Factor that rises from `start` to 1 over the first steps."""
    return start + (1.0 - start) * linear_ramp(step, steps)
