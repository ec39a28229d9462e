# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of views and the points that they see, in plain numpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.motions import between, cross_matrices, moved

DAMPING = 1e-6
PARALLEL = 1e-9
"""Added to what rays say, so that those that are nearly parallel meet far away, not anywhere."""
NEAREST = 1e-3
SHIFT_BY_TURN = 0.5
"""A given pose is wrong in its position by so many depths of the scene for each radian."""


@dataclass(frozen=True)
class PointSightings:
    """Which view sees which point where."""

    views: Int[np.ndarray, " n"]
    points: Int[np.ndarray, " n"]
    """Counted without gaps; a view sees a point once."""
    plane_xy: Float[np.ndarray, "n 2"]
    noise: Float[np.ndarray, " n"]
    """Deviation on the plane z = 1."""

    def __len__(self) -> int:
        """Sightings."""
        return len(self.views)


def triangulated(
    sightings: PointSightings, poses: Float[np.ndarray, "views 4 4"]
) -> Float[np.ndarray, "points 3"]:
    """Return what the door says."""
    rays = np.concatenate((sightings.plane_xy, np.ones((len(sightings), 1))), axis=1)
    at = poses[sightings.views]
    rays = np.einsum("nij,nj->ni", at[:, :3, :3], rays)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    # What is across a ray: the sum of squared distances to rays is quadratic in the point.
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    count = int(sightings.points.max(initial=-1)) + 1
    matrix, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    np.add.at(matrix, sightings.points, across)
    np.add.at(right, sightings.points, np.einsum("nij,nj->ni", across, at[:, :3, 3]))
    # Rays that are nearly parallel meet far away instead of anywhere.
    matrix += PARALLEL * np.eye(3)
    return np.linalg.solve(matrix, right[..., None])[..., 0]


def off_by(
    sightings: PointSightings,
    poses: Float[np.ndarray, "views 4 4"],
    points: Float[np.ndarray, "points 3"],
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """Return how far points lie from where they are seen, points in cameras, which are ahead."""
    at = poses[sightings.views]
    local = np.einsum("nji,nj->ni", at[:, :3, :3], points[sightings.points] - at[:, :3, 3])
    ahead = local[:, 2] > NEAREST
    z = np.where(ahead, local[:, 2], 1.0)
    return local[:, :2] / z[:, None] - sightings.plane_xy, local, ahead


def stepped(
    sightings: PointSightings,
    given: Float[np.ndarray, "views 4 4"],
    poses: Float[np.ndarray, "views 4 4"],
    points: Float[np.ndarray, "points 3"],
    is_free: Bool[np.ndarray, " views"],
    spread: float,
) -> tuple[Float[np.ndarray, "views 4 4"], Float[np.ndarray, "points 3"]]:
    """Return what the door says."""
    off, local, ahead = off_by(sightings, poses, points)
    weight = ahead / sightings.noise**2
    # Cauchy, anew in each step: wrong matches let go as poses become right.
    weight = weight / (1 + (off**2).sum(axis=1) / (2 * sightings.noise) ** 2)
    # Normal equations in blocks: of poses, of points, and across, as a sighting is of one of each.
    by_pose, by_point = _jacobians(sightings, poses, points, local, ahead)
    views, count = len(poses), len(points)
    weighted = by_pose.transpose(0, 2, 1) * weight[:, None, None]
    of_poses, right = np.zeros((views, 6, 6)), np.zeros((views, 6))
    np.add.at(of_poses, sightings.views, weighted @ by_pose)
    np.add.at(right, sightings.views, -np.einsum("nij,nj->ni", weighted, off))
    met = weighted @ by_point
    weighted = by_point.transpose(0, 2, 1) * weight[:, None, None]
    of_points, point_right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    np.add.at(of_points, sightings.points, weighted @ by_point)
    np.add.at(point_right, sightings.points, -np.einsum("nij,nj->ni", weighted, off))
    # Points that are seen under a small angle have hardly any depth to tell.
    damping = DAMPING * np.trace(of_points, axis1=1, axis2=2) + PARALLEL
    inverse = np.linalg.inv(of_points + damping[:, None, None] * np.eye(3))
    depth = median_depth(local, ahead)
    # How sure given poses are; of shifts by the depth of the scene, so that its unit is no matter.
    sure = np.repeat((1 / (SHIFT_BY_TURN * depth * spread) ** 2, 1 / spread**2), 3)
    # Around the given poses, not around those of the last step: they hold the scale.
    right -= sure * between(given, poses)
    # The points are eliminated: what is left is a small system of the poses alone.
    across, scaled = np.zeros((2, views, 6, count, 3))
    # Assigned and not added: a view sees a point once.
    across[sightings.views, :, sightings.points] = met
    scaled[sightings.views, :, sightings.points] = met @ inverse[sightings.points]
    across, scaled = (of.reshape(6 * views, 3 * count) for of in (across, scaled))
    matrix = -scaled @ across.T
    flat = right.ravel() - scaled @ point_right.ravel()
    for view in range(views):
        at = slice(6 * view, 6 * view + 6)
        matrix[at, at] += of_poses[view] + np.diag(sure)
    free = np.repeat(is_free, 6)
    steps = np.zeros(6 * views)
    steps[free] = np.linalg.solve(matrix[np.ix_(free, free)], flat[free])
    motion = steps.reshape(views, 6)
    # Back to the points, now that it is known how the poses move.
    point_right = point_right - (across.T @ steps).reshape(count, 3)
    return moved(poses, motion), points + np.einsum("pij,pj->pi", inverse, point_right)


def median_depth(local: Float[np.ndarray, "n 3"], ahead: Bool[np.ndarray, " n"]) -> float:
    """Return the median depth of points in their views, of those ahead; 1 if none is."""
    return float(np.median(local[ahead, 2])) if ahead.any() else 1.0


def _jacobians(
    sightings: PointSightings,
    poses: Float[np.ndarray, "views 4 4"],
    points: Float[np.ndarray, "points 3"],
    local: Float[np.ndarray, "n 3"],
    ahead: Bool[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n 2 6"], Float[np.ndarray, "n 2 3"]]:
    """Return how places in pictures follow motions of the views and of the points."""
    at = poses[sightings.views]
    z = np.where(ahead, local[:, 2], 1.0)
    projection = np.zeros((len(sightings), 2, 3))
    # Derivatives of x / z and y / z.
    projection[:, 0, 0] = projection[:, 1, 1] = 1 / z
    projection[:, :, 2] = -local[:, :2] / z[:, None] ** 2
    by_point = projection @ at[:, :3, :3].transpose(0, 2, 1)
    # A turn of the camera moves a point across its arm.
    arm = points[sightings.points] - at[:, :3, 3]
    return np.concatenate((-by_point, by_point @ cross_matrices(arm)), axis=2), by_point
