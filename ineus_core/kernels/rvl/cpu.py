# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding of depth images in RVL, compiled at run time by numba."""

import numpy as np
from jaxtyping import UInt16, UInt32

from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape


def decode_rvl(
    words: UInt32[np.ndarray, " n"], pixels: int
) -> UInt16[np.ndarray, " pixels"] | None:
    """Return the pixels, or None if the stream ends before them; see the door."""
    expect_shape("words", words, (-1,))
    depth = np.zeros(pixels, np.uint16)
    return depth if _decode(plain(words, np.uint32), depth) else None


@jit(inline="always")
def _number(words, at):  # type: ignore[no-untyped-def]
    """Read a number: groups of three bits, lowest first, each under a bit that tells of more.

    Args:
        at: Nibbles read so far, highest of a word first.
    """
    value, shift = 0, 0
    while True:
        # The stream is somebody else's: one that ends early or a number without an end must not
        # read on.
        if at >= 8 * len(words) or shift > 30:
            return 0, -1
        nibble = (np.int64(words[at >> 3]) >> (28 - 4 * (at & 7))) & 15
        at += 1
        value |= (nibble & 7) << shift
        shift += 3
        if nibble < 8:
            return value, at


@jit()
def _decode(words, depth):  # type: ignore[no-untyped-def]
    """Fill in runs of zeros and of values, each the zigzag of its step from the last one."""
    place, at, previous = 0, 0, 0
    while place < len(depth):
        zeros, at = _number(words, at)
        if at < 0 or zeros > len(depth) - place:
            return False
        place += zeros
        values, at = _number(words, at)
        if at < 0 or values > len(depth) - place:
            return False
        for _ in range(values):
            zigzag, at = _number(words, at)
            if at < 0:
                return False
            # The lowest bit is the sign, so that small steps of either sign are small numbers.
            previous += (zigzag >> 1) ^ -(zigzag & 1)
            depth[place] = previous
            place += 1
        # A stream of zeros would go on for ever.
        if zeros == 0 and values == 0:
            return False
    return True
