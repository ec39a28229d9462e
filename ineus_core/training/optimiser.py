# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam over the parts of a field, each with its own learning rate."""

import torch
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.fields import HashSdf
from ineus_core.training.schedules import warm_up


class OptimiserConfig(ConfigModel):
    """Learning rates and the constants of Adam."""

    table_rate: float = Field(0.01, gt=0, description="Learning rate of the hash grid.")
    heads_rate: float = Field(0.002, gt=0, description="Learning rate of the networks.")
    inv_s_rate: float = Field(0.001, ge=0, description="Learning rate of the sharpness.")
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the mean gradient.")
    beta2: float = Field(0.99, ge=0, lt=1, description="Decay of the squared gradient.")
    epsilon: float = Field(1e-15, gt=0, description="Term against division by zero.")
    warm_up_steps: int = Field(0, ge=0, description="Steps over which the rates rise to their values.")


class Optimiser:
    """Adam; on a CPU the table is updated only where it has a gradient.

    Args:
        config: Rates.
        field: Whose parameters are updated.
    """

    def __init__(self, config: OptimiserConfig, field: HashSdf) -> None:
        """Start with zero moments."""
        self._config, self._field = config, field
        self.rate_factor = 1.0
        """Set from outside to settle the field at the end of an offline run."""
        self.reset()

    def reset(self) -> None:
        """Forget moments and gradients."""
        config, field = self._config, self._field
        heads = [p for name, p in field.named_parameters() if name not in ("table", "log_inv_s")]
        groups = [
            {"params": heads, "base_rate": config.heads_rate},
            {"params": [field.log_inv_s], "base_rate": config.inv_s_rate},
        ]
        self._sparse = field.table.device.type == "cpu"
        if self._sparse:
            self._mean = torch.zeros_like(field.table)
            self._square = torch.zeros_like(field.table)
            self._table_steps = 0
        else:
            groups.append({"params": [field.table], "base_rate": config.table_rate})
        self._adam = torch.optim.Adam(
            groups, lr=config.heads_rate, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True
        )
        for parameter in field.parameters():
            parameter.grad = None

    def gradients_are_finite(self) -> bool:
        """Whether a step may be taken; the table's gradient follows from those of the heads."""
        norms = [p.grad.sum() for p in self._field.parameters() if p.grad is not None]
        return bool(torch.stack(norms).isfinite().all())

    def step(self, steps_taken: int) -> None:
        """Update all parameters and clear the gradients."""
        factor = self.rate_factor * warm_up(steps_taken, self._config.warm_up_steps)
        for group in self._adam.param_groups:
            group["lr"] = group["base_rate"] * factor
        self._adam.step()
        table = self._field.table
        if self._sparse and table.grad is not None:
            self._step_table(table, table.grad, factor)
        self._adam.zero_grad(set_to_none=False)

    def _step_table(self, table: Tensor, gradient: Tensor, factor: float) -> None:
        from ineus_core.kernels.adam_numba import adam_step

        self._table_steps += 1
        adam_step(
            table,
            gradient,
            self._mean,
            self._square,
            self._table_steps,
            self._config.table_rate * factor,
            (self._config.beta1, self._config.beta2),
            self._config.epsilon,
        )
