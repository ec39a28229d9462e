# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What every training step offers, whichever device and options it is for."""

from collections import Counter
from typing import Protocol, runtime_checkable

import torch

from ineus_core.training.optimiser import Rates


@runtime_checkable
class Step(Protocol):
    """One optimiser step when called: `step.EagerStep`, or `graph_step.CapturedStep` on a GPU."""

    steps: int
    """How many were taken."""
    counters: Counter[str]
    """Of steps that were not finite."""

    @property
    def optimiser(self) -> Rates:
        """Its rates; the factor on them may be set."""
        ...

    def __call__(self) -> None:
        """Take a step."""
        ...

    def update_grid(self, cells: int, generator: torch.Generator) -> None:
        """Let the occupancy grid follow the field in random cells, as many as given."""
        ...

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Mean losses, valid samples and rays since the last call; waits for the device."""
        ...
