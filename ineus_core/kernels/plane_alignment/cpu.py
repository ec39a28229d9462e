# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far surfaces that two views show lie apart, by numba: one pass over the pixels."""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.jit import in_parallel, jit, plain, views_in_a_part
from ineus_core.kernels.plane_alignment.reference import (
    ALIKE,
    HALF_WEIGHT_M,
    NEAREST_M,
    REACH,
    SUMS,
    PlaneViews,
)
from ineus_core.kernels.shapes import expect_shape

_POINTS = 160
_TERMS = 8
_ROWS = 14
"""Of points: planes, points in the second camera, squares of the planes' lengths; of
the planes that they fall on: themselves, cosines to the first, squares of lengths, distances; and
weights."""


def alignment_sums(
    views: PlaneViews,
    pairs: Int[np.ndarray, "pairs 2"],
    second_from_first: Float[np.ndarray, "pairs 4 4"],
    scale_m: float,
    stride_px: int,
) -> Float[np.ndarray, "pairs 29"]:
    """Return the sums of the door's equations."""
    count = len(views.planes)
    expect_shape("planes", views.planes, (*views.planes.shape[:3], 3))
    height_px, width_px = views.planes.shape[1:3]
    expect_shape("intrinsics", views.intrinsics, (count, 4))
    expect_shape("second_from_first", second_from_first, (len(pairs), 4, 4))
    if len(pairs) and not (0 <= pairs.min() and pairs.max() < count):
        raise ValueError(f"pairs of views up to {pairs.max()}: expected 0 to {count - 1}")
    # A row for each pair, so that no two threads add to the same number.
    sums = np.zeros((len(pairs), SUMS))
    in_parallel(
        add_up,
        len(pairs),
        plain(views.planes, np.float32),
        plain(views.intrinsics, np.float64),
        plain(pairs, np.int64),
        plain(second_from_first, np.float64),
        scale_m,
        stride_px,
        sums,
        least=views_in_a_part(height_px * width_px // stride_px**2),
    )
    return sums


@jit()
def add_up(begin, end, planes, intrinsics, pairs, motions, scale_m, stride_px, sums):  # type: ignore[no-untyped-def]
    columns = len(range(stride_px // 2, planes.shape[2], stride_px))
    rows = len(range(stride_px // 2, planes.shape[1], stride_px))
    # Some rows at once: as many points as the nearest cache holds.
    step = max(1, _POINTS // max(1, columns))
    # Of those points that count: what the distance changes by with each motion, the distance, one;
    # and the same with the weight of the point.
    terms, weighted = np.empty((_TERMS, rows * columns)), np.empty((_TERMS, rows * columns))
    at, pixel = np.empty((_ROWS, step * columns)), np.empty(step * columns, np.int32)
    for pair in range(begin, end):
        first, second = planes[pairs[pair, 0]], planes[pairs[pair, 1]]
        of_first, of_second = intrinsics[pairs[pair, 0]], intrinsics[pairs[pair, 1]]
        there, count = second.reshape(-1, 3), 0
        for i in range(0, rows, step):
            _read(first, of_first, i, min(step, rows - i), columns, stride_px, at)
            _move(at[0], at[1], at[2], at[7], at[8], at[9], motions[pair], at[3], at[4], at[5])
            _find(at[3], at[4], at[5], of_second, second.shape[0], second.shape[1], pixel)
            _squares(at[0], at[1], at[2], at[6])
            _look(there, pixel, at)
            _weigh(at, motions[pair], scale_m)
            count = _take(at, terms, weighted, count)
        _add(terms, weighted, count, sums[pair])


@jit(error_model="numpy")
def _read(planes, intrinsics, begin, rows, columns, stride_px, at):  # type: ignore[no-untyped-def]
    """Write the planes of some rows, and where their rays meet the plane z = 1."""
    fx, fy, cx, cy = intrinsics
    a, b, c, ray_x, ray_y = at[0], at[1], at[2], at[7], at[8]
    for i in range(rows):
        row = stride_px // 2 + (begin + i) * stride_px
        y = (row + 0.5 - cy) / fy
        for j in range(columns):
            column = stride_px // 2 + j * stride_px
            to = i * columns + j
            a[to], b[to], c[to] = planes[row, column]
            ray_x[to], ray_y[to] = (column + 0.5 - cx) / fx, y
    for to in range(rows * columns, len(a)):
        # Where there are no more rows there are no planes.
        a[to] = b[to] = c[to] = 0.0


# Points in loops without a branch, each of which writes one array, so that several are worked out
# at once. In double precision, as the distances that count are small differences.
@jit(error_model="numpy")
def _move(a, b, c, ray_x, ray_y, along_m, motion, x, y, z):  # type: ignore[no-untyped-def]
    """Write where rays meet their planes, in the second camera; no number where they hardly do."""
    for j in range(len(a)):
        inverse_m = a[j] * ray_x[j] + b[j] * ray_y[j] + c[j]
        along_m[j] = 1 / inverse_m if inverse_m > 1e-3 else np.nan
    _along(ray_x, ray_y, along_m, motion[0], x)
    _along(ray_x, ray_y, along_m, motion[1], y)
    _along(ray_x, ray_y, along_m, motion[2], z)


@jit()
def _along(ray_x, ray_y, along_m, motion, to):  # type: ignore[no-untyped-def]
    of_x, of_y, of_z, shift_m = motion
    for j in range(len(to)):
        to[j] = (of_x * ray_x[j] + of_y * ray_y[j] + of_z) * along_m[j] + shift_m


@jit()
def _squares(a, b, c, squares):  # type: ignore[no-untyped-def]
    for j in range(len(squares)):
        squares[j] = a[j] * a[j] + b[j] * b[j] + c[j] * c[j]


@jit(error_model="numpy")
def _find(x, y, z, intrinsics, height_px, width_px, pixel):  # type: ignore[no-untyped-def]
    """Write the number of the pixel that each point falls on; -1: none."""
    fx, fy, cx, cy = intrinsics
    height, width, row_px = np.float64(height_px), np.float64(width_px), np.int32(width_px)
    for j in range(len(pixel)):
        once = 1 / z[j]
        u, v = fx * x[j] * once + cx, fy * y[j] * once + cy
        # Also NaN, which is above nothing.
        is_inside = (z[j] > NEAREST_M) & (u >= 0.0) & (v >= 0.0) & (u < width) & (v < height)
        pixel[j] = np.int32(v) * row_px + np.int32(u) if is_inside else np.int32(-1)


@jit()
def _look(planes, pixel, at):  # type: ignore[no-untyped-def]
    """Write the planes that are in pixels; 0 0 0 where there are none."""
    for j in range(len(pixel)):
        index = np.uint32(pixel[j]) if pixel[j] >= 0 else np.uint32(0)
        is_there = 1.0 if pixel[j] >= 0 else 0.0
        for axis in range(3):
            at[7 + axis, j] = is_there * planes[index, axis]


@jit(error_model="numpy")
def _weigh(at, motion, scale_m):  # type: ignore[no-untyped-def]
    """Write squares of lengths of planes that points fall on, distances to them and weights."""
    a, b, c, x, y, z, square = at[0], at[1], at[2], at[3], at[4], at[5], at[6]
    p, q, r, cosine, there, off_m, weight = (
        at[7], at[8], at[9], at[10], at[11], at[12], at[13]
    )  # fmt: skip
    m00, m01, m02, _ = motion[0]
    m10, m11, m12, _ = motion[1]
    m20, m21, m22, _ = motion[2]
    for j in range(len(a)):
        # Of both planes, with their lengths.
        cosine[j] = (
            (m00 * a[j] + m01 * b[j] + m02 * c[j]) * p[j]
            + (m10 * a[j] + m11 * b[j] + m12 * c[j]) * q[j]
            + (m20 * a[j] + m21 * b[j] + m22 * c[j]) * r[j]
        )
    _squares(p, q, r, there)
    for j in range(len(a)):
        off_m[j] = (1 - p[j] * x[j] - q[j] * y[j] - r[j] * z[j]) / np.sqrt(there[j])
    for j in range(len(a)):
        is_alike = cosine[j] >= ALIKE * np.sqrt(there[j] * square[j])
        # Not where there is no plane: its distance is no number.
        is_same = is_alike & (abs(off_m[j]) <= REACH * scale_m)
        share = 1 + (off_m[j] / scale_m) * (off_m[j] / scale_m)
        far = (z[j] / HALF_WEIGHT_M) * (z[j] / HALF_WEIGHT_M)
        weight[j] = 1 / (share * share * (1 + far * far)) if is_same else 0.0


@jit(error_model="numpy")
def _take(at, terms, weighted, count):  # type: ignore[no-untyped-def]
    """Append the points of some that count; how many there are."""
    for j in range(at.shape[1]):
        weight = at[13, j]
        if weight == 0:
            continue
        to_unit = -1 / np.sqrt(at[11, j])
        x, y, z = at[3, j], at[4, j], at[5, j]
        nx, ny, nz = at[7, j] * to_unit, at[8, j] * to_unit, at[9, j] * to_unit
        terms[0, count], terms[1, count], terms[2, count] = nx, ny, nz
        terms[3, count] = y * nz - z * ny
        terms[4, count] = z * nx - x * nz
        terms[5, count] = x * ny - y * nx
        terms[6, count], terms[7, count] = at[12, j], 1.0
        for term in range(_TERMS):
            weighted[term, count] = weight * terms[term, count]
        count += 1
    return count


@jit()
def _add(terms, weighted, count, sums):  # type: ignore[no-untyped-def]
    at = 0
    for i in range(6):
        for j in range(i, 6):
            sums[at] = _product(weighted[i], terms[j], count)
            at += 1
        sums[21 + i] = _product(weighted[i], terms[6], count)
    sums[27] = _product(weighted[7], terms[7], count)
    sums[28] = _product(weighted[6], terms[6], count)


# In any order, so that several are added up at once; the same one each time.
@jit(fastmath={"reassoc", "contract"})
def _product(first, second, count):  # type: ignore[no-untyped-def]
    total = 0.0
    for j in range(count):
        total += first[j] * second[j]
    return total
