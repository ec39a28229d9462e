# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far surfaces that two views show lie apart, and its normal equations, in plain numpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

ALIKE = 0.9
"""Least cosine between normals of the same surface."""
NEAREST_M = 0.05
REACH = 3.0
"""Scales beyond which a point is of another surface."""
HALF_WEIGHT_M = 3.0
"""Depth at which a point weighs half."""
SUMS = 29
"""Upper triangle of the 6 x 6 matrix by rows, right side, weights, weighted squares."""
_TRIANGLE = np.triu_indices(6)


@dataclass(frozen=True)
class PlaneViews:
    """Views of one size, in each pixel of which a surface is known as a plane."""

    planes: Float[np.ndarray, "views h w 3"]
    """Of a plane a x + b y + c z = 1 in the axes of the camera; 0 0 0 where none is known."""
    intrinsics: Float[np.ndarray, "views 4"]
    """fx, fy, cx and cy of each view, which has no distortion."""


@dataclass(frozen=True)
class AlignmentEquations:
    """What a small motion of the first view, in the camera of the second one, has to solve.

    The motion is 3 of translation, in m, and 3 of rotation, in rad, about the second camera.
    """

    hessian: Float[np.ndarray, "pairs 6 6"]
    gradient: Float[np.ndarray, "pairs 6"]
    weight: Float[np.ndarray, " pairs"]
    """Of all points that were compared, each at most 1."""
    square: Float[np.ndarray, " pairs"]
    """Weighted sum of the squared distances, m2."""

    @classmethod
    def of_sums(cls, sums: Float[np.ndarray, "pairs 29"]) -> "AlignmentEquations":
        """Unpack the sums of a kernel."""
        hessian = np.zeros((len(sums), 6, 6))
        rows, columns = _TRIANGLE
        hessian[:, rows, columns] = hessian[:, columns, rows] = sums[:, :21]
        return cls(hessian, sums[:, 21:27], sums[:, 27], sums[:, 28])


def alignment_sums(
    views: PlaneViews,
    pairs: Int[np.ndarray, "pairs 2"],
    second_from_first: Float[np.ndarray, "pairs 4 4"],
    scale_m: float,
    stride_px: int,
) -> Float[np.ndarray, "pairs 29"]:
    """Return the sums of the door's equations."""
    sums = np.zeros((len(pairs), SUMS))
    for row, (first, second) in enumerate(pairs):
        points, normals = _points(views, first, stride_px)
        moved = points @ second_from_first[row, :3, :3].T + second_from_first[row, :3, 3]
        turned = normals @ second_from_first[row, :3, :3].T
        sums[row] = _sums_of(views, second, moved, turned, scale_m)
    return sums


def _points(
    views: PlaneViews, view: int, stride_px: int
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Return points of a view in its camera, and normals towards it."""
    fx, fy, cx, cy = views.intrinsics[view]
    height_px, width_px = views.planes.shape[1:3]
    rows, columns = np.mgrid[
        stride_px // 2 : height_px : stride_px, stride_px // 2 : width_px : stride_px
    ]
    planes = views.planes[view, rows, columns].reshape(-1, 3).astype(np.float64)
    rays = np.stack(
        ((columns + 0.5 - cx) / fx, (rows + 0.5 - cy) / fy, np.ones(rows.shape)), axis=-1
    ).reshape(-1, 3)
    inverse_m = (planes * rays).sum(axis=1)
    # Planes that the ray hardly meets, and pixels without one, whose plane is 0 0 0.
    seen = inverse_m > 1e-3
    planes, rays, inverse_m = planes[seen], rays[seen], inverse_m[seen]
    # The plane is n x = d with the vector n / d, which points away from the camera.
    normals = -planes / np.linalg.norm(planes, axis=1, keepdims=True)
    return rays / inverse_m[:, None], normals


def _sums_of(
    views: PlaneViews,
    second: int,
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    scale_m: float,
) -> Float[np.ndarray, " 29"]:
    ahead = points[:, 2] > NEAREST_M
    points, normals = points[ahead], normals[ahead]
    fx, fy, cx, cy = views.intrinsics[second]
    u = fx * points[:, 0] / points[:, 2] + cx
    v = fy * points[:, 1] / points[:, 2] + cy
    height_px, width_px = views.planes.shape[1:3]
    inside = (u >= 0) & (v >= 0) & (u < width_px) & (v < height_px)
    points, normals = points[inside], normals[inside]
    # The plane of the nearest pixel, not one between pixels: across an edge a mean would be of
    # neither.
    planes = views.planes[second, v[inside].astype(int), u[inside].astype(int)].astype(np.float64)
    length = np.linalg.norm(planes, axis=1)
    known = length > 0
    points, normals, length = points[known], normals[known], length[known]
    normal = -planes[known] / length[:, None]
    # To the plane, not to its point: points of two views are never the same.
    distance_m = 1 / length + (normal * points).sum(axis=1)
    # Also by the normals, or the two sides of a thin board would pull each other together.
    same = (np.abs(distance_m) <= REACH * scale_m) & ((normal * normals).sum(axis=1) >= ALIKE)
    points, normal, distance_m = points[same], normal[same], distance_m[same]
    # Geman and McClure, whose pull falls off again; noise of depth grows with its square, so its
    # variance with the fourth power.
    weight = (1 + (distance_m / scale_m) ** 2) ** -2 / (1 + (points[:, 2] / HALF_WEIGHT_M) ** 4)
    # A rotation w about the second camera moves a point by w x p, along the normal by w (p x n).
    jacobian = np.concatenate((normal, np.cross(points, normal)), axis=1)
    hessian = (jacobian * weight[:, None]).T @ jacobian
    gradient = jacobian.T @ (weight * distance_m)
    square = (weight * distance_m**2).sum()
    return np.concatenate((hessian[_TRIANGLE], gradient, (weight.sum(), square)))
