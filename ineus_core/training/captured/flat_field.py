# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All parameters of a field in one buffer, so that one launch updates them.

Beside it lies a half-precision copy for the kernels.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.fields import HashSdf
from ineus_core.kernels.adam.gpu import adam_step
from ineus_core.kernels.mlp import ColourHeadWeights, FieldWeights, SdfHeadWeights
from ineus_core.training.optimiser import OptimiserConfig

_ALIGN = 16


class FlatField:
    """Moves the parameters of a field into one buffer and gives out views of it.

    Args:
        field: Its parameters become views; what reads them later sees every update.
    """

    def __init__(self, field: HashSdf) -> None:
        """Allocate buffers for values, gradients, moments and halves."""
        parameters = dict(field.named_parameters())
        self._names = ["table", *(n for n in parameters if n not in ("table", "log_inv_s"))]
        self._names.append("log_inv_s")
        self._shapes = {name: parameters[name].shape for name in self._names}
        self._starts, end = {}, 0
        for name in self._names:
            self._starts[name] = end
            end += -(-parameters[name].numel() // _ALIGN) * _ALIGN
        device = field.table.device
        self.value, self.gradient, self.mean, self.square = (
            torch.zeros(end, device=device) for _ in range(4)
        )
        for name in self._names:
            view = self._view(self.value, name)
            view.copy_(parameters[name].detach())
            parameters[name].data = view
        self.half = self.value.half()
        field.half_table = self._view(self.half, "table")
        self.heads_start = self._starts["w1"]

    def weights(self) -> FieldWeights:
        """What the kernels read: the table in half, the heads in single precision."""
        return self._weights(self.value, self._view(self.half, "table"))

    def gradients(self) -> FieldWeights:
        """Where the kernels add gradients."""
        return self._weights(self.gradient, self._view(self.gradient, "table"))

    def value_view(self, name: str) -> Float[Tensor, "..."]:
        """A parameter."""
        return self._view(self.value, name)

    def gradient_views(self) -> dict[str, Float[Tensor, "..."]]:
        """The gradient of each parameter."""
        return {name: self._view(self.gradient, name) for name in self._names}

    @property
    def sharpness_gradient(self) -> Float[Tensor, ""]:
        """Where the gradient of `log_inv_s` is added."""
        return self._view(self.gradient, "log_inv_s")

    def update(
        self,
        rates: dict[str, Float[Tensor, ""]],
        count: Float[Tensor, ""],
        config: OptimiserConfig,
    ) -> None:
        """One step of Adam, which clears the gradients.

        Args:
            rates: Learning rates by the first parameter of what is updated together.
            count: Number of this update, from 1 on.
        """
        starts = [self._starts[name] for name in rates]
        ends = [*starts[1:], len(self.value)]
        for start, end, rate in zip(starts, ends, rates.values(), strict=True):
            part = slice(start, end)
            adam_step(
                self.value[part], self.gradient[part], self.mean[part], self.square[part],
                rate, count, self.half[part], betas=(config.beta1, config.beta2),
                epsilon=config.epsilon, sparse=start == 0, weight_decay=config.weight_decay,
            )  # fmt: skip

    def restart_from(self, value: Float[Tensor, " n"]) -> None:
        """Take over all parameters; forget gradients and moments."""
        self.value.copy_(value)
        self.half.copy_(value)
        for state in (self.gradient, self.mean, self.square):
            state.zero_()

    def _view(self, flat: Float[Tensor, " n"], name: str) -> Tensor:
        shape = self._shapes[name]
        start = self._starts[name]
        return flat[start : start + shape.numel()].view(shape)

    def _weights(self, flat: Float[Tensor, " n"], table: Tensor) -> FieldWeights:
        sdf = SdfHeadWeights(*(self._view(flat, n) for n in ("w1", "b1", "w2", "b2")))
        names = (f"colour_{kind}{layer}" for layer in (1, 2, 3) for kind in "wb")
        return FieldWeights(table, sdf, ColourHeadWeights(*(self._view(flat, n) for n in names)))
