# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A world with z up, the scene in the middle and cameras at distance 1, for data of any scale."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.geometry import focus_of_cameras

_HYPOTHESES = 500
_MOST_POINTS = 20_000


class NormalisationConfig(ConfigModel):
    """How the world is laid out where the data leave scale and axes open."""

    enabled: bool = Field(default=True, description="Whether the coordinates are changed at all")
    up: Literal["camera", "ground"] = Field(
        default="camera",
        description="z is the mean of the tops of the pictures or the normal of the largest plane",
    )
    centre: Literal["lookat", "camera", "point"] = Field(
        default="lookat",
        description="The origin is where the optical axes meet, the mean of the cameras, or that "
        "of the points between them",
    )
    ground_threshold: float = Field(
        default=0.01,
        gt=0,
        description="Distance from the ground that still belongs to it, as a share of the median "
        "distance between cameras and centre",
    )


def normalising_similarity(
    poses: Sequence[Float[np.ndarray, "4 4"]],
    points: Float[np.ndarray, "n 3"],
    config: NormalisationConfig,
    where: str,
) -> Float[np.ndarray, "4 4"]:
    """Return `world_from_dataset`, a similarity after which the nearest camera is at distance 1.

    Where cameras stand in the very middle, as in a room, half of the median distance is 1.

    Args:
        poses: `dataset_from_camera` of all pictures.
        points: Of the scene, for `ground` and `point`.
        where: Named in the message if something cannot be estimated.
    """
    if not config.enabled:
        return np.eye(4)
    positions = np.stack([pose[:3, 3] for pose in poses])
    centre = focus_of_cameras(poses) if config.centre == "lookat" else positions.mean(axis=0)
    if (config.up == "ground" or config.centre == "point") and len(points) < 3:
        raise SourceError(
            f"{where}: {len(points)} points for normalisation by ground or point; expected at "
            f"least 3 (up: camera and centre: lookat need none)"
        )
    if config.up == "ground":
        span = float(np.median(np.linalg.norm(positions - centre, axis=1)))
        up = _ground_normal(points, config.ground_threshold * span, positions)
    else:
        # y of optical axes points down.
        up = -np.mean([pose[:3, 1] for pose in poses], axis=0)
    if np.linalg.norm(up) < 1e-6:
        raise SourceError(f"{where}: the tops of the pictures cancel out; expected up: ground")
    rotation = _rotation_to_z(up / np.linalg.norm(up))
    if config.centre == "point":
        centre = rotation.T @ _middle_of_points(points @ rotation.T, positions @ rotation.T, where)
    distances = np.linalg.norm(positions - centre, axis=1)
    if distances.min() <= 1e-6 * max(distances.max(), 1e-12):
        raise SourceError(
            f"{where}: a camera lies in the centre of the scene as found by centre: "
            f"{config.centre}; expected another centre, or normalisation.enabled: false"
        )
    world_from_dataset = np.eye(4)
    # A camera that happens to pass the centre says nothing about the size of a room.
    unit = max(float(distances.min()), 0.5 * float(np.median(distances)))
    world_from_dataset[:3, :3] = rotation / unit
    world_from_dataset[:3, 3] = -world_from_dataset[:3, :3] @ centre
    return world_from_dataset


def moved_pose(
    world_from_dataset: Float[np.ndarray, "4 4"], dataset_from_camera: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "4 4"]:
    """Return the pose in the world, rigid although the similarity has a scale."""
    world_from_camera = world_from_dataset @ dataset_from_camera
    world_from_camera[:3, :3] /= similarity_scale(world_from_dataset)
    return world_from_camera


def similarity_scale(a_from_b: Float[np.ndarray, "4 4"]) -> float:
    """Return how many units of a are in a unit of b."""
    return float(np.cbrt(np.linalg.det(a_from_b[:3, :3])))


def _ground_normal(
    points: Float[np.ndarray, "n 3"], threshold: float, positions: Float[np.ndarray, "m 3"]
) -> Float[np.ndarray, " 3"]:
    """Return the normal of the plane with the most points by RANSAC, towards the cameras."""
    # Seeded: the world of a data set, and with it a finished map, must be the same in each run.
    rng = np.random.default_rng(0)
    # A part of the points finds the largest plane as well, and sooner.
    if len(points) > _MOST_POINTS:
        points = points[rng.choice(len(points), _MOST_POINTS, replace=False)]
    best = np.zeros(len(points), dtype=bool)
    for _ in range(_HYPOTHESES):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        if np.linalg.norm(normal) < 1e-12:
            continue
        normal /= np.linalg.norm(normal)
        inliers = np.abs((points - a) @ normal) < threshold
        if inliers.sum() > best.sum():
            best = inliers
    # All inliers together fix the plane far better than the three that proposed it.
    chosen = points[best] if best.sum() >= 3 else points
    middle = chosen.mean(axis=0)
    normal = np.linalg.svd(chosen - middle, full_matrices=False)[2][-1]
    return -normal if ((positions - middle) @ normal).mean() < 0 else normal


def _rotation_to_z(up: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the smallest rotation of a unit vector to z: data with z up stay as they are."""
    # Opposite to z the axis of the smallest rotation is open, and the formula below divides by 0.
    if up[2] < -1 + 1e-9:
        return np.diag((1.0, -1.0, -1.0))
    x, y, _ = up
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + up[2])


def _middle_of_points(
    points: Float[np.ndarray, "n 3"], positions: Float[np.ndarray, "m 3"], where: str
) -> Float[np.ndarray, " 3"]:
    """Average the points that lie between the cameras as seen from above, without strays."""
    low, high = positions[:, :2].min(axis=0), positions[:, :2].max(axis=0)
    between = points[((points[:, :2] > low) & (points[:, :2] < high)).all(axis=1)]
    if len(between) == 0:
        raise SourceError(
            f"{where}: none of {len(points)} points lies between the cameras; expected some for "
            f"normalisation by centre: point"
        )
    return between[_ordinary(between)].mean(axis=0)


def _ordinary(points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
    """Find points as far from the mean as most: 1.5 deviations, 1.5 interquartile ranges."""
    distances = np.linalg.norm(points - points.mean(axis=0), axis=1)
    low, high = np.quantile(distances, (0.25, 0.75))
    width = 1.5 * min(float(distances.std()), float(high - low))
    kept = np.abs(distances - distances.mean()) <= width
    return kept if kept.any() else np.ones(len(points), dtype=bool)
