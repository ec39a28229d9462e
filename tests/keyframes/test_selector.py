# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames become keyframes: motion, turn, new surface, blur."""

import numpy as np
import pytest
from tiny_scene import pose, wall_frame

from ineus_core.keyframes import DepthConfig, KeyframeSelector, SelectorConfig
from ineus_core.types import Frame


def decisions(frames: list[Frame], **settings: float) -> list[bool]:
    selector = KeyframeSelector(SelectorConfig(**settings))
    return [selector.is_keyframe(frame) for frame in frames]


def test_the_first_frame_always_is_one() -> None:
    assert decisions([wall_frame(), wall_frame(1)]) == [True, False]


@pytest.mark.parametrize("with_depth", [True, False])
def test_motion_is_counted_from_the_last_keyframe(with_depth: bool) -> None:
    places = (0.0, 0.06, 0.11, 0.17, 0.22)
    depth_m = 2.0 if with_depth else None
    frames = [wall_frame(i, depth_m, pose(x)) for i, x in enumerate(places)]
    assert decisions(frames, min_new_surface=1.0) == [True, False, True, False, True]


def test_each_camera_of_a_rig_moves_by_itself() -> None:
    frames = [
        wall_frame(i, None, pose(0.06 * i, yaw_deg=90.0 * camera_id), camera_id=camera_id)
        for i in range(3)
        for camera_id in (0, 1)
    ]
    assert decisions(frames) == [True, True, False, False, True, True]


def test_surface_under_the_mask_is_nothing_new() -> None:
    mask = np.zeros((30, 40), dtype=bool)
    frames = [wall_frame(0, 2.0), wall_frame(1, 3.0, mask=mask), wall_frame(2, 3.0)]
    assert decisions(frames) == [True, False, True]


def test_a_turn_counts_in_degrees() -> None:
    turns = (0.0, 5.0, 9.0, 12.0, 359.0)
    frames = [wall_frame(i, None, pose(yaw_deg=turn)) for i, turn in enumerate(turns)]
    assert decisions(frames) == [True, False, True, False, True]


def test_new_surface_makes_one_without_motion() -> None:
    frames = [wall_frame(0, 2.0), wall_frame(1, 2.0), wall_frame(2, 3.0), wall_frame(3, 3.0)]
    assert decisions(frames) == [True, False, True, False]


def test_returns_that_are_not_believed_show_nothing_new() -> None:
    rng = np.random.default_rng(0)
    far_m = rng.uniform(10.5, 60.0, (12, 30, 40)).astype(np.float32)
    near_m = rng.uniform(0.01, 0.09, (12, 30, 40)).astype(np.float32)
    for depths_m in (far_m, near_m):
        frames = [wall_frame(i, depth_m=depth_m) for i, depth_m in enumerate(depths_m)]
        assert decisions(frames) == [True] + [False] * 11
    # Where they are believed, they do.
    selector = KeyframeSelector(SelectorConfig(), DepthConfig(max_m=100.0))
    assert sum(selector.is_keyframe(wall_frame(i, depth_m=d)) for i, d in enumerate(far_m)) > 1


def test_depth_without_any_return_shows_nothing_new() -> None:
    assert decisions([wall_frame(0, 0.0), wall_frame(1, 0.0)]) == [True, False]


def test_a_blurred_frame_is_left_out_though_it_moved() -> None:
    sharp = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    flat = np.full((30, 40, 3), 90, dtype=np.uint8)
    frames = [
        wall_frame(i, None, pose(float(i)), rgb=rgb) for i, rgb in enumerate((sharp, flat, sharp))
    ]
    assert decisions(frames, max_blur=0.5) == [True, False, True]
    assert decisions(frames) == [True, True, True]
