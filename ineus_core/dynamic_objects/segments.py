# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of a depth image that hang together, so that a thing moves as a whole."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int32

_APART = 0.03
"""Share of the depth by which neighbouring pixels of one thing may differ: of a floor that is seen
from 1 m above, 3 m away, a pixel of 160 of a Kinect is 2.3 %."""
_LEAST_SHARE = 0.5


def segments_of(depth_m: Float[np.ndarray, "h w"]) -> Int32[np.ndarray, "h w"]:
    """Return a number for each pixel, equal where pixels hang together, 0 where nothing does.

    Of two pixels that are apart the farther one belongs to none: an edge is the nearer thing's.

    Args:
        depth_m: 0 without a return.
    """
    hangs = depth_m > 0
    for axis in (0, 1):
        nearer, farther = (np.moveaxis(hangs, axis, 0)[part] for part in np.s_[:-1, 1:])
        first, second = (np.moveaxis(depth_m, axis, 0)[part] for part in np.s_[:-1, 1:])
        # In place: these are views.
        farther &= ~(second > (1 + _APART) * first) | (first == 0)
        nearer &= ~(first > (1 + _APART) * second) | (second == 0)
    _, numbers = cv2.connectedComponents(hangs.astype(np.uint8), connectivity=4)
    return numbers


def whole_segments(
    numbers: Int32[np.ndarray, "h w"], marked: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Return the pixels of all segments of which at least half is marked."""
    of_all = np.bincount(numbers.reshape(-1))
    of_marked = np.bincount(numbers[marked], minlength=len(of_all))
    is_whole = of_marked >= _LEAST_SHARE * of_all
    is_whole[0] = False
    return is_whole[numbers]
