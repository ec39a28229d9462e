# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What changes from step to step by a schedule, as scalars on the device, sent in one copy."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.host_copy import write_to
from ineus_core.kernels.losses.gpu import LossScales
from ineus_core.training.config import TrainingConfig
from ineus_core.training.losses import loss_names
from ineus_core.training.optimiser import Rates

_PARTS = ("table", "w1", "colour_w1", "log_inv_s")
"""First parameters of hash grid, SDF head, colour head and sharpness."""


class StepScalars:
    """Scalars that a captured step reads; they stay where they are.

    Args:
        rates: Of the parts of the field.
    """

    def __init__(self, config: TrainingConfig, rates: Rates, device: torch.device) -> None:
        """Allocate; nothing is written yet."""
        self._config, self._rates = config, rates
        # One launch for both heads where they have one rate.
        is_one = rates.of("colour_w1") == rates.of("w1")
        self._parts = [part for part in _PARTS if part != "colour_w1" or not is_one]
        ends = 1, 1 + len(self._parts)
        self._all = torch.zeros(ends[1] + len(loss_names()), device=device)
        self.cos_anneal = self._all[0]
        self.rates = dict(zip(self._parts, self._all[1 : ends[1]].unbind(), strict=True))
        """Learning rates by the first parameter of what is updated together."""
        self.weights = self._all[ends[1] :]
        """Weights of the losses, in the order of `loss_names`."""
        self.weights_now = config.weights
        """The same on the host."""
        self._written: tuple[float, ...] = ()

    def scales(
        self, truncation_m: float, knows_foreground: bool, image_background: Float[Tensor, " 3"]
    ) -> LossScales:
        """How the losses are worked out, by these weights."""
        config = self._config
        return LossScales(
            self.weights,
            truncation_m,
            config.sparsity_per_m,
            with_mask=knows_foreground and config.may_weigh("mask"),
            with_opaque=config.may_weigh("opaque"),
            with_sparsity=config.may_weigh("sparsity"),
            image_background=image_background
            if knows_foreground and config.background == "random"
            else None,
        )

    def write(self, step: int, cos_anneal: float | None = None) -> None:
        """Bring all up to a step; without a copy where nothing changes.

        Args:
            cos_anneal: Instead of the schedule's.
        """
        config = self._config
        factor = self._rates.factor(step)
        self.weights_now = config.ramps.weights_at(step, config.weights)
        if cos_anneal is None:
            cos_anneal = config.cos_anneal(step)
        values = (
            cos_anneal,
            *(self._rates.of(part) * factor for part in self._parts),
            *(getattr(self.weights_now, name) for name in loss_names()),
        )
        if values != self._written:
            self._written = values
            write_to(self._all, np.array(values, dtype=np.float32))
