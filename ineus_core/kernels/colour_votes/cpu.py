# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Votes of earlier views whether points are where they are said to be, by numba: one call."""

import numpy as np
from jaxtyping import Int

from ineus_core.kernels.colour_votes.reference import (
    BEHIND_M,
    COLOUR_DIFFERENCE,
    IN_FRONT_M,
    LEAST_PARALLAX,
    NEAREST_M,
    ColourViews,
    PointsOfHoles,
)
from ineus_core.kernels.depth_splatting.cpu import bend
from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape

_LIMIT = 3 * 255 * COLOUR_DIFFERENCE


def colour_votes(views: ColourViews, points: PointsOfHoles) -> Int[np.ndarray, "holes 2 2"]:
    """Return what the door says."""
    count = len(views.sizes_px)
    most_px = views.rgb.shape[1]
    expect_shape("rgb of views", views.rgb, (count, most_px, 3))
    expect_shape("depth of views", views.depth_m, (count, most_px))
    expect_shape("rgb of points", points.rgb, (len(points.points), 3))
    votes = np.zeros((points.holes, 2, 2), np.int64)
    _count(
        plain(views.rgb, np.uint8),
        plain(views.depth_m, np.float32),
        plain(views.sizes_px, np.int64),
        plain(views.reductions, np.float64),
        plain(views.lenses, np.float64),
        plain(views.world_from_camera, np.float64),
        plain(points.points, np.float64),
        plain(points.rgb, np.uint8),
        plain(points.hole, np.int64),
        plain(points.is_edge, np.bool_),
        plain(points.eye, np.float64),
        votes,
    )
    return votes


@jit(error_model="numpy")
def _count(  # type: ignore[no-untyped-def]
    rgb, depth_m, sizes_px, reductions, lenses, poses, points, here, hole, is_edge, eye, votes
):
    from_eye_m = np.empty(len(points))
    for i in range(len(points)):
        x, y, z = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        from_eye_m[i] = np.sqrt(x * x + y * y + z * z)
    for view in range(len(poses)):
        height, width = sizes_px[view]
        pose, lens, smaller = poses[view], lenses[view], 1 / reductions[view]
        colours, depths = rgb[view], depth_m[view]
        for i in range(len(points)):
            u, v, z = _seen(points[i], pose, lens, smaller)
            # A pixel from the border, where colours are interpolated; asked so that NaN falls out.
            if not (z > NEAREST_M and u >= 1 and v >= 1 and u < width - 1 and v < height - 1):
                continue
            if not _has_parallax(points[i], eye, from_eye_m[i], pose):
                continue
            measured = np.float64(depths[int(v) * width + int(u)])
            if measured > z + BEHIND_M:
                side = 1
            elif measured > 0 and measured < z - IN_FRONT_M:
                continue
            else:
                side = 0 if _difference(colours, width, u - 0.5, v - 0.5, here[i]) < _LIMIT else 1
            votes[hole[i], 0, side] += 1
            votes[hole[i], 1, side] += 1 if is_edge[i] else 0


@jit(inline="always")
def _seen(point, pose, lens, smaller):  # type: ignore[no-untyped-def]
    """Return where a point is in a view, and its depth; NaN where that is too near."""
    x, y, z = point[0] - pose[0, 3], point[1] - pose[1, 3], point[2] - pose[2, 3]
    depth_m = pose[0, 2] * x + pose[1, 2] * y + pose[2, 2] * z
    if not depth_m > NEAREST_M:
        return np.nan, np.nan, depth_m
    each = 1 / depth_m
    right = (pose[0, 0] * x + pose[1, 0] * y + pose[2, 0] * z) * each
    down = (pose[0, 1] * x + pose[1, 1] * y + pose[2, 1] * z) * each
    right, down = bend(right, down, lens[4] > 0, lens[5:])
    return (lens[0] * right + lens[2]) * smaller, (lens[1] * down + lens[3]) * smaller, depth_m


@jit(inline="always")
def _has_parallax(point, eye, from_eye_m, pose):  # type: ignore[no-untyped-def]
    product, square = 0.0, 0.0
    for axis in range(3):
        other = point[axis] - pose[axis, 3]
        product += (point[axis] - eye[axis]) * other
        square += other * other
    return product < LEAST_PARALLAX * (from_eye_m * np.sqrt(square))


@jit(inline="always")
def _difference(colours, width, x, y, here):  # type: ignore[no-untyped-def]
    """Add up over the channels by how much colours between pixels differ from one."""
    column, row = int(x), int(y)
    right, down = x - column, y - row
    at = row * width + column
    total = 0.0
    for channel in range(3):
        above = (1 - right) * colours[at, channel] + right * colours[at + 1, channel]
        at_below = at + width
        below = (1 - right) * colours[at_below, channel] + right * colours[at_below + 1, channel]
        total += abs((1 - down) * above + down * below - here[channel])
    return total
