# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether one view of depth shows the surface of another or looks through it, by numba."""

import numpy as np
from jaxtyping import Float, Int, Int8

from ineus_core.kernels.depth_comparison.reference import (
    LOOKS_THROUGH,
    NEAREST_M,
    SHOWS,
    TELLS_NOTHING,
    DepthViews,
)
from ineus_core.kernels.jit import in_parallel, jit, plain, views_in_a_part
from ineus_core.kernels.shapes import expect_shape


def compare_depth(
    views: DepthViews,
    pairs: Int[np.ndarray, "pairs 2"],
    second_from_first: Float[np.ndarray, "pairs 4 4"],
    stride_px: int,
) -> Int8[np.ndarray, "pairs rows columns"]:
    """Return what the door says."""
    count, height_px, width_px = views.depth_m.shape
    expect_shape("nearest_m", views.nearest_m, views.depth_m.shape)
    expect_shape("intrinsics", views.intrinsics, (count, 4))
    expect_shape("second_from_first", second_from_first, (len(pairs), 4, 4))
    if len(pairs) and not (0 <= pairs.min() and pairs.max() < count):
        raise ValueError(f"pairs of views up to {pairs.max()}: expected 0 to {count - 1}")
    size = tuple(len(range(stride_px // 2, side, stride_px)) for side in (height_px, width_px))
    told = np.full((len(pairs), *size), TELLS_NOTHING, np.int8)
    in_parallel(
        _compare,
        len(pairs),
        plain(views.depth_m, np.float32),
        plain(views.nearest_m, np.float32),
        plain(views.intrinsics, np.float64),
        plain(pairs, np.int64),
        plain(second_from_first, np.float64),
        views.tolerance_m,
        views.tolerance_per_m,
        stride_px,
        told,
        least=views_in_a_part(size[0] * size[1]),
    )
    return told


@jit()
def _compare(  # type: ignore[no-untyped-def]
    begin, end, depth_m, nearest_m, intrinsics, pairs, motions, tolerance_m, per_m, stride_px, told
):
    for pair in range(begin, end):
        first, second = pairs[pair, 0], pairs[pair, 1]
        _compare_pair(
            depth_m[first], depth_m[second], nearest_m[second], intrinsics[first],
            intrinsics[second], motions[pair], tolerance_m, per_m, stride_px, told[pair],
        )  # fmt: skip


# Threads share pairs, not rows: each writes to a part of the result of its own.
@jit(error_model="numpy")
def _compare_pair(  # type: ignore[no-untyped-def]
    first, second, nearest, of_first, of_second, motion, tolerance_m, per_m, stride_px, told
):
    height_px, width_px = second.shape
    for i in range(told.shape[0]):
        row = stride_px // 2 + i * stride_px
        for j in range(told.shape[1]):
            column = stride_px // 2 + j * stride_px
            depth = np.float64(first[row, column])
            # Also NaN, which is above nothing.
            if not depth > 0:
                continue
            # Centres of pixels are at halves.
            px = depth * (column + 0.5 - of_first[2]) / of_first[0]
            py = depth * (row + 0.5 - of_first[3]) / of_first[1]
            z = motion[2, 0] * px + motion[2, 1] * py + motion[2, 2] * depth + motion[2, 3]
            if not z > NEAREST_M:
                continue
            x = motion[0, 0] * px + motion[0, 1] * py + motion[0, 2] * depth + motion[0, 3]
            y = motion[1, 0] * px + motion[1, 1] * py + motion[1, 2] * depth + motion[1, 3]
            u, v = of_second[0] * x / z + of_second[2], of_second[1] * y / z + of_second[3]
            if not (u >= 0 and v >= 0 and u < width_px and v < height_px):
                continue
            there = np.float64(second[int(v), int(u)])
            # The noise of depth sensors grows with the square of the range.
            limit = tolerance_m + per_m * z * z
            if there > 0 and abs(there - z) <= limit:
                told[i, j] = SHOWS
            # All returns around have to lie behind: beside an edge a single pixel may just miss
            # what stands there.
            elif np.float64(nearest[int(v), int(u)]) > z + limit:
                told[i, j] = LOOKS_THROUGH
