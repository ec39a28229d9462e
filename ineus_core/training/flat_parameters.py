# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All parameters of a field in one buffer on a GPU, so that few launches update them.

Beside it lies a half-precision copy for the kernels.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.fields import HashSdf
from ineus_core.kernels.adam import adam_step
from ineus_core.training.optimiser import OptimiserConfig, Rates, is_table

_ALIGN = 16


class _Part(NamedTuple):
    """Neighbouring parameters of one learning rate."""

    names: list[str]
    is_sparse: bool


class FlatParameters:
    """Moves the parameters of a field into one buffer and gives out views of it.

    Args:
        field: Its parameters become views; what reads them later sees every update.
        rates: Parameters of one rate are updated in one launch.
    """

    def __init__(self, field: HashSdf, rates: Rates) -> None:
        """Allocate buffers for values, gradients, moments and halves."""
        parameters = dict(field.named_parameters())
        self._parameters = parameters
        self._parts = _parts_of(list(parameters), rates)
        self._starts, end = {}, 0
        for part in self._parts.values():
            for name in part.names:
                self._starts[name] = end
                # So that each view begins where vector loads may begin.
                end += -(-parameters[name].numel() // _ALIGN) * _ALIGN
        # Tables stand in front, so that all others are one piece.
        dense = [first for first, part in self._parts.items() if not part.is_sparse]
        self._dense_start = self._starts[dense[0]]
        device = field.table.device
        self.value, self.gradient, self.mean, self.square = (
            torch.zeros(end, device=device) for _ in range(4)
        )
        for name, parameter in parameters.items():
            view = self._view(self.value, name)
            view.copy_(parameter.detach())
            # The parameter object stays, so that whoever holds it sees what is trained.
            parameter.data = view
        self.half = self.value.half()
        field.read_half_table(self._view(self.half, "table"))
        self.count = torch.zeros((), device=device)
        """Updates since the moments were forgotten."""

    @property
    def parts(self) -> Sequence[str]:
        """First parameter of each part that has a learning rate of its own."""
        return tuple(self._parts)

    def value_views(self) -> dict[str, Float[Tensor, "..."]]:
        """Return each parameter."""
        return {name: self._view(self.value, name) for name in self._starts}

    def half_view(self, name: str) -> Float[Tensor, "..."]:
        """Return a parameter in half precision."""
        return self._view(self.half, name)

    def gradient_views(self) -> dict[str, Float[Tensor, "..."]]:
        """Return the gradient of each parameter."""
        return {name: self._view(self.gradient, name) for name in self._starts}

    def receive_gradients(self) -> None:
        """Let autograd add to the flat gradient, which an update clears."""
        for name, view in self.gradient_views().items():
            self._parameters[name].grad = view

    def has_finite_gradients(self) -> Bool[Tensor, ""]:
        """Decide whether all gradients but those of tables are finite, without a wait.

        A table gets its gradients through the networks, whose own show what is wrong.
        """
        # One number instead of a mask: NaN and infinity survive a sum.
        return self.gradient[self._dense_start :].sum().isfinite()

    def update(self, rates: Mapping[str, Float[Tensor, ""]], config: OptimiserConfig) -> None:
        """Take one step of Adam, which clears the gradients.

        Args:
            rates: Learning rates by `parts`.
            config: Constants of Adam.
        """
        # On the device: a captured step counts by itself.
        self.count += 1
        starts = [self._starts[name] for name in self._parts]
        ends = [*starts[1:], len(self.value)]
        for (first, part), start, end in zip(self._parts.items(), starts, ends, strict=True):
            rows = slice(start, end)
            adam_step(
                self.value[rows], self.gradient[rows], self.mean[rows], self.square[rows],
                rates[first], self.count, self.half[rows], betas=(config.beta1, config.beta2),
                epsilon=config.epsilon, sparse=part.is_sparse, weight_decay=config.weight_decay,
            )  # fmt: skip

    def forget(self) -> None:
        """Forget gradients and moments; the halves follow the values."""
        self.half.copy_(self.value)
        # Moments may be what was not finite, and would spoil the next step.
        for state in (self.gradient, self.mean, self.square, self.count):
            state.zero_()

    def _view(self, flat: Float[Tensor, " n"], name: str) -> Tensor:
        shape = self._parameters[name].shape
        start = self._starts[name]
        return flat[start : start + shape.numel()].view(shape)


class FlatOptimiser:
    """The optimiser of an eager step on a GPU: waits for nothing.

    Args:
        config: Constants of Adam.
        flat: The parameters, which from now on get their gradients from autograd.
        rates: Learning rates by `FlatParameters.parts`, on the device.
    """

    def __init__(
        self, config: OptimiserConfig, flat: FlatParameters, rates: Mapping[str, Tensor]
    ) -> None:
        """Start with zero moments."""
        self._config, self._flat, self._rates = config, flat, rates
        flat.receive_gradients()

    @property
    def values(self) -> list[Tensor]:
        """All that is trained."""
        return [self._flat.value]

    def gradients(self) -> list[Float[Tensor, "..."]]:
        """Return the gradients of all parameters."""
        return [self._flat.gradient]

    def has_finite_gradients(self) -> Bool[Tensor, ""]:
        """Decide whether the step is sound, without a wait."""
        return self._flat.has_finite_gradients()

    def step(self, steps_taken: int) -> None:
        """Update all parameters and clear the gradients; the rates are those on the device."""
        self._flat.update(self._rates, self._config)

    def reset(self) -> None:
        """Forget moments and gradients."""
        self._flat.forget()

    def clear_gradients(self) -> None:
        """Forget what a step that broke off has left."""
        self._flat.gradient.zero_()


def _parts_of(names: Sequence[str], rates: Rates) -> dict[str, _Part]:
    """Group parameters by table or not, and by rate; tables come first."""
    groups: dict[tuple[bool, float], list[str]] = {}
    # `sorted` is stable: within tables and others the order stays that of the field.
    for name in sorted(names, key=lambda name: not is_table(name)):
        groups.setdefault((is_table(name), rates.of(name)), []).append(name)
    return {group[0]: _Part(group, is_sparse) for (is_sparse, _), group in groups.items()}
