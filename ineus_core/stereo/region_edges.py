# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where plain regions end, and how far away what begins there is.

What is found within some pixels of an edge is worth little, as it is wider or narrower than the
thing. So inverse depth is carried to the edge from beyond these, by its slopes.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

_EDGE_PX = 2
"""Plain regions end so far from an edge, as its blur is not plain."""
_SLOPE_PX = 2
_BEND = 0.02
"""Share of the inverse depth by which it may bend over twice that."""
_AROUND_PX, _LEAST_PX = 4, 8
"""Reach of the square that is carried to an edge, and pixels in it."""


@dataclass(frozen=True)
class Surroundings:
    """Inverse depth around each pixel, as a plane through what is sure outside of regions."""

    q: Float[np.ndarray, "h w"]
    """At the pixel itself; 0 where too little is sure."""

    def at_edge_of(self, region: UInt8[np.ndarray, "h w"]) -> Int[np.ndarray, " n"]:
        """Return the flat indices of the pixels along a region's edge that have a depth."""
        return np.flatnonzero(edge_of(region) & (self.q > 0))


def edge_of(region: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels along the edge of a region, not along the border of the picture."""
    near, nearer = (cv2.dilate(region, square(reach)) for reach in (_EDGE_PX, _EDGE_PX - 1))
    return near > nearer


def surroundings(
    q: Float[np.ndarray, "h w"], regions: Sequence[UInt8[np.ndarray, "h w"]]
) -> Surroundings:
    """Carry sure inverse depth to the edges of regions.

    Args:
        q: Inverse depth; 0 where it is not sure.
        regions: 1 within each.
    """
    q = q.astype(np.float32)
    plain = functools.reduce(np.bitwise_or, regions, np.zeros(q.shape, np.uint8))
    outside = cv2.dilate(plain, square(_EDGE_PX)) == 0
    s = _SLOPE_PX
    middle = (slice(s, -s),) * 2
    left, right = q[s:-s, : -2 * s], q[s:-s, 2 * s :]
    above, below = q[: -2 * s, s:-s], q[2 * s :, s:-s]
    bend = np.maximum(abs(left + right - 2 * q[middle]), abs(above + below - 2 * q[middle]))
    # As a bend, a hole is a large one.
    is_smooth = outside[middle] & (q[middle] > 0) & (bend < _BEND * q[middle])
    some = np.zeros((6, *q.shape), np.float32)
    y, x = np.mgrid[: q.shape[0], : q.shape[1]].astype(np.float32)
    parts = (1.0, q[middle], (right - left) / (2 * s), (below - above) / (2 * s), x[middle],
             y[middle])  # fmt: skip
    for sums, part in zip(some, parts, strict=True):
        sums[middle] = np.where(is_smooth, part, 0)
        sums[:] = cv2.boxFilter(
            sums, -1, (2 * _AROUND_PX + 1,) * 2, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
    count = np.maximum(some[0], 1)
    mean_q, slope_x, slope_y, mean_x, mean_y = some[1:] / count
    carried = mean_q + slope_x * (x - mean_x) + slope_y * (y - mean_y)
    return Surroundings(np.where((some[0] >= _LEAST_PX) & (carried > 0), carried, 0))


def square(reach_px: int) -> UInt8[np.ndarray, "side side"]:
    """Return a square for morphology."""
    return np.ones((2 * reach_px + 1,) * 2, np.uint8)
