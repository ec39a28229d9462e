# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of keyframes in a box: recovered where the scene fixes them, else left as given."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from box_views import apart, frame_at, into_corner, off_by

from ineus_core.geometry import look_at
from ineus_core.kernels.pose_graph import carried_on
from ineus_core.motions import between
from ineus_core.pose_refinement import PoseRefinementConfig, PoseRefiner
from ineus_core.pose_refinement import refiner as refiner_module
from ineus_core.pose_refinement.constraints import Constraints
from ineus_core.pose_refinement.pose_graph import solved
from ineus_core.types import KeyframeId

OFF_M, OFF_DEG = (0.006, -0.004, 0.005), (0.2, -0.1, 0.3)


def refiner(**settings: float) -> PoseRefiner:
    return PoseRefiner(PoseRefinementConfig(**settings), 64, 0.1, 10.0)


def corner_walk(count: int) -> list[np.ndarray]:
    return [into_corner(-0.4 + 0.8 * i / count) for i in range(count)]


def noisy(poses: list[np.ndarray], mm: float, deg: float, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        off_by(pose, tuple(rng.normal(0, mm / 1e3, 3)), tuple(rng.normal(0, deg, 3)))
        for pose in poses
    ]


def run(
    under_test: PoseRefiner,
    true: list[np.ndarray],
    given: list[np.ndarray],
    others_wait: bool = False,
) -> dict[KeyframeId, np.ndarray]:
    """Return where all keyframes are in the end."""
    places = {}
    for number, (at, told) in enumerate(zip(true, given, strict=True)):
        places[number * 10**8, 0] = told
        places.update(under_test.add(frame_at(number, at, told), others_wait))
    return places


def test_one_wrong_pose_among_right_ones_is_put_right() -> None:
    true = corner_walk(12)
    given = [*true[:-1], off_by(true[-1], OFF_M, OFF_DEG)]
    places = run(refiner(), true, given)
    off_mm, off_deg = apart(places[11 * 10**8, 0], true[-1])
    assert apart(given[-1], true[-1]) > (8.0, 0.3)
    assert off_mm < 2
    assert off_deg < 0.08


def test_keyframes_that_come_in_a_burst_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    solved_at: list[int] = []

    def noted(constraints: Constraints, given: np.ndarray, *words: Any) -> object:
        solved_at.append(len(given))
        return solved(constraints, given, *words)

    monkeypatch.setattr(refiner_module, "solved", noted)
    true = corner_walk(25)
    given = noisy(true, 4.0, 0.25)
    places = list(run(refiner(), true, given, others_wait=True).values())
    # The first keyframe has no partner; then each fourth one.
    assert sorted(set(solved_at)) == [5, 9, 13, 17, 21, 25]
    off_mm = [
        np.mean([apart(a, b)[0] for a, b in zip(poses, true, strict=True)])
        for poses in (given, places)
    ]
    assert off_mm[1] < 0.6 * off_mm[0]


def test_noise_is_judged_and_most_of_it_taken_away() -> None:
    true = corner_walk(24)
    given = noisy(true, 4.0, 0.25)
    under_test = refiner()
    places = list(run(under_test, true, given).values())
    before, after = (
        np.mean([apart(a, b) for a, b in zip(poses, true, strict=True)], axis=0)
        for poses in (given, places)
    )
    assert under_test.noise.white == pytest.approx(0.004, rel=0.3)
    # What is left is common to all: the mean of 24.
    assert after[0] < 0.4 * before[0]
    assert after[1] < 0.5 * before[1]


def test_exact_poses_stay_exactly_as_they_are() -> None:
    true = corner_walk(12)
    places = run(refiner(), true, true)
    assert all((place == at).all() for place, at in zip(places.values(), true, strict=True))


def test_drift_is_told_from_noise_and_goes_where_a_place_is_seen_again() -> None:
    true = [*corner_walk(12), *corner_walk(12)[::-1]]
    rng = np.random.default_rng(1)
    steps = np.cumsum(rng.normal(0, 0.003, (24, 3)), axis=0)
    given = [
        off_by(at, tuple(by), (0, 0, 0)) for at, by in zip(true, steps - steps[0], strict=True)
    ]
    under_test = refiner()
    places = list(run(under_test, true, given).values())
    assert under_test.noise.drift > under_test.noise.white
    assert apart(given[-1], true[-1])[0] > 10
    assert apart(places[-1], true[-1])[0] < 2


def drifting(true: list[np.ndarray], by_m: tuple[float, ...], by_deg: float) -> list[np.ndarray]:
    """Return poses of odometry: each step is off by the same, and so the next ones start there."""
    given = [true[0]]
    for before, after in pairwise(true):
        step = off_by(np.linalg.inv(before) @ after, by_m, (0, 0, 0))
        given.append(off_by(given[-1] @ step, (0, 0, 0), (0, 0, by_deg)))
    return given


@pytest.mark.parametrize("by_deg", [0.0, 0.4])
def test_a_keyframe_is_right_as_it_comes_however_far_the_given_poses_have_drifted(
    by_deg: float,
) -> None:
    laps = [*corner_walk(12), *corner_walk(12)[::-1]]
    true = laps * 3
    given = drifting(true, (0.003, 0.001, -0.002), by_deg)
    under_test = refiner(max_jump_m=0.02)
    off_mm = []
    for number, (at, told) in enumerate(zip(true, given, strict=True)):
        poses = under_test.add(frame_at(number, at, told))
        off_mm.append(apart(poses.get((number * 10**8, 0), told), at)[0])
    # Many times farther than a keyframe may jump.
    assert apart(given[-1], true[-1])[0] > 150
    assert max(off_mm[8:]) < 10
    assert np.mean(off_mm[-12:]) < 4


def test_drift_that_turns_is_carried_on_as_a_rigid_motion() -> None:
    true = corner_walk(6)
    given = np.stack(drifting(true, (0.0, 0.0, 0.0), 5.0))
    # All turned as one body: each keyframe's drift follows from that of the one before.
    turn = off_by(np.eye(4), (0, 0, 0), (0, 0, 30.0))
    drift = between(given, turn @ given)
    assert np.allclose(carried_on(given, drift[:-1]), drift[1:], atol=1e-12)
    assert not np.allclose(drift[1:], drift[:-1], atol=1e-3)


def test_one_wall_fixes_the_distance_to_it_and_leaves_the_rest_as_given() -> None:
    half_sides_m = np.array((2.0, 50.0, 50.0))
    true = [look_at(np.array((0, 0.05 * i, 0)), np.array((2, 0.05 * i, 0)), np.array((0, 0, 1.0)))
            for i in range(8)]  # fmt: skip
    given = [*true[:-1], off_by(true[-1], (0.01, 0.01, 0.01), (0, 0, 0))]
    under_test = refiner()
    places = {}
    for number, (at, told) in enumerate(zip(true, given, strict=True)):
        places.update(under_test.add(frame_at(number, at, told, half_sides_m)))
    moved_m = places[7 * 10**8, 0][:3, 3] - given[-1][:3, 3]
    assert moved_m[0] == pytest.approx(-0.01, abs=5e-4)
    assert np.abs(moved_m[1:]).max() < 1e-5


def test_a_keyframe_that_sees_nothing_known_stays_as_given() -> None:
    under_test = refiner()
    away = look_at(np.zeros(3), np.array((-2.0, 0.2, 0.1)), np.array((0, 0, 1.0)))
    assert under_test.add(frame_at(0, into_corner())) == {}
    assert under_test.add(frame_at(1, away, off_by(away, OFF_M, OFF_DEG))) == {}


def test_no_keyframe_moves_farther_at_once_than_is_allowed() -> None:
    true = corner_walk(12)
    given = [*true[:-1], off_by(true[-1], (0.03, 0.0, 0.0), (0, 0, 0))]
    under_test = refiner(max_jump_m=0.02)
    run(under_test, true[:-1], given[:-1])
    assert under_test.add(frame_at(11, true[-1], given[-1])) == {}
    assert under_test.take_counts()["poses_refused"] == 1


def test_poses_from_outside_are_the_given_ones_from_then_on() -> None:
    true, shift = corner_walk(10), np.array((0.5, -0.2, 0.1))
    under_test = refiner()
    places = run(under_test, true, true)
    moved = {keyframe: off_by(pose, tuple(shift), (0, 0, 0)) for keyframe, pose in places.items()}
    under_test.move(moved)
    at = into_corner(0.3)
    told = off_by(at, tuple(shift), (0, 0, 0))
    changed = under_test.add(frame_at(10, at, told))
    assert changed == {}


def test_keyframes_that_are_let_go_of_are_forgotten_with_what_they_said() -> None:
    true = corner_walk(12)
    under_test = refiner()
    run(under_test, true, noisy(true, 3.0, 0.1))
    under_test.hold_only([(number * 10**8, 0) for number in range(4, 12)])
    at = into_corner(0.35)
    moved = under_test.add(frame_at(12, at, off_by(at, OFF_M, OFF_DEG)))
    assert set(moved) <= {(number * 10**8, 0) for number in range(4, 13)}
    assert (12 * 10**8, 0) in moved
