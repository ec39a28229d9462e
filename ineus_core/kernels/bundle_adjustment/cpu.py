# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of views and the points that they see, by numba: passes over sightings and points."""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.bundle_adjustment.reference import (
    DAMPING,
    NEAREST,
    PARALLEL,
    SHIFT_BY_TURN,
    PointSightings,
)
from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape
from ineus_core.motions import between, moved


def triangulated(
    sightings: PointSightings, poses: Float[np.ndarray, "views 4 4"]
) -> Float[np.ndarray, "points 3"]:
    """Return what the door says."""
    points = np.zeros((int(sightings.points.max(initial=-1)) + 1, 3))
    views, numbers, plane_xy, _ = _plain(sightings, len(poses), len(points))
    _triangulate(views, numbers, plane_xy, plain(poses, np.float64), points)
    return points


def stepped(
    sightings: PointSightings,
    given: Float[np.ndarray, "views 4 4"],
    poses: Float[np.ndarray, "views 4 4"],
    points: Float[np.ndarray, "points 3"],
    is_free: Bool[np.ndarray, " views"],
    spread: float,
) -> tuple[Float[np.ndarray, "views 4 4"], Float[np.ndarray, "points 3"]]:
    """Return what the door says."""
    expect_shape("points", points, (-1, 3))
    views, numbers, plane_xy, noise = _plain(sightings, len(poses), len(points))
    size = 6 * len(poses)
    matrix, right = np.zeros((size, size)), np.zeros(size)
    met, inverse = np.zeros((len(views), 6, 3)), np.zeros((len(points), 3, 3))
    points, point_right = plain(points, np.float64).copy(), np.zeros((len(points), 3))
    depth = _reduce(
        views, numbers, plane_xy, noise, plain(poses, np.float64), points, met, inverse,
        point_right, matrix, right,
    )  # fmt: skip
    # How sure given poses are; of shifts by the depth of the scene, so that its unit is no matter.
    sure = np.repeat((1 / (SHIFT_BY_TURN * depth * spread) ** 2, 1 / spread**2), 3)
    # Around the given poses, not around those of the last step: they hold the scale.
    right -= (sure * between(given, poses)).ravel()
    matrix[np.diag_indices(size)] += np.tile(sure, len(poses))
    free = np.repeat(is_free, 6)
    steps = np.zeros(size)
    steps[free] = np.linalg.solve(matrix[np.ix_(free, free)], right[free])
    # Back to the points, now that it is known how the poses move.
    _place(views, numbers, met, inverse, point_right, steps, points)
    return moved(poses, steps.reshape(-1, 6)), points


def _plain(sightings: PointSightings, views: int, points: int) -> tuple[np.ndarray, ...]:
    for name, numbers, count in (
        ("views", sightings.views, views), ("points", sightings.points, points)
    ):  # fmt: skip
        if len(numbers) and not (0 <= numbers.min() and numbers.max() < count):
            raise ValueError(f"{name} up to {numbers.max()}: expected 0 to {count - 1}")
    integers = (plain(of, np.int64) for of in (sightings.views, sightings.points))
    return *integers, *(plain(of, np.float64) for of in (sightings.plane_xy, sightings.noise))


@jit(error_model="numpy")
def _triangulate(views, numbers, plane_xy, poses, points):  # type: ignore[no-untyped-def]
    # What is across a ray: the sum of squared distances to rays is quadratic in the point.
    matrix, right = np.zeros((len(points), 3, 3)), np.zeros((len(points), 3))
    ray = np.empty(3)
    for at in range(len(views)):
        pose, point = poses[views[at]], numbers[at]
        x, y = plane_xy[at]
        length = np.sqrt(x * x + y * y + 1)
        for i in range(3):
            ray[i] = (pose[i, 0] * x + pose[i, 1] * y + pose[i, 2]) / length
        for i in range(3):
            for j in range(3):
                across = (1.0 if i == j else 0.0) - ray[i] * ray[j]
                matrix[point, i, j] += across
                right[point, i] += across * pose[j, 3]
    inverse = np.empty((3, 3))
    for point in range(len(points)):
        _invert(matrix[point], PARALLEL, inverse)
        for i in range(3):
            for j in range(3):
                points[point, i] += inverse[i, j] * right[point, j]


@jit(error_model="numpy")
def _invert(matrix, damping, inverse):  # type: ignore[no-untyped-def]
    """Write the inverse of a symmetric matrix with something added to its diagonal."""
    a, b, c = matrix[0, 0] + damping, matrix[0, 1], matrix[0, 2]
    d, e, f = matrix[1, 1] + damping, matrix[1, 2], matrix[2, 2] + damping
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    once = 1 / (a * first + b * second + c * third)
    inverse[0, 0], inverse[0, 1], inverse[0, 2] = first * once, second * once, third * once
    inverse[1, 0], inverse[1, 1] = second * once, (a * f - c * c) * once
    inverse[1, 2] = inverse[2, 1] = (b * c - a * e) * once
    inverse[2, 0], inverse[2, 2] = third * once, (a * d - b * b) * once


@jit(error_model="numpy")
def _reduce(  # type: ignore[no-untyped-def]
    views, numbers, plane_xy, noise, poses, points, met, inverse, point_right, matrix, right
):
    """Add up the normal equations without the points; return the usual depth.

    They are in blocks of poses, of points, and across, as a sighting is of one of each. The points
    are eliminated: what is left is a small system of the poses alone.
    """
    of_points, depths = np.zeros((len(points), 3, 3)), np.empty(len(views))
    ahead = 0
    by_pose, by_point, local = np.empty((2, 6)), np.empty((2, 3)), np.empty(3)
    for at in range(len(views)):
        pose, point = poses[views[at]], numbers[at]
        _place_in_view(pose, points[point], local)
        # What is behind a view says nothing.
        if not local[2] > NEAREST:
            continue
        depths[ahead] = local[2]
        ahead += 1
        _differentiate(pose, points[point], local, by_pose, by_point)
        _add_sighting(
            local[0] / local[2] - plane_xy[at, 0], local[1] / local[2] - plane_xy[at, 1],
            noise[at], by_pose, by_point, 6 * views[at], matrix, right, of_points[point],
            point_right[point], met[at],
        )  # fmt: skip
    for point in range(len(points)):
        trace = of_points[point, 0, 0] + of_points[point, 1, 1] + of_points[point, 2, 2]
        # Points that are seen under a small angle have hardly any depth to tell.
        _invert(of_points[point], DAMPING * trace + PARALLEL, inverse[point])
    _eliminate(views, numbers, met, inverse, point_right, matrix, right)
    return np.median(depths[:ahead]) if ahead > 0 else 1.0


@jit()
def _place_in_view(pose, point, local):  # type: ignore[no-untyped-def]
    for i in range(3):
        local[i] = 0.0
        for k in range(3):
            local[i] += pose[k, i] * (point[k] - pose[k, 3])


@jit(error_model="numpy")
def _differentiate(pose, point, local, by_pose, by_point):  # type: ignore[no-untyped-def]
    """Write how the place in the picture follows motions of the view and of the point."""
    once = 1 / local[2]
    x, y, z = point[0] - pose[0, 3], point[1] - pose[1, 3], point[2] - pose[2, 3]
    for row in range(2):
        # Derivatives of x / z and y / z.
        for i in range(3):
            by_point[row, i] = once * (pose[i, row] - local[row] * once * pose[i, 2])
            by_pose[row, i] = -by_point[row, i]
        a, b, c = by_point[row]
        # A turn of the camera moves a point across its arm.
        by_pose[row, 3], by_pose[row, 4], by_pose[row, 5] = (
            b * z - c * y,
            c * x - a * z,
            a * y - b * x,
        )


@jit(error_model="numpy")
def _add_sighting(  # type: ignore[no-untyped-def]
    off_x, off_y, noise, by_pose, by_point, begin, matrix, right, of_point, point_right, met
):
    # Cauchy, anew in each step: wrong matches let go as poses become right.
    weight = 1 / (noise * noise * (1 + (off_x * off_x + off_y * off_y) / (4 * noise * noise)))
    for i in range(6):
        x, y = weight * by_pose[0, i], weight * by_pose[1, i]
        right[begin + i] -= x * off_x + y * off_y
        for j in range(6):
            matrix[begin + i, begin + j] += x * by_pose[0, j] + y * by_pose[1, j]
        for j in range(3):
            met[i, j] = x * by_point[0, j] + y * by_point[1, j]
    for i in range(3):
        x, y = weight * by_point[0, i], weight * by_point[1, i]
        point_right[i] -= x * off_x + y * off_y
        for j in range(3):
            of_point[i, j] += x * by_point[0, j] + y * by_point[1, j]


@jit()
def _eliminate(views, numbers, met, inverse, point_right, matrix, right):  # type: ignore[no-untyped-def]
    begins = np.zeros(len(inverse) + 1, np.int64)
    for at in range(len(numbers)):
        begins[numbers[at] + 1] += 1
    begins = np.cumsum(begins)
    # Those of a point behind each other, in the order in which they came.
    order, filled = np.empty(len(numbers), np.int64), begins.copy()
    for at in range(len(numbers)):
        order[filled[numbers[at]]] = at
        filled[numbers[at]] += 1
    scaled = np.empty((6, 3))
    for point in range(len(inverse)):
        for first in order[begins[point] : begins[point + 1]]:
            begin = 6 * views[first]
            for i in range(6):
                for j in range(3):
                    scaled[i, j] = 0.0
                    for k in range(3):
                        scaled[i, j] += met[first, i, k] * inverse[point, k, j]
                    right[begin + i] -= scaled[i, j] * point_right[point, j]
            for second in order[begins[point] : begins[point + 1]]:
                _take_off(scaled, met[second], begin, 6 * views[second], matrix)


@jit()
def _take_off(scaled, met, row, column, matrix):  # type: ignore[no-untyped-def]
    for i in range(6):
        a, b, c = scaled[i, 0], scaled[i, 1], scaled[i, 2]
        for j in range(6):
            matrix[row + i, column + j] -= a * met[j, 0] + b * met[j, 1] + c * met[j, 2]


@jit()
def _place(views, numbers, met, inverse, point_right, steps, points):  # type: ignore[no-untyped-def]
    for at in range(len(views)):
        for j in range(3):
            for i in range(6):
                point_right[numbers[at], j] -= met[at, i, j] * steps[6 * views[at] + i]
    for point in range(len(points)):
        for i in range(3):
            for j in range(3):
                points[point, i] += inverse[point, i, j] * point_right[point, j]
