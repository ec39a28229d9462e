# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Adam over one flat buffer for NVIDIA GPUs, in Triton, in one pass."""

import math

import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

_GROUPS = 128
_GROUP = 8
"""Neighbouring entries that are read and written together: a sector of the memory."""


def adam_step(
    parameters: Float[Tensor, " n"],
    gradient: Float[Tensor, " n"],
    mean: Float[Tensor, " n"],
    square: Float[Tensor, " n"],
    learning_rate: Float[Tensor, ""],
    step: Float[Tensor, ""],
    half: Float[Tensor, " n"] | None = None,
    betas: tuple[float, float] = (0.9, 0.99),
    epsilon: float = 1e-15,
    sparse: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Update in place and zero `gradient`; see the door. Allocates nothing."""
    n = len(parameters)
    if n == 0:
        return
    _adam[(triton.cdiv(n, _GROUPS * _GROUP),)](
        parameters, gradient, mean, square, half, learning_rate, step, n,
        betas[0], betas[1], math.log2(betas[0]), math.log2(betas[1]), epsilon, weight_decay,
        SPARSE=sparse, DECAY=weight_decay != 0, GROUPS=_GROUPS, GROUP=_GROUP,
    )  # fmt: skip


@triton.jit
def _adam(
    parameters, gradients, means, squares, halves, learning_rate, step, n,
    beta1, beta2, log2_beta1, log2_beta2, epsilon, weight_decay,
    SPARSE: tl.constexpr, DECAY: tl.constexpr, GROUPS: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    group = tl.program_id(0) * GROUPS + tl.arange(0, GROUPS)
    i = group[:, None] * GROUP + tl.arange(0, GROUP)[None, :]
    mask = i < n
    gradient = tl.load(gradients + i, mask, other=0.0)
    count = tl.load(step).to(tl.float32)
    # Rate and step are read from the device, so that a captured launch follows their schedules.
    # beta^step by exp2, as the step is a number on the device.
    size = tl.load(learning_rate) / (1.0 - tl.exp2(count * log2_beta1))
    correction = 1.0 / (1.0 - tl.exp2(count * log2_beta2))
    changed, inside = mask, mask
    # Skipping them took a whole step from 0.915 to 0.879 ms (benchmarks/README.md).
    if SPARSE:
        # Whole sectors are skipped in memory, single entries in value.
        touched = tl.max((gradient != 0.0).to(tl.int32), 1) != 0
        mask = mask & touched[:, None]
        changed = gradient != 0.0
    # Nearly all of a large table rests in a step: such sectors are not even read.
    old_mean = tl.load(means + i, mask, other=0.0)
    old_square = tl.load(squares + i, mask, other=0.0)
    if not DECAY:
        # Only what decays changes without a gradient.
        inside = mask
    old = tl.load(parameters + i, inside, other=0.0)
    # Decay acts on all entries, also on those that rest.
    if DECAY:
        old *= 1.0 - tl.load(learning_rate) * weight_decay
    mean = beta1 * old_mean + (1.0 - beta1) * gradient
    square = beta2 * old_square + (1.0 - beta2) * gradient * gradient
    new = old - size * mean / (tl.sqrt(square * correction) + epsilon)
    # An entry without a gradient rests, and its moments with it (instant-ngp, sec. 4).
    new = tl.where(changed, new, old)
    tl.store(means + i, tl.where(changed, mean, old_mean), mask)
    tl.store(squares + i, tl.where(changed, square, old_square), mask)
    tl.store(parameters + i, new, inside)
    tl.store(gradients + i, tl.zeros_like(gradient), mask)
    if halves is not None:
        tl.store(halves + i, new, inside)
