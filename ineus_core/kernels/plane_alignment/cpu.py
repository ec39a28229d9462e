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
        _add_up,
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


@jit(inline="always")
def _length(a, b, c):  # type: ignore[no-untyped-def]
    return np.sqrt(a * a + b * b + c * c)


@jit(inline="always")
def _plane(planes, row, column):  # type: ignore[no-untyped-def]
    # In double precision, as the distances that count are small differences.
    return (
        np.float64(planes[row, column, 0]),
        np.float64(planes[row, column, 1]),
        np.float64(planes[row, column, 2]),
    )


@jit(inline="always")
def _turned(to_from, x, y, z):  # type: ignore[no-untyped-def]
    return (
        to_from[0, 0] * x + to_from[0, 1] * y + to_from[0, 2] * z,
        to_from[1, 0] * x + to_from[1, 1] * y + to_from[1, 2] * z,
        to_from[2, 0] * x + to_from[2, 1] * y + to_from[2, 2] * z,
    )


@jit(inline="always")
def _add(sums, j, distance_m, weight):  # type: ignore[no-untyped-def]
    at = 0
    for row in range(6):
        for column in range(row, 6):
            sums[at] += weight * j[row] * j[column]
            at += 1
    for row in range(6):
        sums[21 + row] += weight * distance_m * j[row]
    sums[27] += weight
    sums[28] += weight * distance_m * distance_m


@jit()
def _add_up(begin, end, planes, intrinsics, pairs, motions, scale_m, stride_px, sums):  # type: ignore[no-untyped-def]
    for pair in range(begin, end):
        _add_pair(
            planes[pairs[pair, 0]], planes[pairs[pair, 1]], intrinsics[pairs[pair, 0]],
            intrinsics[pairs[pair, 1]], motions[pair], scale_m, stride_px, sums[pair],
        )  # fmt: skip


@jit()
def _add_pair(first, second, of_first, of_second, motion, scale_m, stride_px, sums):  # type: ignore[no-untyped-def]
    height_px, width_px = second.shape[:2]
    j = np.empty(6)
    for row in range(stride_px // 2, height_px, stride_px):
        for column in range(stride_px // 2, width_px, stride_px):
            a, b, c = _plane(first, row, column)
            x = (column + 0.5 - of_first[2]) / of_first[0]
            y = (row + 0.5 - of_first[3]) / of_first[1]
            inverse_m = a * x + b * y + c
            # Asked for so that NaN leaves as well.
            if not inverse_m > 1e-3:
                continue
            x, y, z = _turned(motion, x / inverse_m, y / inverse_m, 1 / inverse_m)
            x, y, z = x + motion[0, 3], y + motion[1, 3], z + motion[2, 3]
            # Also NaN.
            if not z > NEAREST_M:
                continue
            u, v = of_second[0] * x / z + of_second[2], of_second[1] * y / z + of_second[3]
            if not (u >= 0 and v >= 0 and u < width_px and v < height_px):
                continue
            p, q, r = _plane(second, int(v), int(u))
            length = _length(p, q, r)
            if length == 0:
                continue
            nx, ny, nz = -p / length, -q / length, -r / length
            distance_m = 1 / length + nx * x + ny * y + nz * z
            # The normal is turned as it is, and divided by its length only for the cosine.
            tx, ty, tz = _turned(motion, a, b, c)
            cosine = -(tx * nx + ty * ny + tz * nz) / _length(a, b, c)
            if abs(distance_m) > REACH * scale_m or cosine < ALIKE:
                continue
            share = 1 + (distance_m / scale_m) ** 2
            weight = 1 / (share * share * (1 + (z / HALF_WEIGHT_M) ** 4))
            j[0], j[1], j[2] = nx, ny, nz
            j[3], j[4], j[5] = y * nz - z * ny, z * nx - x * nz, x * ny - y * nx
            _add(sums, j, distance_m, weight)
