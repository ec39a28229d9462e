# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What every training step offers, whichever device and options it is for."""

from collections import Counter
from typing import Protocol, runtime_checkable

import torch


@runtime_checkable
class Step(Protocol):
    """One optimiser step when called: `EagerStep`, or on a GPU `CapturedStep`."""

    @property
    def steps(self) -> int:
        """How many were taken."""
        ...

    @property
    def counters(self) -> Counter[str]:
        """Of steps that were not finite."""
        ...

    def resume_at(self, steps: int) -> None:
        """Count on from a number of steps that were taken before."""
        ...

    def scale_rates(self, factor: float) -> None:
        """Multiply all learning rates from now on."""
        ...

    def __call__(self) -> None:
        """Take a step."""
        ...

    def update_grid(self, cells: int, generator: torch.Generator) -> None:
        """Let the occupancy grid follow the field in random cells, as many as given."""
        ...

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Return mean losses, valid samples and rays since the last call; waits for the device."""
        ...
