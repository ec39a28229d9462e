# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether one view of depth shows the surface of another, or looks through it; depth for that.

Versions: plain numpy, numba in one pass over the pixels. Both run on the host, where depth comes
from, so that no answer waits for a GPU that trains.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from ineus_core.kernels.depth_comparison.reference import (
    LOOKS_THROUGH,
    NEAREST_M,
    SHOWS,
    TELLS_NOTHING,
    DepthViews,
    Window,
)
from ineus_core.kernels.dispatch import HOST, fastest

__all__ = [
    "LOOKS_THROUGH",
    "NEAREST_M",
    "SHOWS",
    "TELLS_NOTHING",
    "DepthViews",
    "Window",
    "compare_depth",
    "depth_around",
]


def compare_depth(
    views: DepthViews,
    pairs: Int[np.ndarray, "pairs 2"],
    second_from_first: Float[np.ndarray, "pairs 4 4"],
    stride_px: int = 1,
) -> Int8[np.ndarray, "pairs rows columns"]:
    """Return what each second view tells of the surfaces in the pixels of its first view.

    `SHOWS`: its return lies there, within the tolerance. `LOOKS_THROUGH`: all of its returns
    around lie farther away than the tolerance. Else `TELLS_NOTHING`: hidden, outside, or without a
    return.

    Args:
        pairs: Rows of `views`.
        second_from_first: Rigid.
        stride_px: Of each so many rows and columns of the first view, one is compared.

    Raises:
        ValueError: Shapes or rows that do not fit.
    """
    return fastest("depth_comparison", HOST).compare_depth(
        views, pairs, second_from_first, stride_px
    )


def depth_around(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    window: Window,
    limits_m: tuple[float, float],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return the depth in some pixels, and the least around them.

    Both are 0 without a return; the least is 0 where any return around is missing.

    Args:
        mask: Which pixels may be used; None: all.
        limits_m: Returns nearer or farther count as none.

    Raises:
        ValueError: Shapes that do not fit.
    """
    return fastest("depth_comparison", HOST).depth_around(depth_m, mask, window, limits_m)
