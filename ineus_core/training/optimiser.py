# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam over the parts of a field, each with its own learning rate."""

from importlib.util import find_spec

import torch
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.fields import HashSdf
from ineus_core.kernels import adam_torch
from ineus_core.training.schedules import warm_up


class OptimiserConfig(ConfigModel):
    """Learning rates and the constants of Adam."""

    table_rate: float = Field(0.01, gt=0, description="Learning rate of the hash grid.")
    heads_rate: float = Field(0.004, gt=0, description="Learning rate of the networks.")
    inv_s_rate: float = Field(0.001, ge=0, description="Learning rate of the sharpness.")
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the mean gradient.")
    beta2: float = Field(0.99, ge=0, lt=1, description="Decay of the squared gradient.")
    epsilon: float = Field(1e-15, gt=0, description="Term against division by zero.")
    warm_up_steps: int = Field(
        0, ge=0, description="Steps over which the rates rise to their values."
    )


class Optimiser:
    """Adam; entries of the table without a gradient rest, as nearly all do in one step.

    Own code instead of `torch.optim`, whose import takes seconds and which knows no resting
    entries.

    Args:
        config: Rates.
        field: Whose parameters are updated.
    """

    def __init__(self, config: OptimiserConfig, field: HashSdf) -> None:
        """Start with zero moments."""
        self._config, self._field = config, field
        self._adam_step = _operator(field.table.device)
        self.rate_factor = 1.0
        """Set from outside to settle the field at the end of an offline run."""
        self.reset()

    def reset(self) -> None:
        """Forget moments and gradients."""
        self._steps = 0
        self._moments: dict[str, tuple[Tensor, Tensor]] = {}
        for name, parameter in self._field.named_parameters():
            zeros = torch.zeros_like(parameter.detach()).view(-1)
            self._moments[name] = (zeros, zeros.clone())
            parameter.grad = None

    def gradients_are_finite(self) -> bool:
        """Whether a step may be taken."""
        sums = [p.grad.sum() for p in self._field.parameters() if p.grad is not None]
        return bool(torch.stack(sums).isfinite().all())

    @torch.no_grad()
    def step(self, steps_taken: int) -> None:
        """Update all parameters and clear the gradients."""
        self._steps += 1
        factor = self.rate_factor * warm_up(steps_taken, self._config.warm_up_steps)
        device = self._field.table.device
        count = torch.tensor(float(self._steps), device=device)
        rates = {"table": self._config.table_rate, "log_inv_s": self._config.inv_s_rate}
        for name, parameter in self._field.named_parameters():
            if parameter.grad is None:
                continue
            rate = rates.get(name, self._config.heads_rate)
            self._adam_step(
                parameter.view(-1),
                parameter.grad.contiguous().view(-1),
                *self._moments[name],
                torch.tensor(rate * factor, device=device),
                count,
                betas=(self._config.beta1, self._config.beta2),
                epsilon=self._config.epsilon,
                sparse=name == "table",
            )
            parameter.grad = None


def _operator(device: torch.device):  # type: ignore[no-untyped-def]
    if device.type == "cpu" and find_spec("numba") is not None:
        from ineus_core.kernels import adam_numba

        return adam_numba.adam_step
    return adam_torch.adam_step
