# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Transforms, lenses and rays against numbers worked out by hand and against their inverses."""

import itertools
import tracemalloc

import cv2
import numpy as np
import pytest
import torch

from ineus_core.geometry import (
    OPENGL_CAMERA_FROM_CAMERA,
    axes_equations,
    block_indices,
    blocks_touched,
    cached_pixel_rays,
    focus_of_cameras,
    interpolate_rigid,
    look_at,
    look_one_way,
    opencv_matrix,
    pixel_rays,
    project,
    quaternion_to_rotation,
    ray_box,
    rays_through,
    rigid_inverse,
    rigid_transform,
    rotation_to_quaternion,
    undistort_pixels,
)
from ineus_core.types import Camera, check_rigid

SQRT_HALF = np.sqrt(0.5)
LENSES = {
    "none": (),
    "plumb_bob": (-0.28, 0.09, 0.001, -0.0007, -0.01),
    "rational_polynomial": (0.9, -0.3, 0.0004, -0.0002, 0.05, 1.2, -0.1, 0.01),
    "equidistant": (0.02, -0.005, 0.001, -0.0002),
}


def camera(model: str = "none", distortion: tuple[float, ...] | None = None) -> Camera:
    coefficients = LENSES[model] if distortion is None else distortion
    return Camera(64, 48, 50.0, 52.0, 31.0, 25.0, model, coefficients)


def random_poses(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rigid_transform(rng.normal(size=3), rng.normal(size=4)) for _ in range(count)]


def test_quaternions_by_hand() -> None:
    quarter_about_z = quaternion_to_rotation(np.array([0, 0, SQRT_HALF, SQRT_HALF]))
    np.testing.assert_allclose(quarter_about_z, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(
        quaternion_to_rotation(np.array([2.0, 0, 0, 0])), np.diag((1, -1, -1))
    )
    np.testing.assert_allclose(rotation_to_quaternion(np.eye(3)), (0, 0, 0, 1))
    np.testing.assert_allclose(rotation_to_quaternion(np.diag((-1.0, 1, -1))), (0, 1, 0, 0))


def test_quaternions_and_rotations_are_inverse() -> None:
    rng = np.random.default_rng(5)
    near_half_turns = np.concatenate((np.eye(4)[:3], np.eye(4)[:3] + 1e-9))
    for xyzw in (*rng.normal(size=(200, 4)), *near_half_turns):
        rotation = quaternion_to_rotation(xyzw)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        back = rotation_to_quaternion(rotation)
        assert back[3] >= 0
        unit = xyzw / np.linalg.norm(xyzw)
        assert abs(unit @ back) == pytest.approx(1, abs=1e-12)


def test_inverse_undoes() -> None:
    for pose in random_poses(20):
        np.testing.assert_allclose(rigid_inverse(pose) @ pose, np.eye(4), atol=1e-12)
        np.testing.assert_allclose(rigid_inverse(rigid_inverse(pose)), pose, atol=1e-12)


def test_interpolation_by_hand() -> None:
    a = np.eye(4)
    b = rigid_transform(np.array([2.0, 0, -4]), np.array([0, 0, SQRT_HALF, SQRT_HALF]))
    third = interpolate_rigid(a, b, 1 / 3)
    np.testing.assert_allclose(third[:3, 3], (2 / 3, 0, -4 / 3))
    angle = np.pi / 6
    expected = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(third[:2, :2], expected, atol=1e-12)
    np.testing.assert_allclose(interpolate_rigid(a, b, 0.0), a, atol=1e-12)
    np.testing.assert_allclose(interpolate_rigid(a, b, 1.0), b, atol=1e-12)


def test_interpolation_takes_the_shorter_way() -> None:
    a = rigid_transform(
        np.zeros(3), np.array([0, 0, np.sin(np.radians(85)), np.cos(np.radians(85))])
    )
    b = rigid_transform(
        np.zeros(3), np.array([0, 0, np.sin(np.radians(95)), np.cos(np.radians(95))])
    )
    middle = interpolate_rigid(a, b, 0.5)
    np.testing.assert_allclose(middle[:3, :3], np.diag((-1, -1, 1)), atol=1e-12)


def test_interpolation_keeps_equal_speed_and_rigidity() -> None:
    for a, b in zip(random_poses(20), random_poses(21)[1:], strict=True):
        check_rigid(interpolate_rigid(a, b, 0.3), 1e-12)
        half = interpolate_rigid(a, b, 0.5)
        quarter = interpolate_rigid(a, b, 0.25)
        np.testing.assert_allclose(interpolate_rigid(a, half, 0.5), quarter, atol=1e-9)
    same = random_poses(1)[0]
    np.testing.assert_allclose(interpolate_rigid(same, same, 0.7), same, atol=1e-12)


def test_look_at_by_hand() -> None:
    world_from_camera = look_at(
        np.array([0, -2.0, 1.0]), np.array([0, 0, 1.0]), np.array([0, 0, 1.0])
    )
    expected = [[1, 0, 0, 0], [0, 0, 1, -2], [0, -1, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(world_from_camera, expected, atol=1e-12)


def test_look_at_sees_its_target_in_the_middle_and_up_above() -> None:
    rng = np.random.default_rng(6)
    for eye, target in rng.normal(size=(20, 2, 3)):
        pose = look_at(eye, target, np.array([0, 0, 1.0]))
        check_rigid(pose, 1e-12)
        seen = rigid_inverse(pose) @ np.append(target, 1)
        np.testing.assert_allclose(
            seen[:3], np.array((0, 0, np.linalg.norm(target - eye))), atol=1e-12
        )
        above = rigid_inverse(pose) @ np.append(target + np.array((0, 0, 0.01)), 1)
        assert above[1] < 0


def test_opengl_axes_are_turned_about_x() -> None:
    np.testing.assert_array_equal(OPENGL_CAMERA_FROM_CAMERA @ (1, 2, 3, 1), (1, -2, -3, 1))


def test_pixels_of_a_pinhole_by_hand() -> None:
    plain = camera()
    pixels = project(plain, np.array([[0, 0, 2.0], [0.2, -0.5, 2.0]]))
    np.testing.assert_allclose(pixels, [[31.0, 25.0], [36.0, 12.0]])
    np.testing.assert_allclose(
        undistort_pixels(plain, pixels), np.array([[0, 0], [0.1, -0.25]]), atol=1e-12
    )
    np.testing.assert_allclose(
        opencv_matrix(plain), np.array([[50, 0, 30.5], [0, 52, 24.5], [0, 0, 1]])
    )


def test_plumb_bob_by_hand() -> None:
    """With k1 = 0.1 a point at radius 0.5 on z = 1 moves out by the factor 1 + 0.1 x 0.25."""
    lens = camera("plumb_bob", (0.1, 0, 0, 0, 0))
    np.testing.assert_allclose(
        project(lens, np.array([[0.3, 0.4, 1.0]])), [[31 + 50 * 0.3075, 25 + 52 * 0.41]]
    )


@pytest.mark.parametrize("distortion", [(), (0.0, 0.0, 0.0, 0.0)])
def test_equidistant_without_coefficients_is_no_pinhole(distortion: tuple[float, ...]) -> None:
    """The radius in the image is the angle: 45 degrees lie at pi / 4, not at 1."""
    lens = camera("equidistant", distortion)
    pixels = np.array([[31 + 50 * np.pi / 4, 25.0]])
    np.testing.assert_allclose(project(lens, np.array([[1.0, 0, 1.0]])), pixels)
    np.testing.assert_allclose(undistort_pixels(lens, pixels), [[1.0, 0.0]], atol=1e-9)


@pytest.mark.parametrize("model", LENSES)
def test_projection_and_undistortion_are_inverse_over_the_image(model: str) -> None:
    lens = camera(model)
    rays = pixel_rays(lens)
    assert rays.shape == (48, 64, 3)
    assert rays.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1, atol=1e-6)
    columns, rows = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    expected = np.stack((columns, rows), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(project(lens, 3 * rays.reshape(-1, 3)), expected, atol=1e-3)
    plane = undistort_pixels(lens, expected)
    points = np.concatenate((plane, np.ones((len(plane), 1))), axis=1)
    np.testing.assert_allclose(project(lens, points), expected, atol=1e-6)


@pytest.mark.parametrize("model", ["none", "plumb_bob", "equidistant"])
def test_rays_of_some_pixels_are_those_of_all(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lens, every = camera(model), pixel_rays(camera(model))
    np.testing.assert_array_equal(pixel_rays(lens, 7, 3), every[3::7, 3::7])
    np.testing.assert_array_equal(cached_pixel_rays(lens, 4), every[::4, ::4])
    pixels = np.array(((0.5, 0.5), (10.5, 3.5)))
    np.testing.assert_array_equal(rays_through(lens, pixels), every[(0, 3), (0, 10)])
    # A large picture is done in parts, of which none is less than a row.
    monkeypatch.setattr("ineus_core.geometry._RAYS_AT_ONCE", 1)
    np.testing.assert_array_equal(pixel_rays(lens), every)


def test_rays_of_a_large_picture_take_no_memory_beside_themselves() -> None:
    tracemalloc.start()
    rays = pixel_rays(Camera(6000, 4000, 5e3, 5e3, 3e3, 2e3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rays.shape == (4000, 6000, 3) and peak < 1.5 * rays.nbytes


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial"])
def test_distortion_is_that_of_opencv(model: str) -> None:
    lens = camera(model)
    points = np.random.default_rng(7).uniform((-0.5, -0.4, 0.9), (0.5, 0.4, 2.0), (100, 3))
    expected, _ = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), opencv_matrix(lens), np.array(lens.distortion)
    )
    np.testing.assert_allclose(project(lens, points), expected[:, 0] + 0.5)
    # And OpenCV's own map from undistorted to distorted pixels, whose centres are integers.
    size = (lens.width_px, lens.height_px)
    matrix = opencv_matrix(lens)
    map_x, map_y = cv2.initUndistortRectifyMap(
        matrix, np.array(lens.distortion), None, matrix, size, cv2.CV_32FC1
    )
    distorted = np.array([[map_x[20, 50], map_y[20, 50]]], dtype=np.float64) + 0.5
    expected_plane = (np.array([[50, 20]]) - matrix[:2, 2]) / (50, 52)
    np.testing.assert_allclose(undistort_pixels(lens, distorted), expected_plane, atol=1e-5)


@pytest.mark.parametrize("model", LENSES)
def test_no_points_give_no_pixels(model: str) -> None:
    assert project(camera(model), np.zeros((0, 3))).shape == (0, 2)
    assert undistort_pixels(camera(model), np.zeros((0, 2))).shape == (0, 2)


def test_rays_and_a_box_by_hand() -> None:
    aabb = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    origins = torch.tensor(
        [[-3.0, 0, 0], [0, 0, 0], [3, 0, 0], [-3, 2, 0], [-3, 1, 0], [-2, 0, 0]]
    )
    directions = torch.tensor([[1.0, 0, 0]] * 5 + [[SQRT_HALF, SQRT_HALF, 0]]).float()
    near, far = ray_box(origins, directions, aabb)
    assert near[:2].tolist() == [2.0, 0.0]
    assert far[:2].tolist() == [4.0, 1.0]
    assert far[2] < near[2]
    assert far[3] < near[3]
    # Within a face: whichever answer, but a number.
    assert torch.isfinite(near[4])
    assert torch.isfinite(far[4])
    # From (-2, 0, 0) at 45 degrees the ray touches the edge at (-1, 1).
    torch.testing.assert_close(near[5], torch.tensor(2**0.5))
    torch.testing.assert_close(far[5], torch.tensor(2**0.5))


def test_points_between_near_and_far_are_in_the_box() -> None:
    torch.manual_seed(0)
    aabb = torch.tensor([[-1.0, -2, -0.5], [0.5, 1, 2]])
    origins = 3 * torch.randn(500, 3)
    directions = torch.nn.functional.normalize(torch.randn(500, 3), dim=-1)
    near, far = ray_box(origins, directions, aabb)
    hit = far > near
    assert 0 < hit.sum() < 500
    middle = origins + ((near + far) / 2)[:, None] * directions
    inside = ((middle > aabb[0]) & (middle < aabb[1])).all(dim=-1)
    assert torch.equal(inside & (far > 0), hit)


def test_blocks_start_at_the_origin() -> None:
    points = np.array([[0.0, 0.79, 0.8], [-0.01, -0.8, -0.81]])
    np.testing.assert_array_equal(block_indices(points, 0.8), [[0, 0, 1], [-1, -1, -2]])


def test_blocks_touched_by_hand() -> None:
    assert blocks_touched(np.array([[0.5, 0.5, 0.5]]), 0.4, 1.0) == [(0, 0, 0)]
    # Over a face in x and over one on the other side in y: four blocks, not two.
    edge = np.array([[0.99, 1.01, 0.5]])
    assert blocks_touched(edge, 0.1, 1.0) == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    assert blocks_touched(np.zeros((0, 3)), 0.1, 1.0) == []
    # A cube that is larger than a block has blocks inside.
    assert len(blocks_touched(np.array([[-0.5, 0.5, 0.5]]), 1.0, 1.0)) == 27


def test_blocks_touched_are_those_of_dense_samples() -> None:
    points = np.random.default_rng(0).uniform(-3, 3, (40, 3))
    steps = np.linspace(-0.3, 0.3, 31)
    samples = points[:, None] + np.array(list(itertools.product(steps, repeat=3)))
    expected = {tuple(row) for row in block_indices(samples.reshape(-1, 3), 0.7).tolist()}
    assert set(blocks_touched(points, 0.3, 0.7)) == expected


def test_axes_that_meet_have_a_focus_and_parallel_ones_the_middle() -> None:
    target, up = np.array([0.3, -0.2, 1.0]), np.array([0, 0, 1.0])
    eyes = np.array([[3.0, 0, 1], [-2, 2, 0], [0, -4, 2.5]])
    meeting = [look_at(eye, target, up) for eye in eyes]
    np.testing.assert_allclose(focus_of_cameras(meeting), target, atol=1e-6)
    matrix, right = axes_equations(meeting)
    np.testing.assert_allclose(matrix @ target, right, atol=1e-12)
    parallel = [look_at(eye, eye + np.array([1.0, 0, 0]), up) for eye in eyes]
    np.testing.assert_allclose(focus_of_cameras(parallel), eyes.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(("degrees", "is_one_way"), [(0, True), (90, True), (180, False)])
def test_cameras_on_an_arc_look_one_way_and_around_a_thing_they_do_not(
    degrees: float, is_one_way: bool
) -> None:
    angles = np.radians(np.linspace(0, degrees, 30))
    up = np.array([0.0, 0.0, 1.0])
    poses = [look_at(np.array([np.cos(a), np.sin(a), 0.2]), np.zeros(3), up) for a in angles]
    assert look_one_way(poses) == is_one_way
