# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames without depth: keyframes get the depth that they show of each other, then the scene."""

from dataclasses import replace

import numpy as np
import pytest
from card_scene import CardScene, camera_of, pose_at
from tiny_scene import CPU, tiny_config

from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Frame


def walk(count: int = 7) -> list[Frame]:
    """Frames of a wall 2 m away, 12 cm apart; their depth is the truth."""
    return [
        CardScene().frame(n, camera_of(), pose_at(0.12 * (n - count // 2), 0.01 * n, 0.0))
        for n in range(count)
    ]


@pytest.fixture
def reconstructor() -> Reconstructor:
    stereo, selector = {"enabled": True}, {"min_translation_m": 0.05}
    return Reconstructor(tiny_config(stereo=stereo, selector=selector), CPU)


def without_depth(frame: Frame) -> Frame:
    return replace(frame, depth_m=None)


def test_colour_alone_begins_like_a_sensor(reconstructor: Reconstructor) -> None:
    frames = walk()
    assert not reconstructor.add_frame(without_depth(frames[0]))
    for frame in frames[1:]:
        reconstructor.add_frame(without_depth(frame))
    reconstructor.start()
    assert reconstructor.has_depth
    assert reconstructor.reconstruction.field.init == "depth"
    keyframes = set(reconstructor.keyframe_poses())
    assert keyframes == {(frame.stamp_ns, 0) for frame in frames}
    assert reconstructor.counters["keyframes_with_estimate"] == len(frames)
    held = reconstructor.reconstruction.buffer.frame_of((frames[3].stamp_ns, 0))
    assert held is not None and held.depth_m is not None and frames[3].depth_m is not None
    known = held.depth_m > 0
    assert known.mean() > 0.7
    off = np.abs(held.depth_m - frames[3].depth_m)[known] / frames[3].depth_m[known]
    assert np.mean(off < 0.02) > 0.98
    # The wall stands in the box, and nothing far behind it does.
    low, high = reconstructor.reconstruction.grid.host_aabb
    assert low[2] < 1.7 and 2.2 < high[2] < 3.5
    reconstructor.step()
    assert reconstructor.steps == 1


def test_a_sensor_has_the_last_word(reconstructor: Reconstructor) -> None:
    frame = walk()[0]
    assert reconstructor.add_frame(frame)
    assert reconstructor.counters["keyframes_with_estimate"] == 0
    assert reconstructor.counters["keyframes"] == 1


def test_corrected_poses_reach_keyframes_that_wait(reconstructor: Reconstructor) -> None:
    frames = walk()
    for frame in frames:
        reconstructor.add_frame(without_depth(frame))
    moved = frames[6].world_from_camera.copy()
    moved[1, 3] += 0.01
    reconstructor.move_keyframes({(frames[6].stamp_ns, 0): moved})
    reconstructor.start()
    pose = reconstructor.keyframe_poses()[frames[6].stamp_ns, 0]
    np.testing.assert_allclose(pose, moved)


def test_reset_forgets_what_waits(reconstructor: Reconstructor) -> None:
    for frame in walk():
        reconstructor.add_frame(without_depth(frame))
    reconstructor.reset()
    assert not reconstructor.start()
    assert not reconstructor.is_started
