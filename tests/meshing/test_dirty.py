# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks that are out of date: in order, each once, marked by points or by flags."""

import numpy as np
import torch

from ineus_core.meshing import DirtyBlocks

CPU = torch.device("cpu")


def test_the_longest_dirty_come_first_and_are_clean_then() -> None:
    dirty = DirtyBlocks(1.0, 0.1, CPU)
    dirty.mark(np.array([[0.5, 0.5, 0.5]]))
    dirty.mark(np.array([[5.5, 0.5, 0.5], [0.5, 0.5, 0.5]]))
    # 4.05 is within 10 cm of the block before.
    dirty.mark(np.array([[4.05, 0.5, 0.5]]))
    assert dirty.take(2) == [(0, 0, 0), (5, 0, 0)]
    assert dirty.take(9) == [(3, 0, 0), (4, 0, 0)]
    assert len(dirty) == 0


def test_flags_keep_the_order_of_the_images() -> None:
    dirty = DirtyBlocks(1.0, 0.1, CPU)
    box = np.array([[-1.0, 0, 0], [2.0, 1, 1]])
    flags, number = dirty.flags_over(box)
    assert (flags.low, tuple(flags.flags.shape), number) == ((-2, -1, -1), (5, 3, 3), 1)
    flags.flags[3, 1, 1] = number
    again, second = dirty.flags_over(box)
    assert again is flags and second == 2
    flags.flags[1, 1, 1] = second
    # A larger box takes over what was flagged.
    larger, _ = dirty.flags_over(box * 2)
    assert larger is not flags
    larger.flags[0, 1, 1] = 1
    assert dirty.take(9) == [(1, 0, 0), (-1, 0, 0), (-3, 0, 0)]
    assert dirty.take(9) == []
