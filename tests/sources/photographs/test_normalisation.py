# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Up, centre and scale of worlds that come without."""

import numpy as np
import pytest
from scene_formats import moved, similarity

from ineus_core.errors import SourceError
from ineus_core.geometry import look_at
from ineus_core.sources.photographs.normalisation import (
    NormalisationConfig,
    moved_pose,
    normalising_similarity,
    similarity_scale,
)
from ineus_core.types import check_rigid

Z = np.array((0.0, 0.0, 1.0))
TARGET = np.array((0.5, -1.0, 0.3))


def ring(radius: float = 4.0, height: float = 2.0, count: int = 9) -> list[np.ndarray]:
    """Place cameras around a target, one of them nearer."""
    poses = []
    for i, angle in enumerate(2 * np.pi * np.arange(count) / count):
        share = 0.5 if i == 0 else 1.0
        offset = np.array((radius * np.cos(angle), radius * np.sin(angle), height))
        poses.append(look_at(TARGET + share * offset, TARGET, Z))
    return poses


def floor_and_pot(rng: np.random.Generator) -> np.ndarray:
    """Make a floor through the target, a heap of points on it and some strays far off."""
    floor = np.column_stack((rng.uniform(-3, 3, (600, 2)), rng.normal(0, 1e-3, 600)))
    heap = rng.normal((0, 0, 0.3), 0.1, (300, 3))
    strays = rng.uniform(-20, 20, (100, 3))
    return TARGET + np.concatenate((floor, heap, strays))


def estimated(
    points: np.ndarray | None = None, **settings: object
) -> tuple[np.ndarray, np.ndarray]:
    """Return the world from the true scene, and the places of the cameras in the world."""
    poses = [moved(similarity(), pose) for pose in ring()]
    points = np.empty((0, 3)) if points is None else points
    in_dataset = points @ similarity()[:3, :3].T + similarity()[:3, 3]
    config = NormalisationConfig.model_validate(settings)
    world_from_dataset = normalising_similarity(poses, in_dataset, config, "here")
    new = [moved_pose(world_from_dataset, pose) for pose in poses]
    for pose in new:
        check_rigid(pose, 1e-9)
    return world_from_dataset @ similarity(), np.stack([pose[:3, 3] for pose in new])


def test_axes_meet_in_the_origin_and_the_nearest_camera_is_at_one() -> None:
    world_from_scene, positions = estimated()
    assert np.linalg.norm(positions, axis=1).min() == pytest.approx(1.0)
    assert np.allclose(world_from_scene @ (*TARGET, 1), (0, 0, 0, 1), atol=1e-6)
    # Half of |(4, 0, 2)| is one.
    assert similarity_scale(world_from_scene) == pytest.approx(2 / np.sqrt(20))


def test_up_by_the_cameras() -> None:
    world_from_scene, _ = estimated()
    up = world_from_scene[:3, :3] @ Z
    assert np.allclose(up / np.linalg.norm(up), Z, atol=1e-6)


def test_up_by_the_ground() -> None:
    rng = np.random.default_rng(0)
    world_from_scene, positions = estimated(floor_and_pot(rng), up="ground")
    up = world_from_scene[:3, :3] @ Z
    assert np.allclose(up / np.linalg.norm(up), Z, atol=2e-3)
    assert positions[:, 2].min() > 0


def test_centre_by_cameras_and_points() -> None:
    _, positions = estimated(centre="camera")
    assert np.allclose(positions.mean(axis=0), 0, atol=1e-9)
    rng = np.random.default_rng(0)
    points = floor_and_pot(rng)
    world_from_scene, _ = estimated(points, centre="point")
    centre = np.linalg.inv(world_from_scene)[:3, 3]
    assert np.linalg.norm(centre - TARGET) < 0.4


def test_off_changes_nothing() -> None:
    move = normalising_similarity(
        ring(), np.empty((0, 3)), NormalisationConfig(enabled=False), "here"
    )
    assert np.array_equal(move, np.eye(4))


def test_data_with_z_up_keep_their_axes() -> None:
    config = NormalisationConfig()
    move = normalising_similarity(ring(), np.empty((0, 3)), config, "here")
    assert np.allclose(move[:3, :3], np.eye(3) * similarity_scale(move), atol=1e-9)
    # Upside down: turned about x, not mirrored.
    flipped = [moved(np.diag((1.0, -1.0, -1.0, 1.0)), pose) for pose in ring()]
    move = normalising_similarity(flipped, np.empty((0, 3)), config, "here")
    assert np.allclose(move[:3, :3] / similarity_scale(move), np.diag((1, -1, -1)), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"up": "ground"}, "here: 0 points for normalisation by ground or point"),
        ({"centre": "point"}, "here: 0 points"),
    ],
)
def test_estimates_that_need_points(settings: dict, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        estimated(**settings)


def test_one_camera_has_no_centre_to_look_at() -> None:
    with pytest.raises(SourceError, match="a camera lies in the centre"):
        normalising_similarity(
            ring()[:1], np.empty((0, 3)), NormalisationConfig(centre="camera"), "here"
        )
    far = TARGET + np.array((100.0, 100.0, 0.0))
    with pytest.raises(SourceError, match="none of 3 points lies between the cameras"):
        normalising_similarity(
            ring(), np.tile(far, (3, 1)), NormalisationConfig(centre="point"), "here"
        )
