# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""AdamW over the parts of a field, each with its own learning rate.

`flat_parameters` has the same for a GPU.
"""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.fields import HashSdf
from ineus_core.kernels.adam import adam_step
from ineus_core.training.schedules import Schedule, chained, through, warm_up


class OptimiserConfig(ConfigModel):
    """Learning rates and the constants of Adam."""

    table_rate: float = Field(0.01, gt=0, description="Learning rate of the hash grid.")
    heads_rate: float = Field(
        0.0, ge=0, description="Learning rate of the networks; 0 = 0.004, on a CPU 0.01."
    )
    inv_s_rate: float = Field(0.001, ge=0, description="Learning rate of the sharpness.")
    colour_rate: float = Field(
        0.0, ge=0, description="Learning rate of the colour network; 0 = heads_rate."
    )
    background_rate: float = Field(
        0.0,
        ge=0,
        description="Learning rate of a learned background; 0 = as the same parts of the field.",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="Share of every parameter that a step takes away, times its learning rate "
        "(AdamW).",
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the mean gradient.")
    beta2: float = Field(0.99, ge=0, lt=1, description="Decay of the squared gradient.")
    # As in instant-ngp (section 4): gradients of table entries are rare and small, and a larger
    # term would hold them back.
    epsilon: float = Field(1e-15, gt=0, description="Term against division by zero.")
    warm_up_steps: int = Field(
        0, ge=0, description="Steps over which the rates rise to their values."
    )
    rate_steps: tuple[int, ...] = Field(
        (),
        description="Ascending steps at which the factor of all rates is given; empty = 1, and an "
        "offline run lowers the rates after its last frame.",
    )
    rate_factors: tuple[float, ...] = Field((), description="Factors at these steps, above 0.")
    rate_shape: Literal["linear", "exponential", "step"] = Field(
        "exponential", description="How the factor goes from one of these steps to the next."
    )

    @model_validator(mode="after")
    def _steps_fit_factors(self) -> "OptimiserConfig":
        steps, factors = self.rate_steps, self.rate_factors
        if len(steps) != len(factors):
            raise ValueError(
                f"{len(steps)} rate_steps, {len(factors)} rate_factors: expected pairs"
            )
        # Above 0, as an exponential cannot reach it.
        if any(b <= a for a, b in pairwise(steps)) or min(factors, default=1.0) <= 0:
            raise ValueError("expected rate_steps that ascend and rate_factors above 0")
        return self

    def factor(self) -> Schedule:
        """Factor of all rates by step."""

        def rising(step: int) -> float:
            return warm_up(step, self.warm_up_steps)

        if not self.rate_steps:
            return rising
        return chained(rising, through(self.rate_steps, self.rate_factors, self.rate_shape))


class Rates:
    """Learning rates of the parts of a field by step."""

    def __init__(self, config: OptimiserConfig) -> None:
        """Begin with the rates as configured."""
        self._config = config
        self._factor = config.factor()
        self._scale = 1.0

    def scale(self, factor: float) -> None:
        """Multiply all rates from now on; the end of an offline run lowers them so."""
        self._scale = factor

    def factor(self, steps_taken: int) -> float:
        """Return the factor of all rates."""
        factor = self._factor(steps_taken)
        # A schedule of one's own already says how the rates fall at the end.
        return factor if self._config.rate_steps else factor * self._scale

    def of(self, name: str) -> float:
        """Rate of a parameter before that factor."""
        config = self._config
        if name.startswith("background.") and config.background_rate:
            return config.background_rate
        # A learned background has parts of the same names, under its own.
        part = name.rpartition(".")[2]
        if part == "table":
            return config.table_rate
        if part == "log_inv_s":
            return config.inv_s_rate
        is_colour = part.startswith("colour_")
        return (config.colour_rate if is_colour else 0.0) or config.heads_rate


def is_table(name: str) -> bool:
    """Decide whether a parameter is a hash grid, whose entries rest without a gradient."""
    return name.rpartition(".")[2] == "table"


class Optimiser:
    """Adam; entries of the table without a gradient rest, as nearly all do in one step.

    Own code instead of `torch.optim`, whose import takes seconds and which knows no resting
    entries.

    Args:
        config: Constants of Adam.
        field: Whose parameters are updated.
        rates: By step.
    """

    def __init__(self, config: OptimiserConfig, field: HashSdf, rates: Rates) -> None:
        """Start with zero moments."""
        self._config, self._field, self._rates = config, field, rates
        self.reset()

    def reset(self) -> None:
        """Forget moments and gradients."""
        self._steps = 0
        self._moments: dict[str, tuple[Tensor, Tensor]] = {}
        for name, parameter in self._field.named_parameters():
            zeros = torch.zeros_like(parameter.detach()).view(-1)
            self._moments[name] = (zeros, zeros.clone())
            parameter.grad = None

    def clear_gradients(self) -> None:
        """Forget what a step that broke off has left."""
        for parameter in self._field.parameters():
            parameter.grad = None

    @property
    def values(self) -> list[Tensor]:
        """All that is trained."""
        return list(self._field.parameters())

    def gradients(self) -> list[Float[Tensor, "..."]]:
        """Return the gradients of all parameters, 0 where there is none."""
        gradients = []
        for parameter in self._field.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        return gradients

    def has_finite_gradients(self) -> Bool[Tensor, ""]:
        """Decide whether a step may be taken."""
        sums = [p.grad.sum() for p in self._field.parameters() if p.grad is not None]
        return torch.stack(sums).isfinite().all()

    @torch.no_grad()
    def step(self, steps_taken: int) -> None:
        """Update all parameters and clear the gradients."""
        self._steps += 1
        factor = self._rates.factor(steps_taken)
        device = self._field.table.device
        count = torch.tensor(float(self._steps), device=device)
        for name, parameter in self._field.named_parameters():
            if parameter.grad is None:
                continue
            adam_step(
                parameter.view(-1),
                # Autograd may hand out a transposed gradient, which has no flat view.
                parameter.grad.contiguous().view(-1),
                *self._moments[name],
                torch.tensor(self._rates.of(name) * factor, device=device),
                count,
                betas=(self._config.beta1, self._config.beta2),
                epsilon=self._config.epsilon,
                sparse=is_table(name),
                weight_decay=self._config.weight_decay,
            )
            parameter.grad = None
