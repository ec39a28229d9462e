# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in few pixels as small planes, by numba: one call, so that the lock is let go once."""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.plane_fitting.reference import (
    ALL,
    BEND,
    FEWEST_PX,
    FEWEST_SAMPLES,
    NEAREST_M,
    NOISE,
    RADIUS_PX,
    STEP,
    SamplePlaces,
)
from ineus_core.kernels.shapes import expect_shape

_SIDE = 2 * RADIUS_PX + 1
_SUMS = 10
"""Of the pixels around one: 1, x, y, x x, y y, x y; inverse depth times 1, x, y; its square."""


def fitted_planes(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    places: SamplePlaces,
    limits_m: tuple[float, float],
) -> Float[np.ndarray, "h w 3"]:
    """Return what the door says."""
    expect_shape("rows", places.rows, places.columns.shape)
    # An empty one for none: a kernel is compiled for each kind of argument.
    used = np.zeros((0, 0), bool) if mask is None else plain(mask, np.bool_)
    if mask is not None:
        expect_shape("mask", mask, depth_m.shape)
    planes = np.zeros((*places.columns.shape[1:], 3), np.float32)
    _fit(
        plain(depth_m, np.float32),
        used,
        places.columns,
        places.rows,
        places.intrinsics,
        max(limits_m[0], NEAREST_M),
        limits_m[1],
        planes,
    )
    return planes


@jit(error_model="numpy")
def _fit(depth_m, mask, columns, rows, intrinsics, min_m, max_m, planes):  # type: ignore[no-untyped-def]
    given = _inverse(depth_m, mask, np.float32(min_m), np.float32(max_m))
    height_px, width_px = planes.shape[:2]
    # With a rim, in which there is nothing.
    inverse_m = np.zeros((height_px + 2 * RADIUS_PX, width_px + 2 * RADIUS_PX))
    known = np.zeros(inverse_m.shape)
    _add_samples(given, columns, rows, inverse_m, known)
    bend = np.empty((height_px, width_px))
    least = np.empty((height_px, width_px))
    _fit_rows(inverse_m, known, intrinsics, planes, bend, least)
    # Of a sensor that measures by disparity inverse depth has the same noise near and far.
    noise = _median(bend, least)
    for row in range(height_px):
        for column in range(width_px):
            limit = max(least[row, column], NOISE * noise)
            if not (least[row, column] >= 0 and bend[row, column] <= limit):
                planes[row, column] = 0


@jit()
def _median(bend, least):  # type: ignore[no-untyped-def]
    known = np.empty(bend.size)
    count = 0
    for row in range(bend.shape[0]):
        for column in range(bend.shape[1]):
            if least[row, column] >= 0:
                known[count] = bend[row, column]
                count += 1
    return np.median(known[:count]) if count > 0 else 0.0


@jit(error_model="numpy")
def _inverse(depth_m, mask, min_m, max_m):  # type: ignore[no-untyped-def]
    """Return inverse depth, which is linear over a plane; 0 without a return, and in a rim."""
    height_px, width_px = depth_m.shape
    given = np.zeros((height_px + 2, width_px + 2), np.float32)
    for row in range(height_px):
        line = given[row + 1]
        for column in range(width_px):
            m = depth_m[row, column]
            is_return = (m >= min_m) & (m <= max_m)
            line[column + 1] = np.float32(1) / m if is_return else np.float32(0)
        if mask.size > 0:
            for column in range(width_px):
                if not mask[row, column]:
                    line[column + 1] = np.float32(0)
    return given


@jit(error_model="numpy")
def _add_samples(given, columns, rows, inverse_m, known):  # type: ignore[no-untyped-def]
    """Write the mean of the samples in each small pixel, and 1 where it has enough of them."""
    samples, height_px, width_px = columns.shape
    height, width = np.float32(given.shape[0] - 1), np.float32(given.shape[1] - 1)
    count, total = np.empty(width_px), np.empty(width_px)
    least, most = np.empty(width_px, np.float32), np.empty(width_px, np.float32)
    for row in range(height_px):
        for column in range(width_px):
            count[column], total[column] = 0, 0
            least[column], most[column] = np.inf, -np.inf
        for sample in range(samples):
            for column in range(width_px):
                x, y = columns[sample, row, column], rows[sample, row, column]
                share, value = _between(given, x, y, width, height)
                if share > np.float32(ALL):
                    count[column] += 1
                    # In double: planes are fitted to small differences.
                    total[column] += value
                    least[column] = value if value < least[column] else least[column]
                    most[column] = value if value > most[column] else most[column]
        for column in range(width_px):
            mean = total[column] / max(count[column], 1.0)
            # None of them across an edge.
            if (
                count[column] >= FEWEST_SAMPLES * samples
                and most[column] - least[column] < STEP * mean
            ):
                inverse_m[RADIUS_PX + row, RADIUS_PX + column] = mean
                known[RADIUS_PX + row, RADIUS_PX + column] = 1


@jit()
def _between(given, x, y, width, height):  # type: ignore[no-untyped-def]
    """Return how much of what lies around a place has returns, and its inverse depth."""
    zero, one = np.float32(0), np.float32(1)
    # Counted from the rim, where no number is below 0; asked for so that NaN leaves as well.
    x, y = x + one, y + one
    if not ((x >= zero) & (y >= zero) & (x < width) & (y < height)):
        return zero, zero
    left, top = np.uint32(x), np.uint32(y)
    right, down = x - np.float32(left), y - np.float32(top)
    value = given[top, left]
    # On a pixel, as most samples of a camera without a lens are.
    if (right == zero) & (down == zero):
        return (one if value > zero else zero), value
    share, total = zero, zero
    for corner in range(4):
        i, j = corner // 2, corner % 2
        weight = (down if i == 1 else one - down) * (right if j == 1 else one - right)
        value = given[top + np.uint32(i), left + np.uint32(j)]
        share += weight if value > zero else zero
        total += weight * value
    return share, total


@jit(error_model="numpy")
def _fit_rows(inverse_m, known, intrinsics, planes, bend, least):  # type: ignore[no-untyped-def]
    """Fit planes; write also their bend, and how much is allowed at least, -1 without a plane."""
    height_px, width_px = planes.shape[:2]
    down = np.empty((6, inverse_m.shape[1]))
    sums = np.empty((_SUMS, width_px))
    for row in range(height_px):
        _add_down(inverse_m, known, row, down)
        _add_along(down, sums)
        for column in range(width_px):
            least[row, column] = -1
            is_enough = known[RADIUS_PX + row, RADIUS_PX + column] > 0
            if is_enough and sums[0, column] > FEWEST_PX * _SIDE**2:
                _fit_pixel(sums, row, column, intrinsics, planes, bend, least)


@jit(error_model="numpy")
def _add_down(inverse_m, known, row, down):  # type: ignore[no-untyped-def]
    """Sum up over the rows around one: 1, y and y y of what is known; value, y and its square."""
    down[:] = 0
    for i in range(_SIDE):
        y = np.float64(i - RADIUS_PX)
        for column in range(down.shape[1]):
            there, value = known[row + i, column], inverse_m[row + i, column]
            down[0, column] += there
            down[1, column] += y * there
            down[2, column] += y * y * there
            down[3, column] += value
            down[4, column] += y * value
            down[5, column] += value * value


@jit(error_model="numpy")
def _add_along(down, sums):  # type: ignore[no-untyped-def]
    sums[:] = 0
    for j in range(_SIDE):
        x = np.float64(j - RADIUS_PX)
        for column in range(sums.shape[1]):
            there, value = down[0, column + j], down[3, column + j]
            sums[0, column] += there
            sums[1, column] += x * there
            sums[2, column] += down[1, column + j]
            sums[3, column] += x * x * there
            sums[4, column] += down[2, column + j]
            sums[5, column] += x * down[1, column + j]
            sums[6, column] += value
            sums[7, column] += x * value
            sums[8, column] += down[4, column + j]
            sums[9, column] += down[5, column + j]


@jit(error_model="numpy")
def _fit_pixel(sums, row, column, intrinsics, planes, bend, least):  # type: ignore[no-untyped-def]
    each = 1 / sums[0, column]
    x, y, value = sums[1, column] * each, sums[2, column] * each, sums[6, column] * each
    xx, yy = sums[3, column] * each - x * x, sums[4, column] * each - y * y
    xy = sums[5, column] * each - x * y
    of_x, of_y = sums[7, column] * each - x * value, sums[8, column] * each - y * value
    # More than half of a square never lie on one line.
    area = xx * yy - xy * xy
    right, down = (of_x * yy - of_y * xy) / area, (of_y * xx - of_x * xy) / area
    # What is left of the variance after the plane: no second pass over the picture.
    left = sums[9, column] * each - value * value - right * of_x - down * of_y
    bend[row, column] = np.sqrt(max(left, 0.0))
    least[row, column] = BEND * value
    at_pixel = value - right * x - down * y
    fx, fy, cx, cy = intrinsics
    planes[row, column, 0] = right * fx
    planes[row, column, 1] = down * fy
    planes[row, column, 2] = at_pixel - right * (column + 0.5 - cx) - down * (row + 0.5 - cy)
