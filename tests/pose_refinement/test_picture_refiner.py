# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of pictures of a textured wall and floor: nearer to the truth, or left where exact."""

from dataclasses import replace

import numpy as np
import pytest
from box_views import apart, off_by

from ineus_core.pose_refinement import PictureRefiner, PoseRefinementConfig, picture_refiner
from ineus_core.pose_refinement.features import FeatureView, view_of
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

SOURCE = SyntheticSource(SyntheticConfig(frames=160, width_px=160, height_px=120))


def room_frames(count: int) -> list[Frame]:
    return [SOURCE.frame(index) for index in range(count)]


def test_pictures_bring_poses_nearer_to_each_other_s_truth() -> None:
    rng, refiner = np.random.default_rng(0), PictureRefiner(PoseRefinementConfig())
    true, given, refined = {}, {}, {}
    for frame in room_frames(8):
        key = frame.stamp_ns, frame.camera_id
        shift, turn = rng.normal(0, 0.005, 3), rng.normal(0, 0.4, 3)
        true[key] = frame.world_from_camera
        given[key] = off_by(frame.world_from_camera, tuple(shift), tuple(turn))
        refined[key] = given[key]
        told = Frame(frame.stamp_ns, frame.camera, given[key], frame.rgb)
        refined.update(refiner.add(told))
    before, after = (
        np.mean([apart(poses[key], true[key]) for key in true], axis=0)
        for poses in (given, refined)
    )
    assert after[1] < 0.7 * before[1]
    assert after[0] < before[0]


def test_exact_poses_of_pictures_stay() -> None:
    refiner = PictureRefiner(PoseRefinementConfig())
    for frame in room_frames(5):
        moved = refiner.add(frame)
        assert all(apart(pose, frame.world_from_camera)[0] < 1 for pose in moved.values())


def test_pictures_without_texture_move_nothing() -> None:
    refiner = PictureRefiner(PoseRefinementConfig())
    for frame in room_frames(4):
        plain = Frame(frame.stamp_ns, frame.camera, frame.world_from_camera, 0 * frame.rgb + 90)
        assert refiner.add(plain) == {}


def test_where_given_poses_are_right_most_keyframes_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Frame] = []

    def noted(frame: Frame) -> FeatureView:
        looked.append(frame)
        return view_of(frame)

    monkeypatch.setattr(picture_refiner, "view_of", noted)
    refiner = PictureRefiner(PoseRefinementConfig())
    frames = [SOURCE.frame(index) for index in range(0, 80, 2)]
    for frame in frames[:36]:
        assert refiner.add(frame) == {}
    # The third view is the first that can be judged; eight of them, then a rest of 24.
    assert len(looked) == 2 + 8 + (36 - 10 - 24)
    # A pose that turns wrong is found when it is looked at again.
    moves = {}
    for frame in frames[36:]:
        off = off_by(frame.world_from_camera, (0.02, 0.0, 0.0), (0.0, 1.0, 0.0))
        moves.update(refiner.add(replace(frame, world_from_camera=off)))
    assert moves
