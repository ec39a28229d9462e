# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the scene lies and how fine it is: boxes of depth by hand, and who scene_kind inwards."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_scene import pose, wall_frame

from ineus_core.geometry import box_of_cameras, look_at
from ineus_core.keyframes import DepthConfig
from ineus_core.reconstruction.scene_bounds import (
    BoundsConfig,
    box_of_depth,
    box_of_points,
    estimate_bounds,
    voxel_of_box,
    voxel_of_depth,
    voxel_of_pictures,
)

UP = np.array([0.0, 0.0, 1.0])


def box(frame, margin_m: float = 0.0, **settings: float) -> np.ndarray:
    return box_of_depth(frame, BoundsConfig(margin_m=margin_m), DepthConfig(**settings))


def test_a_wall_and_the_camera_by_hand() -> None:
    found = box(wall_frame(depth_m=3.0))
    # Every eighth pixel: columns 0 to 32 and rows 0 to 24, so x from -19.5 / 30 to 12.5 / 30.
    np.testing.assert_allclose(found[0], (-19.5 / 10, -14.5 / 10, 0.0), atol=1e-5)
    np.testing.assert_allclose(found[1], (12.5 / 10, 9.5 / 10, 3.0), atol=1e-5)


def test_the_margin_is_added_on_all_sides() -> None:
    plain, wider = box(wall_frame()), box(wall_frame(), margin_m=0.3)
    np.testing.assert_allclose(wider - plain, np.array([[-0.3] * 3, [0.3] * 3]), atol=1e-6)


def test_the_box_moves_and_turns_with_the_camera() -> None:
    found = box(wall_frame(depth_m=2.0, world_from_camera=pose(5.0, 1.0, -1.0, yaw_deg=90.0)))
    np.testing.assert_allclose((found[0, 0], found[1, 0]), (5.0, 7.0), atol=1e-5)


def test_returns_beyond_the_limit_and_none_at_all() -> None:
    assert np.ptp(box(wall_frame(depth_m=9.0), max_m=5.0), axis=0).tolist() == [0, 0, 0]
    assert np.ptp(box(wall_frame(depth_m=0.0)), axis=0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (10.0, -3.0, 2.0)])
def test_cameras_around_an_object(centre: tuple[float, float, float]) -> None:
    target = np.array(centre)
    eyes = [target + 2 * np.array((np.cos(a), np.sin(a), 0.4)) for a in np.linspace(0, 6, 12)]
    scene_kind, found = box_of_cameras([look_at(eye, target, UP) for eye in eyes])
    assert scene_kind == "object"
    np.testing.assert_allclose(found.mean(axis=0), target, atol=1e-3)
    np.testing.assert_allclose(np.ptp(found, axis=0), 2 * (1 + 0.4**2) ** 0.5, rtol=0.01)


def test_cameras_that_look_out_into_a_room() -> None:
    angles = np.linspace(0, 6, 12)
    eyes = [np.array((np.cos(a), np.sin(a), 1.5)) for a in angles]
    scene_kind, found = box_of_cameras([look_at(eye, 3 * eye - (0, 0, 3), UP) for eye in eyes])
    assert scene_kind == "room"
    assert (found[0] < np.min(eyes, axis=0) - 2).all()
    assert (found[1] > np.max(eyes, axis=0) + 2).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parallel_axes_and_a_single_camera_have_a_finite_box(count: int) -> None:
    _, found = box_of_cameras([pose(0.1 * i) for i in range(count)])
    assert np.isfinite(found).all()
    assert (np.ptp(found, axis=0) > 0.1).all()


@pytest.mark.parametrize(
    ("depth_m", "voxel_m"),
    [(7.0, 0.025), (1.1, 0.025), (0.9, 0.0125), (0.4, 0.00625), (0.1, 0.00625), (0.0, 0.025)],
)
def test_voxels_are_as_fine_as_the_view_is_close(depth_m: float, voxel_m: float) -> None:
    assert voxel_of_depth(wall_frame(depth_m=depth_m), DepthConfig()) == voxel_m


def test_voxels_without_depth_follow_the_box() -> None:
    box_of_a_cup, box_of_a_hall = np.array([[0.0] * 3, [0.1] * 3]), np.array([[0.0] * 3, [99] * 3])
    assert voxel_of_box(box_of_a_cup) == pytest.approx(0.1 / 256)
    assert voxel_of_box(box_of_a_hall) == 0.025


def test_voxels_of_photographs_are_three_of_their_pixels_in_any_unit() -> None:
    near, far = wall_frame(depth_m=1.0), wall_frame(depth_m=5.0)
    # A focal length of 30 pixels of 40 is 480 of 640.
    assert voxel_of_pictures([near], DepthConfig()) == pytest.approx(3 * 1.0 / 480)
    assert voxel_of_pictures([near, far, near], DepthConfig()) == pytest.approx(3 / 480)
    assert voxel_of_pictures([wall_frame(depth_m=0.0)], DepthConfig()) == 0.025
    estimated = replace(far, depth_confidence=np.full_like(far.depth_m, 0.8))
    for frame, is_set, voxel_m in (
        (estimated, True, 3 * 5 / 480),
        (estimated, False, 0.025),
        (far, True, 0.025),
    ):
        found = estimate_bounds([frame], [], BoundsConfig(), DepthConfig(), None, is_set)
        assert found.voxel_m == pytest.approx(voxel_m)


def test_points_of_an_object_leave_its_box_and_those_around_it_make_it_a_room() -> None:
    angles = np.linspace(0, 6, 12)
    poses = [look_at(np.array((np.cos(a), np.sin(a), 0.0)), np.zeros(3), UP) for a in angles]
    _, of_cameras = box_of_cameras(poses)
    near = np.random.default_rng(0).uniform(-0.4, 0.4, (1000, 3))
    frames = [wall_frame(depth_m=None)]
    alone = estimate_bounds(frames, poses, BoundsConfig(), DepthConfig(), near)
    assert alone.scene_kind == "object"
    np.testing.assert_array_equal(alone.aabb, of_cameras)
    around = estimate_bounds(
        frames, poses, BoundsConfig(), DepthConfig(), np.vstack((near, 20 * near))
    )
    assert around.scene_kind == "room"
    # Of points out to 8 on either side, most of a hundredth is left out; a tenth is added.
    np.testing.assert_allclose(around.aabb, [[-9.4] * 3, [9.4] * 3], atol=0.4)


def test_the_box_of_points_has_every_camera_and_no_stray() -> None:
    points = np.zeros((1000, 3))
    points[:500, 0] = 2.0
    points[0] = 1e6
    found = box_of_points(points, [pose(0.0), pose(0.0, 0.0, -6.0)])
    np.testing.assert_allclose(found, [[-2.6, -3.6, -6.6], [4.6, 3.6, 0.6]])


def test_one_wrong_pose_among_cameras_without_depth_does_not_widen_the_box() -> None:
    frames = [wall_frame(i, None, pose(0.1 * i)) for i in range(24)]
    expected = estimate_bounds(frames, [], BoundsConfig(), DepthConfig())
    stray = wall_frame(24, None, pose(1e5))
    for order in ([*frames, stray], [stray, *frames]):
        found = estimate_bounds(order, [], BoundsConfig(), DepthConfig())
        np.testing.assert_array_equal(found.aabb, expected.aabb)
    # A long way is no stray.
    far = [wall_frame(i, None, pose(100.0 * i)) for i in range(24)]
    wide = estimate_bounds(far, [], BoundsConfig(), DepthConfig()).aabb
    assert wide[0, 0] <= 0.0 and wide[1, 0] >= 2300.0
