# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in some pixels and the least around them, by numba."""

import numpy as np

from ineus_core.kernels.jit import jit


@jit()
def look_around(depth_m, mask, columns, rows, side_px, min_m, max_m, there_m, nearest_m):  # type: ignore[no-untyped-def]
    """Write the depth in pixels and the least around them, 0 where there is none."""
    believed_m = _believed(depth_m, mask, min_m, max_m)
    height_px, width_px = believed_m.shape
    # The least of columns first, of rows that are asked for: without a lens a few of all.
    least_m = np.empty((height_px, width_px + side_px), np.float32)
    is_known = np.zeros(height_px, np.bool_)
    first = side_px // 2
    for i in range(columns.shape[0]):
        for j in range(columns.shape[1]):
            there_m[i, j] = nearest_m[i, j] = np.float32(0)
            # Halves to the even number, as OpenCV rounds them.
            u, v = np.rint(columns[i, j]), np.rint(rows[i, j])
            if not (u >= 0 and v >= 0 and u < width_px and v < height_px):
                continue
            column, row = np.int64(u), np.int64(v)
            if not is_known[row]:
                _least_of_columns(believed_m, row - first, side_px, least_m[row])
                is_known[row] = True
            there_m[i, j] = believed_m[row, column]
            # Its rim of so many pixels is to the left.
            least = least_m[row, column]
            for k in range(1, side_px):
                least = min(least, least_m[row, column + k])
            nearest_m[i, j] = least


@jit()
def _believed(depth_m, mask, min_m, max_m):  # type: ignore[no-untyped-def]
    believed_m = np.empty(depth_m.shape, np.float32)
    for row in range(depth_m.shape[0]):
        given_m, to_m = depth_m[row], believed_m[row]
        for column in range(len(to_m)):
            is_within = (given_m[column] >= min_m) & (given_m[column] <= max_m)
            to_m[column] = given_m[column] if is_within else np.float32(0)
        if len(mask):
            is_used = mask[row]
            for column in range(len(to_m)):
                to_m[column] = to_m[column] if is_used[column] else np.float32(0)
    return believed_m


@jit()
def _least_of_columns(depth_m, begin, side_px, least_m):  # type: ignore[no-untyped-def]
    """Write the least of so many rows in each column, with a rim of 0 around the picture."""
    height_px, width_px = depth_m.shape
    left = side_px // 2
    least_m[:] = 0
    if begin < 0 or begin + side_px > height_px:
        return
    inner_m = least_m[left : left + width_px]
    inner_m[:] = depth_m[begin]
    for row in range(begin + 1, begin + side_px):
        other_m = depth_m[row]
        for column in range(width_px):
            inner_m[column] = (
                other_m[column] if other_m[column] < inner_m[column] else inner_m[column]
            )
