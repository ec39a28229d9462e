# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The table of the losses: every term once, with its weight, its function and where it runs.

Weights and ramps of the configuration, the report, and the choice of the training step all read
this table; `register_loss` adds a line to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from jaxtyping import Float
from pydantic import AfterValidator, Field
from torch import Tensor

from ineus_core.config_model import ConfigModel, add_fields
from ineus_core.errors import ConfigError
from ineus_core.training import terms
from ineus_core.training.regularisers import masked_mean, opaque_error, sparsity_error
from ineus_core.training.schedules import ramp
from ineus_core.training.terms import LossInputs

__all__ = [
    "Loss",
    "LossInputs",
    "LossRamps",
    "LossTerms",
    "LossWeights",
    "loss_names",
    "loss_terms",
    "losses_without_kernel",
    "masked_mean",
    "register_loss",
]


@dataclass(frozen=True)
class Loss:
    """A line of the table."""

    name: str
    weight: float
    """By default."""
    description: str
    function: Callable[[LossInputs], Float[Tensor, ""]]
    """Return the unweighted term, differentiable."""
    has_kernel: bool = False
    """Whether the captured step computes it; else its weight selects the eager step."""
    is_always_reported: bool = False
    """Whether it is computed, for the report, even without a weight."""
    least_weight: float = 0.0
    is_pure: bool = True
    """Whether tensors of its inputs are all that it depends on: a GPU may then record what it
    launches and replay that, so that its Python runs once, not in every step."""


# The kernels of the captured step count on the order of those that have one.
_BUILT_IN = (
    Loss(
        "photometric",
        4.0,
        "L1 of composited colour, 0 to 1.",
        terms.photometric,
        has_kernel=True,
        is_always_reported=True,
    ),
    Loss(
        "depth",
        0.1,
        "L1 of composited range over the truncation.",
        terms.depth,
        has_kernel=True,
        is_always_reported=True,
    ),
    # Far more than colour, which else asks for surface before what is dark or glossy.
    Loss(
        "band",
        10.0,
        "L1 of the distance over the truncation, near measured surface.",
        lambda x: x.distance_errors[0],
        has_kernel=True,
        is_always_reported=True,
    ),
    Loss(
        "free_space",
        10.0,
        "Violation of what the ray says about the distance before the band, over the truncation.",
        lambda x: x.distance_errors[1],
        has_kernel=True,
        is_always_reported=True,
    ),
    Loss(
        "eikonal",
        -1.0,
        "Squared error of the gradient's length; below 0 = 0.3 in a room without depth, whose "
        "plain walls it flattens, else 0.1.",
        terms.eikonal,
        has_kernel=True,
        is_always_reported=True,
        least_weight=-1.0,
    ),
    Loss(
        "photometric_mse",
        0.0,
        "Squared error of composited colour, 0 to 1.",
        terms.photometric_mse,
        has_kernel=True,
        is_always_reported=True,
    ),
    Loss(
        "mask",
        0.0,
        "Cross entropy of a ray's opacity where a mask or alpha says what is object.",
        terms.mask,
        has_kernel=True,
    ),
    Loss(
        "opaque",
        0.0,
        "Entropy of a ray's opacity.",
        lambda x: opaque_error(x.rendered.opacity, x.batch.valid),
        has_kernel=True,
    ),
    Loss(
        "sparsity",
        0.0,
        "exp(-s |sdf|) at the samples, with s of sparsity_per_m.",
        lambda x: sparsity_error(x.output.sdf, x.samples.valid, x.sparsity_per_m),
        has_kernel=True,
    ),
    Loss(
        "curvature",
        0.0,
        "Absolute Laplacian of the distance in 1/m; needs field.gradient finite_difference.",
        terms.curvature,
    ),
    Loss(
        "distortion",
        0.0,
        "Spread in m of a ray's weights along it (Mip-NeRF 360).",
        terms.distortion,
    ),
    Loss(
        "distortion_background",
        0.0,
        "The same of a learned background.",
        terms.distortion_background,
    ),
)
_TABLE: dict[str, Loss] = {}


def loss_names() -> tuple[str, ...]:
    """Return the names of all terms, in the order of the report."""
    return tuple(_TABLE)


def losses_without_kernel() -> tuple[str, ...]:
    """Return the names of the terms that only the eager step computes."""
    return tuple(name for name, loss in _TABLE.items() if not loss.has_kernel)


def impure_losses() -> tuple[str, ...]:
    """Return the names of the terms whose Python has to run in every step."""
    return tuple(name for name, loss in _TABLE.items() if not loss.is_pure)


class LossWeights(ConfigModel):
    """Weight of each term; 0 turns it off."""

    # The table adds the fields, which a type checker cannot see.
    if TYPE_CHECKING:

        def __init__(self, **weights: float) -> None: ...

        def __getattr__(self, name: str) -> float: ...

    def stacked(self, device: torch.device) -> Float[Tensor, " terms"]:
        """Return all weights in the order of their names."""
        values = [float(getattr(self, name)) for name in _TABLE]
        return torch.tensor(values, device=device)


def _is_ramp(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) not in (0, 4) or min(values, default=0) < 0:
        raise ValueError("expected nothing, or step, weight, weight, later step; none below 0")
    if values and values[3] <= values[0]:
        raise ValueError("the last step is not after the first")
    return values


_Ramp = Annotated[tuple[float, ...], AfterValidator(_is_ramp)]


class LossRamps(ConfigModel):
    """Weights that change from one step to another, instead of those of the same name."""

    if TYPE_CHECKING:

        def __init__(self, **ramps: tuple[float, ...]) -> None: ...

    def weights_at(self, step: int, weights: LossWeights) -> LossWeights:
        """Return the weights of a step."""
        changed = {}
        for name in _TABLE:
            values = self._ramp_of(name)
            if values:
                begin, first, last, end = values
                changed[name] = ramp(int(begin), first, last, int(end))(step)
        return weights.model_copy(update=changed) if changed else weights

    def may_weigh(self, name: str, weights: LossWeights) -> bool:
        """Decide whether a term has a weight at any step."""
        values = self._ramp_of(name)
        return bool(max(values[1:3]) if values else getattr(weights, name))

    def _ramp_of(self, name: str) -> tuple[float, ...]:
        values: tuple[float, ...] = getattr(self, name)
        return values


def register_loss(loss: Loss) -> None:
    """Add a term of one's own, before a configuration is read.

    Then training.weights and training.ramps have keys of its name, it is trained on every device
    and stands in every report.

    Raises:
        ConfigError: If there is a term of this name, or the name makes no key.
    """
    if loss.name in _TABLE:
        raise ConfigError(f"loss {loss.name}: there is a term of this name; expected another one")
    # `total` is the weighted sum in the report.
    if not loss.name.isidentifier() or hasattr(LossRamps, loss.name) or loss.name == "total":
        raise ConfigError(f"loss {loss.name!r}: expected a name that can be a configuration key")
    _add([loss])


def _add(losses: list[Loss] | tuple[Loss, ...]) -> None:
    _TABLE.update({loss.name: loss for loss in losses})
    add_fields(
        LossWeights,
        {
            # Fields of the configuration come from the table, so that a term of one's own has keys
            # too.
            loss.name: (
                float,
                Field(loss.weight, ge=loss.least_weight, description=loss.description),
            )
            for loss in losses
        },
    )
    about = "[step, weight up to it, last weight, its step] of {}; empty = as in weights."
    add_fields(
        LossRamps,
        {loss.name: (_Ramp, Field((), description=about.format(loss.name))) for loss in losses},
    )


_add(_BUILT_IN)


@dataclass(frozen=True)
class LossTerms:
    """Unweighted terms by name."""

    values: Mapping[str, Float[Tensor, ""]]

    def __getitem__(self, name: str) -> Float[Tensor, ""]:
        """Return a term."""
        return self.values[name]

    def total(self, weights: Float[Tensor, " terms"]) -> Float[Tensor, ""]:
        """Return the weighted sum.

        Args:
            weights: In the order of the names.
        """
        return (torch.stack(list(self.values.values())) * weights).sum()

    def stacked(self) -> Float[Tensor, " terms"]:
        """Return all terms in the order of their names, detached."""
        return torch.stack([term.detach() for term in self.values.values()])


def loss_terms(inputs: LossInputs, weights: LossWeights) -> LossTerms:
    """Compute the terms that weigh or are always reported; others are 0, as they cost time."""
    return LossTerms(
        {
            name: loss.function(inputs)
            if loss.is_always_reported or getattr(weights, name)
            else inputs.zero
            for name, loss in _TABLE.items()
        }
    )
