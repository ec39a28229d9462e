# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which blocks of a box hold new returns, where a kernel can write it."""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class BlockFlags:
    """Flags of the blocks of a box of the world."""

    flags: Int[Tensor, "bx by bz"]
    """0, or the number of the image that first had a return in the block."""
    low: tuple[int, int, int]
    """Index of the first block."""
    block_m: float
    margin_m: float
    """A block this near to a return is flagged too."""
