# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What every training step notes of itself: how many, their losses, and a snapshot to go back to.

The eager and the captured step differ in how they take a step, not in what they keep of it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.training.config import TrainingConfig
from ineus_core.training.losses import LossWeights, loss_names

_LOG = logging.getLogger(__name__)


class StepRecord:
    """Steps, sums since the last report, and the parameters of the last sound step.

    Args:
        config: Ramps of the weights, and how often a snapshot is taken.
        values: All that is trained; stays where it is.
        forget: Clears gradients and moments after a roll-back.
        device: Where the sums lie.
    """

    def __init__(
        self,
        config: TrainingConfig,
        values: Sequence[Float[Tensor, "..."]],
        forget: Callable[[], None],
        device: torch.device,
    ) -> None:
        """Begin at step 0 with a snapshot of the values as they are."""
        self._config, self._values, self._forget = config, list(values), forget
        self._names = loss_names()
        self.steps = 0
        self.counters: Counter[str] = Counter()
        self.weights = config.weights
        """Of the newest step."""
        self.loss_sum = torch.zeros(len(self._names), device=device)
        # 64 bits: a long run passes 2^31 samples in some seconds.
        self.samples, self.bad_steps = torch.zeros(2, dtype=torch.int64, device=device).unbind()
        self.steps_summed = 0
        self._snapshot = [value.detach().clone() for value in self._values]

    def begin_step(self) -> LossWeights:
        """Return the weights of the step that is about to be taken."""
        self.weights = self._config.ramps.weights_at(self.steps, self._config.weights)
        return self.weights

    def add(
        self,
        losses: Float[Tensor, " terms"],
        samples: Int[Tensor, ""],
        is_bad: Bool[Tensor, ""] | None = None,
    ) -> None:
        """Add the figures of a step to the sums, without a look at the device.

        Args:
            losses: Unweighted terms.
            samples: How many of the samples were no padding.
            is_bad: Whether loss or gradient are not finite, where nobody has asked yet.
        """
        self.loss_sum += losses
        self.samples += samples
        if is_bad is not None:
            self.bad_steps += is_bad

    def end_step(self) -> None:
        """Count the step, and renew the snapshot when it is time."""
        self.steps += 1
        self.steps_summed += 1
        # Also waits for the device, which is why it is not done in every step.
        if self.steps % self._config.snapshot_every == 0 and self.check():
            for kept, value in zip(self._snapshot, self._values, strict=True):
                kept.copy_(value.detach())

    def check(self) -> bool:
        """Decide whether steps and values are finite, else roll back; waits for the device."""
        # An entry that no ray has touched since makes no step bad, but a snapshot that is.
        sums = torch.stack([value.detach().sum() for value in self._values])
        is_broken = ~sums.sum().isfinite()
        # Values that broke without a bad step count as one, as nobody knows since when.
        bad = int(torch.maximum(self.bad_steps, is_broken.long()))
        if bad:
            self.roll_back(bad)
        return bad == 0

    @torch.no_grad()
    def roll_back(self, bad_steps: int = 1) -> None:
        """Return to the last snapshot, and count the steps that were not finite."""
        self.counters["steps_rolled_back"] += bad_steps
        _LOG.warning(
            "%d steps up to %d not finite: the last snapshot is back", bad_steps, self.steps
        )
        for value, kept in zip(self._values, self._snapshot, strict=True):
            value.copy_(kept)
        # Moments that led to the bad step are not to lead there again.
        self._forget()
        self.bad_steps.zero_()
        self.loss_sum.zero_()
        self.steps_summed = 0

    def take_means(self) -> tuple[dict[str, float], int, int]:
        """Return mean losses, samples and steps since the last call; waits for the device."""
        # A report of steps that are taken back would tell what never was.
        self.check()
        steps = max(self.steps_summed, 1)
        means = dict(zip(self._names, (self.loss_sum / steps).tolist(), strict=True))
        means["total"] = sum(getattr(self.weights, name) * means[name] for name in self._names)
        samples, taken = int(self.samples), self.steps_summed
        self.loss_sum.zero_()
        self.samples.zero_()
        self.steps_summed = 0
        return means, samples, taken
