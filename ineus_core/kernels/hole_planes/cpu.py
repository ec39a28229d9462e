# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes through holes of a depth image, by numba: one call, so that the lock is let go once."""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.hole_planes.reference import (
    BEND,
    LEAST_CLOSED,
    LEAST_RIM_PX,
    LEAST_SHARE_OF_RIM,
    MOST_RIM,
    NEAREST_M,
    RIM_PX,
    ROUNDS,
    TINY,
    PlanarHoles,
    labelled_holes,
)
from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape

_EDGE, _RIM, _CONTOUR = 1, 2, 4
"""Marks of pixels: of the hole beside others; with a return near the hole; touching the hole."""


def planar_holes(
    depth_m: Float[np.ndarray, "h w"],
    slopes: Float[np.ndarray, "h w 2"],
    usable: Bool[np.ndarray, "h w"] | None,
    limits_m: tuple[float, float],
) -> PlanarHoles:
    """Return what the door says."""
    expect_shape("slopes", slopes, (*depth_m.shape, 2))
    if usable is not None:
        expect_shape("usable", usable, depth_m.shape)
    label, numbers, boxes = labelled_holes(depth_m, usable)
    return PlanarHoles(
        *_find(
            plain(depth_m, np.float32),
            plain(label, np.int32),
            numbers,
            boxes.astype(np.int64),
            plain(slopes, np.float32),
            max(limits_m[0], NEAREST_M),
            float(limits_m[0]),
            float(limits_m[1]),
        )
    )


@jit(error_model="numpy")
def _find(depth_m, label, numbers, boxes, slopes, nearest_m, min_m, max_m):  # type: ignore[no-untyped-def]
    most = 0
    for number in range(len(boxes)):
        most += boxes[number, 2] * boxes[number, 3]
    planes = np.empty((len(boxes), 3))
    hole, rows, columns = (
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
    )
    is_edge = np.empty(most, np.bool_)
    found, count = 0, 0
    for i in range(len(boxes)):
        x, y, width, height = boxes[i]
        marks = _marked(depth_m, label, numbers[i], boxes[i], nearest_m, max_m)
        inverse, rays, is_enclosed = _rim(depth_m, label, slopes, marks, x, y)
        if len(inverse) < LEAST_RIM_PX or not is_enclosed:
            continue
        if not _fit(inverse, rays, planes[found]):
            continue
        if not _is_in_range(label, numbers[i], boxes[i], slopes, planes[found], min_m, max_m):
            continue
        for row in range(y, y + height):
            for column in range(x, x + width):
                if label[row, column] == numbers[i]:
                    hole[count], rows[count], columns[count] = found, row, column
                    mark = marks[row - y + RIM_PX, column - x + RIM_PX]
                    is_edge[count] = (mark & _EDGE) > 0
                    count += 1
        found += 1
    return planes[:found], hole[:count], rows[:count], columns[:count], is_edge[:count]


@jit()
def _marked(depth_m, label, number, box, nearest_m, max_m):  # type: ignore[no-untyped-def]
    """Mark the pixels of a hole and around it; the marks have a rim around the box."""
    x, y, width, height = box
    marks = np.zeros((height + 2 * RIM_PX, width + 2 * RIM_PX), np.uint8)
    for row in range(y, y + height):
        for column in range(x, x + width):
            if label[row, column] != number:
                continue
            for i in range(-RIM_PX, RIM_PX + 1):
                for j in range(-RIM_PX, RIM_PX + 1):
                    r, c = row + i, column + j
                    at = r - y + RIM_PX, c - x + RIM_PX
                    touches = abs(i) <= 1 and abs(j) <= 1
                    if r < 0 or c < 0 or r >= label.shape[0] or c >= label.shape[1]:
                        marks[at] |= _CONTOUR if touches else 0
                    elif label[r, c] != number:
                        marks[row - y + RIM_PX, column - x + RIM_PX] |= _EDGE
                        is_known = depth_m[r, c] >= nearest_m and depth_m[r, c] <= max_m
                        marks[at] |= (_CONTOUR if touches else 0) | (_RIM if is_known else 0)
    return marks


@jit()
def _rim(depth_m, label, slopes, marks, x, y):  # type: ignore[no-untyped-def]
    """Return inverse depth and slopes of some of a rim, and whether most of it is in the image."""
    rows, columns = np.empty(marks.size, np.int64), np.empty(marks.size, np.int64)
    count, around, of_contour = 0, 0, 0
    for i in range(marks.shape[0]):
        for j in range(marks.shape[1]):
            row, column = y - RIM_PX + i, x - RIM_PX + j
            if marks[i, j] & _RIM:
                rows[count], columns[count] = row, column
                count += 1
            if marks[i, j] & _CONTOUR:
                of_contour += 1
                is_there = 0 <= row < label.shape[0] and 0 <= column < label.shape[1]
                around += 1 if is_there else 0
    some = min(count, MOST_RIM)
    inverse, rays = np.empty(some), np.empty((some, 2))
    step = (count - 1) / max(1, some - 1)
    for i in range(some):
        at = count - 1 if i == some - 1 else int(i * step)
        row, column = rows[at], columns[at]
        inverse[i] = 1.0 / np.float64(depth_m[row, column])
        rays[i, 0], rays[i, 1] = slopes[row, column, 0], slopes[row, column, 1]
    return inverse, rays, around >= LEAST_CLOSED * of_contour


@jit(error_model="numpy")
def _fit(inverse, rays, plane):  # type: ignore[no-untyped-def]
    """Write the plane that nearly all of a rim lies on; False if there is none."""
    on_plane = 0
    weights = np.ones(len(inverse))
    for _ in range(ROUNDS):
        _solve(inverse, rays, weights, plane)
        on_plane = 0
        for i in range(len(inverse)):
            fitted = rays[i, 0] * plane[0] + rays[i, 1] * plane[1] + plane[2]
            # As a share of the range, with which noise grows.
            bend = abs(1.0 - fitted / inverse[i])
            weight = 1.0 / (1.0 + (bend / BEND) ** 2)
            weights[i] = weight * weight
            on_plane += 1 if bend < 2 * BEND else 0
    return on_plane >= LEAST_SHARE_OF_RIM * len(inverse)


@jit(error_model="numpy")
def _solve(inverse, rays, weights, plane):  # type: ignore[no-untyped-def]
    """Write the solution of the weighted equations (rays, 1) plane = inverse."""
    xx, xy, yy, x1, y1, n = TINY, 0.0, TINY, 0.0, 0.0, TINY
    bx, by, b1 = 0.0, 0.0, 0.0
    for i in range(len(inverse)):
        x, y, weight = rays[i, 0], rays[i, 1], weights[i]
        wx, wy, value = weight * x, weight * y, inverse[i]
        xx += wx * x
        xy += wx * y
        yy += wy * y
        x1 += wx
        y1 += wy
        n += weight
        bx += wx * value
        by += wy * value
        b1 += weight * value
    # Elimination of what is positive definite, from the constant term on.
    x_of_1, y_of_1 = x1 / n, y1 / n
    xx, xy, yy = xx - x1 * x_of_1, xy - x1 * y_of_1, yy - y1 * y_of_1
    bx, by = bx - x1 * b1 / n, by - y1 * b1 / n
    y_of_x = xy / xx
    plane[1] = (by - y_of_x * bx) / (yy - y_of_x * xy)
    plane[0] = (bx - xy * plane[1]) / xx
    plane[2] = (b1 - x1 * plane[0] - y1 * plane[1]) / n


@jit()
def _is_in_range(label, number, box, slopes, plane, min_m, max_m):  # type: ignore[no-untyped-def]
    x, y, width, height = box
    least, most = np.inf, -np.inf
    for row in range(y, y + height):
        for column in range(x, x + width):
            if label[row, column] == number:
                right, down = slopes[row, column, 0], slopes[row, column, 1]
                inverse = right * plane[0] + down * plane[1] + plane[2]
                least, most = min(least, inverse), max(most, inverse)
    # Compared by products: where the plane goes behind the camera the inverse is 0 or below.
    return least * max_m > 1.0 and most * min_m < 1.0
