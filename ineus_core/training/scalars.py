# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What changes from step to step by a schedule, as scalars on the device, sent in one copy."""

from collections.abc import Sequence

import numpy as np
import torch

from ineus_core.kernels.host_copy import write_to
from ineus_core.training.config import TrainingConfig
from ineus_core.training.losses import LossWeights, loss_names
from ineus_core.training.optimiser import Rates


class StepScalars:
    """Scalars that a step reads; they stay where they are, so that a captured one sees them.

    Args:
        config: With every automatic value resolved.
        rates: Of the parts of the field.
        parts: A parameter of each part of the field that has a rate of its own.
        device: Of the scalars.
    """

    def __init__(
        self, config: TrainingConfig, rates: Rates, parts: Sequence[str], device: torch.device
    ) -> None:
        """Allocate; nothing is written yet."""
        self._config, self._rates, self._parts = config, rates, tuple(parts)
        self._names = loss_names()
        end = 1 + len(self._parts)
        self._all = torch.zeros(end + len(self._names), device=device)
        self.cos_anneal = self._all[0]
        self.rates = dict(zip(self._parts, self._all[1:end].unbind(), strict=True))
        """Learning rates by these parameters."""
        self.weights = self._all[end:]
        """Weights of the losses, in the order of `loss_names`."""
        self._written: tuple[float, ...] = ()

    def write(self, step: int, weights: LossWeights, cos_anneal: float | None = None) -> None:
        """Bring all up to a step; without a copy where nothing changes.

        Args:
            step: Steps taken before.
            weights: Of the losses at this step.
            cos_anneal: Instead of the schedule's.
        """
        factor = self._rates.factor(step)
        values = (
            self._config.cos_anneal(step) if cos_anneal is None else cos_anneal,
            *(self._rates.of(part) * factor for part in self._parts),
            *(getattr(weights, name) for name in self._names),
        )
        # In most steps nothing has changed, and no copy is the cheapest. Where something has, one
        # copy takes the host 7 us, a launch for each of five scalars 32 us (benchmarks/README.md).
        if values != self._written:
            self._written = values
            write_to(self._all, np.array(values, dtype=np.float32))
