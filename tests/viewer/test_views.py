# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Slices as pictures, frusta as lines, and the views of a browser as cameras of ours."""

import numpy as np
from tiny_scene import CAMERA, pose

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.planning import FREE, OCCUPIED, UNKNOWN, EsdfSlice, OccupancySlice
from ineus_core.viewer.camera_views import frustum_lines, reduced
from ineus_core.viewer.field_view import pinhole, world_from_camera
from ineus_core.viewer.slice_views import distance_picture, occupancy_picture


def test_free_is_green_occupied_red_and_the_unknown_clear() -> None:
    cells = np.array(((FREE, OCCUPIED, UNKNOWN),), np.int8)
    picture = occupancy_picture(OccupancySlice((0.0, 0.0), 0.1, cells))
    assert picture.shape == (8, 24, 4)
    free, occupied, unknown = picture[4, 4], picture[4, 12], picture[4, 20]
    assert free[1] > free[0] and occupied[0] > occupied[1]
    assert free[3] > 0 and occupied[3] > 0 and unknown[3] == 0


def test_distances_go_from_red_over_contours_to_clear() -> None:
    distance_m = np.tile(np.linspace(0.0, 0.45, 10, dtype=np.float32), (2, 1))
    observed = np.ones((2, 10), bool)
    observed[:, 9] = False
    picture = distance_picture(EsdfSlice((0.0, 0.0), 0.05, 0.5, distance_m, observed))
    assert picture[8, 2, 0] > 2 * picture[8, 2, 2]
    white = (picture[8, :, :3] == 255).all(axis=1)
    # One contour, at 25 cm: in the middle of the sixth cell, by rows of 8 pixels.
    assert white.any() and 40 <= np.flatnonzero(white).mean() <= 48
    assert (picture[:, 72:, 3] == 0).all()


def test_distances_that_are_not_finite_are_drawn() -> None:
    nowhere = np.full((1, 2), np.inf, np.float32)
    picture = distance_picture(EsdfSlice((0.0, 0.0), 0.1, 0.5, nowhere, np.ones((1, 2), bool)))
    assert picture.shape == (8, 16, 4)


def test_a_frustum_ends_at_the_corners_of_the_picture() -> None:
    lines = frustum_lines(pose(x=1.0)[None], CAMERA, size_m=0.3)
    assert lines.shape == (8, 2, 3)
    np.testing.assert_allclose(lines[:4, 0], np.tile((1, 0, 0), (4, 1)))
    # 40 x 30 pixels at a focal length of 30: two thirds and one half of the depth to each side.
    np.testing.assert_allclose(lines[0, 1], (1 - 0.2, -0.15, 0.3))
    np.testing.assert_allclose(lines[4:, 0], lines[:4, 1])


def test_a_picture_is_reduced_but_never_enlarged() -> None:
    picture = np.zeros((30, 40, 3), np.uint8)
    assert reduced(picture, 20).shape == (15, 20, 3)
    assert reduced(picture, 100) is picture


def test_the_camera_of_a_browser_is_one_of_ours() -> None:
    expected = pose(1.0, 2.0, 3.0, yaw_deg=30.0)
    x, y, z, w = rotation_to_quaternion(expected[:3, :3])
    np.testing.assert_allclose(world_from_camera((w, x, y, z), (1, 2, 3)), expected, atol=1e-12)
    camera = pinhole(np.pi / 2, aspect=2.0, width_px=160)
    # A view of 90 degrees is as deep as half of its height.
    assert (camera.width_px, camera.height_px) == (160, 80)
    assert abs(camera.fy - 40.0) < 1e-9
