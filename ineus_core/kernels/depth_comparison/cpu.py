# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether one view of depth shows the surface of another or looks through it, by numba."""

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from ineus_core.kernels.depth_comparison.cpu_window import look_around
from ineus_core.kernels.depth_comparison.reference import (
    LOOKS_THROUGH,
    NEAREST_M,
    SHOWS,
    TELLS_NOTHING,
    DepthViews,
    Window,
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


def depth_around(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    window: Window,
    limits_m: tuple[float, float],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return what the door says."""
    expect_shape("rows", window.rows, window.columns.shape)
    # An empty one for none: a kernel is compiled for each kind of argument.
    used = np.zeros((0, 0), bool) if mask is None else plain(mask, np.bool_)
    if mask is not None:
        expect_shape("mask", mask, depth_m.shape)
    there_m, nearest_m = np.empty((2, *window.columns.shape), np.float32)
    look_around(
        plain(depth_m, np.float32),
        used,
        plain(window.columns, np.float32),
        plain(window.rows, np.float32),
        window.side_px,
        # As numpy compares single precision with Python's numbers.
        np.float32(limits_m[0]),
        np.float32(limits_m[1]),
        there_m,
        nearest_m,
    )
    return there_m, nearest_m


@jit()
def _compare(  # type: ignore[no-untyped-def]
    begin, end, depth_m, nearest_m, intrinsics, pairs, motions, tolerance_m, per_m, stride_px, told
):
    height_px, width_px = depth_m.shape[1:]
    # Arrays of their own: rows of one would count as spaced, and be worked out one by one.
    row_m = np.empty(told.shape[2], np.float32)
    z, pixel = np.empty(told.shape[2], np.float32), np.empty(told.shape[2], np.int32)
    for pair in range(begin, end):
        first, second = pairs[pair, 0], pairs[pair, 1]
        there_m, least_m = depth_m[second].reshape(-1), nearest_m[second].reshape(-1)
        along = _in_second(intrinsics[first], intrinsics[second], motions[pair])
        for i in range(told.shape[1]):
            row = stride_px // 2 + i * stride_px
            for j in range(len(row_m)):
                row_m[j] = depth_m[first, row, stride_px // 2 + j * stride_px]
            _project_row(row_m, row, stride_px, along, height_px, width_px, pixel, z)
            _compare_row(
                there_m, least_m, pixel, z, np.float32(tolerance_m), np.float32(per_m),
                told[pair, i],
            )  # fmt: skip


@jit()
def _in_second(of_first, of_second, motion):  # type: ignore[no-untyped-def]
    """Return by what column and row times depth, depth and 1 become those of the second view."""
    along = np.empty((3, 4))
    for axis in range(3):
        along[axis, 0] = motion[axis, 0] / of_first[0]
        along[axis, 1] = motion[axis, 1] / of_first[1]
        along[axis, 2] = (
            motion[axis, 2] - along[axis, 0] * of_first[2] - along[axis, 1] * of_first[3]
        )
        along[axis, 3] = motion[axis, 3]
    for axis in range(2):
        for column in range(4):
            along[axis, column] *= of_second[axis]
            along[axis, column] += of_second[2 + axis] * along[2, column]
    return along


@jit(inline="always")
def _along_row(along, axis, row, stride_px):  # type: ignore[no-untyped-def]
    # Centres of pixels are at halves.
    column = stride_px // 2 + 0.5
    begin = along[axis, 0] * column + along[axis, 1] * (row + 0.5) + along[axis, 2]
    return (
        np.float32(begin),
        np.float32(along[axis, 0] * stride_px),
        np.float32(along[axis, 3]),
    )


# A row in two loops: the first one has no branch, so that several pixels are worked out at once.
# In single precision, which is right to a ten thousandth of a pixel.
@jit(error_model="numpy")
def _project_row(depth_m, row, stride_px, along, height_px, width_px, pixel, z):  # type: ignore[no-untyped-def]
    x0, dx, tx = _along_row(along, 0, row, stride_px)
    y0, dy, ty = _along_row(along, 1, row, stride_px)
    z0, dz, tz = _along_row(along, 2, row, stride_px)
    width, height, nearest = np.float32(width_px), np.float32(height_px), np.float32(NEAREST_M)
    zero, row_px = np.float32(0), np.int32(width_px)
    for j in range(len(pixel)):
        depth = depth_m[j]
        at = np.float32(j)
        ahead = depth * (z0 + at * dz) + tz
        once = np.float32(1) / ahead
        u = (depth * (x0 + at * dx) + tx) * once
        v = (depth * (y0 + at * dy) + ty) * once
        # Also NaN, which is above nothing.
        inside = (
            (depth > zero)
            & (ahead > nearest)
            & (u >= zero)
            & (v >= zero)
            & (u < width)
            & (v < height)
        )
        pixel[j] = np.int32(v) * row_px + np.int32(u) if inside else np.int32(-1)
        z[j] = ahead


@jit()
def _compare_row(there_m, least_m, pixel, z, tolerance_m, per_m, told):  # type: ignore[no-untyped-def]
    for j in range(len(pixel)):
        if pixel[j] < 0:
            continue
        # Without a sign, or each index is asked whether it counts from the end.
        at = np.uint32(pixel[j])
        # The noise of depth sensors grows with the square of the range.
        limit = tolerance_m + per_m * z[j] * z[j]
        there = there_m[at]
        shows = (there > np.float32(0)) & (abs(there - z[j]) <= limit)
        # All returns around have to lie behind: beside an edge a single pixel may just miss what
        # stands there.
        through = least_m[at] > z[j] + limit
        # Added up, as no processor can guess which it is.
        told[j] = SHOWS * np.int8(shows) + LOOKS_THROUGH * np.int8(through) * (1 - np.int8(shows))
