# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A keyframe in a corner of a box against another one: where it fits, and what stays as given."""

import numpy as np
import pytest
from box_views import CAMERA, HALF_SIDES_M, apart, frame_at, into_corner, off_by

from ineus_core.geometry import look_at
from ineus_core.kernels.plane_alignment import PlaneViews
from ineus_core.pose_refinement.plane_view import planes_of
from ineus_core.pose_refinement.pose_noise import PoseNoise
from ineus_core.pose_refinement.registration import neighbours, registered

UNSURE = PoseNoise(white=1.0, surface_m=0.001)
ROWS, PAIR = np.arange(2), np.array([[1, 0]])


def views_of(poses: list[np.ndarray], half_sides_m: np.ndarray = HALF_SIDES_M) -> PlaneViews:
    planes = [planes_of(frame_at(0, at, None, half_sides_m), 0.1, 10.0) for at in poses]
    intrinsics = np.array((CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy))
    return PlaneViews(np.stack(planes), np.tile(intrinsics, (len(poses), 1)))


@pytest.mark.parametrize(
    ("shift_m", "turn_deg"),
    [((0.01, 0, 0), (0, 0, 0)), ((0, 0, 0), (0, 0.5, 0)), ((0.01, -0.02, 0.015), (0.4, -0.3, 1))],
)
def test_a_known_offset_is_recovered_to_a_tenth_of_a_millimetre(
    shift_m: tuple[float, ...], turn_deg: tuple[float, ...]
) -> None:
    true = [into_corner(-0.1), into_corner(0.1)]
    given = np.stack((true[0], off_by(true[1], shift_m, turn_deg)))
    found = registered(views_of(true), ROWS, given, PAIR, UNSURE)
    off_mm, off_deg = apart(found, true[1])
    assert off_mm < 0.1
    assert off_deg < 0.005


def test_a_single_wall_does_not_move_a_keyframe_sideways_or_turn_it_about_its_normal() -> None:
    up = np.array((0, 0, 1.0))
    true = [look_at(np.array((0, y, 0)), np.array((2, y, 0)), up) for y in (0.0, 0.2)]
    given = np.stack((true[0], off_by(true[1], (0.01, 0.02, -0.015), (0.5, 0.3, -0.2))))
    views = views_of(true, np.array((2.0, 50.0, 50.0)))
    found = registered(views, ROWS, given, PAIR, UNSURE)
    moved = found[:3, 3] - given[1, :3, 3]
    turned = found[:3, :3] @ given[1, :3, :3].T
    assert moved[0] == pytest.approx(-0.01, abs=2e-4)
    assert np.abs(moved[1:]).max() < 1e-4
    assert turned[2, 1] - turned[1, 2] == pytest.approx(0.0, abs=1e-4)


def test_where_nothing_is_seen_together_there_are_no_neighbours_and_the_pose_stays() -> None:
    away = look_at(np.zeros(3), np.array((-2.0, 0.2, 0.1)), np.array((0, 0, 1.0)))
    poses = [into_corner(), away]
    views, given = views_of(poses), np.stack(poses)
    assert len(neighbours(views, ROWS, given)) == 0
    assert registered(views, ROWS, given, PAIR, UNSURE) == pytest.approx(away)


def test_a_given_pose_that_is_sure_holds_against_the_surfaces() -> None:
    true = [into_corner(-0.1), into_corner(0.1)]
    given = np.stack((true[0], off_by(true[1], (0.002, 0, 0), (0, 0, 0))))
    doubtful = PoseNoise(white=0.003, surface_m=0.1)
    found = registered(views_of(true), ROWS, given, PAIR, doubtful)
    assert apart(found, given[1])[0] < 0.05
