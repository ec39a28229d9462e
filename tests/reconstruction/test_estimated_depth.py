# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames without depth: keyframes get the depth that they show of each other, then the scene."""

from dataclasses import replace
from itertools import count
from threading import Event

import numpy as np
import pytest
import torch
from card_scene import CardScene, camera_of, pose_at
from tiny_scene import CPU, tiny_config

from ineus_core.geometry import project
from ineus_core.keyframes import DepthConfig
from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.assembly import Assembly
from ineus_core.reconstruction.estimated_depth import EstimatedDepth
from ineus_core.sources import orbit_poses
from ineus_core.stereo import StereoConfig, StereoDepth
from ineus_core.timing import TimeShare
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


def test_photographs_in_any_order_all_have_depth_and_colour_the_mesh() -> None:
    stereo = {"enabled": True}
    reconstructor = Reconstructor(tiny_config(stereo=stereo, meshing={"voxel_size_m": 0.0}), CPU)
    frames = [walk()[i] for i in (4, 0, 6, 2, 1, 5, 3)]
    reconstructor.expect([frame.world_from_camera for frame in frames])
    for frame in frames:
        assert not reconstructor.add_frame(without_depth(frame))
    reconstructor.start()
    assert reconstructor.counters["keyframes_with_estimate"] == len(frames)
    # Three pixels of 640, whatever the size of the pictures.
    camera = camera_of()
    focal_px = camera.fx * 640 / camera.width_px
    voxel_m = reconstructor.config.meshing.voxel_size_m
    assert voxel_m == pytest.approx(3 * 2.0 / focal_px, rel=0.1)
    # Before any step.
    point, normal = np.array([[0.0, 0.0, 2.0]]), np.array([[0.0, 0.0, -1.0]])
    rgb = reconstructor.surface_colours(point, normal)[0].astype(float)
    middle = np.mean([pixel_of(frame, point[0]) for frame in frames], axis=0)
    assert np.abs(rgb - middle).max() < 12


def pixel_of(frame: Frame, point: np.ndarray) -> np.ndarray:
    column, row = project(frame.camera, point[None] - frame.world_from_camera[:3, 3])[0]
    return frame.rgb[int(row), int(column)].astype(float)


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


def test_a_first_depth_comes_at_once_and_a_better_one_later() -> None:
    frames = [without_depth(frame) for frame in walk()]
    depths = EstimatedDepth(StereoConfig(), DepthConfig(), CPU)
    last = [depths.add(frame) for frame in frames][-1]
    assert frames[-1].stamp_ns in {frame.stamp_ns for frame in last}
    assert frames[-1].stamp_ns in {frame.stamp_ns for frame in depths.finish()}
    assert depths.counters["keyframes_with_estimate"] == len(frames)


def test_better_depth_takes_the_place_of_the_first(reconstructor: Reconstructor) -> None:
    for frame in walk():
        reconstructor.add_frame(without_depth(frame))
    reconstructor.start()
    started = reconstructor.reconstruction
    keyframe = walk()[3]
    sure = np.full_like(keyframe.depth_m, 0.9)
    better = replace(keyframe, depth_m=np.full_like(sure, 1.75), depth_confidence=sure)
    held = len(started.buffer)
    assert started.inserter.insert(better)
    assert len(started.buffer) == held
    frame = started.buffer.frame_of((keyframe.stamp_ns, 0))
    assert frame is not None and frame.depth_m is not None
    np.testing.assert_allclose(frame.depth_m[frame.depth_m > 0], 1.75, atol=1e-3)


def test_what_another_thread_believes_is_the_same_and_has_the_newest_pose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However slow that thread is, none is left out.
    monkeypatch.setattr("ineus_core.reconstruction.estimated_depth._MOST_JUDGED", 100)
    nearer = np.eye(4)
    nearer[2, 3] = 0.01
    found = []
    for beside in (False, True):
        depths = EstimatedDepth(StereoConfig(), DepthConfig(), CPU, beside=beside)
        ready = []
        for frame in walk():
            ready += depths.add(without_depth(frame))
        last = walk()[-1]
        moved = last.world_from_camera @ nearer
        depths.move({(last.stamp_ns, last.camera_id): moved})
        ready += depths.finish()
        final = {frame.stamp_ns: frame for frame in ready}
        assert len(final) == len(walk())
        np.testing.assert_array_equal(final[last.stamp_ns].world_from_camera, moved)
        found.append((final, depths.counters))
    assert found[0][1] == found[1][1]
    for stamp_ns in list(found[0][0])[:-1]:
        first, second = (each[0][stamp_ns].depth_m for each in found)
        assert first is not None and second is not None
        np.testing.assert_array_equal(first, second)


def test_keyframes_are_left_out_while_many_wait_to_be_judged() -> None:
    depths, goes_on = EstimatedDepth(StereoConfig(), DepthConfig(), CPU, beside=True), Event()
    depths._judge(goes_on.wait)
    for frame in walk():
        assert depths.add(without_depth(frame)) == []
    # By the sixth eight estimates wait, first ones and better ones; the seventh is left out.
    assert depths.counters["keyframes_without_time_for_depth"] == 1
    assert len(depths._judged) == 8
    goes_on.set()
    assert depths.finish()


def test_keyframes_that_come_too_soon_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    depths = EstimatedDepth(
        StereoConfig(), DepthConfig(), CPU, time_share=TimeShare(0.25, lambda: now_s[0])
    )
    begin = depths._stereo.begin

    def slow(frame: Frame) -> list[StereoDepth]:
        now_s[0] += 1.0
        return begin(frame)

    monkeypatch.setattr(depths._stereo, "begin", slow)
    for frame in walk():
        depths.add(without_depth(frame))
        now_s[0] += 1.1
    # Half a second is there, a quarter of what goes by is added, and each takes one: the first two
    # are taken at 0 and 2.1 s, those at 4.2 and 5.3 s are not, that at 6.4 s is, and so on.
    assert depths.counters["keyframes_without_time_for_depth"] == 4


def test_an_object_from_all_around_begins_as_a_ball() -> None:
    assembly = Assembly(tiny_config(stereo={"enabled": True}), CPU)
    around = orbit_poses(np.zeros(3), 2.0, 0.5, 8)
    assert not assembly.estimates_depth(around, None)
    assert assembly.estimates_depth([], None)
    # On an arc of 90 degrees none sees the back, as at a facade.
    at_a_front = [around[i] for i in (0, 1, 2)]
    assert assembly.estimates_depth(at_a_front, np.zeros((100, 3)))
    outwards = [pose @ np.diag([-1.0, 1.0, -1.0, 1.0]) for pose in around]
    assert assembly.estimates_depth(outwards, None)


@pytest.mark.parametrize("is_grey", [True, False])
def test_where_nothing_can_be_estimated_pictures_alone_begin(
    caplog: pytest.LogCaptureFixture, is_grey: bool
) -> None:
    # Without texture, or a wall that is farther than what is believed.
    config = tiny_config(
        stereo={"enabled": True},
        selector={"min_translation_m": 0.05},
        depth={"max_m": 10.0 if is_grey else 1.5},
    )
    reconstructor, grey = Reconstructor(config, CPU), walk()
    for frame in grey:
        rgb = np.full_like(frame.rgb, 90) if is_grey else frame.rgb
        assert not reconstructor.add_frame(replace(frame, rgb=rgb, depth_m=None))
    assert reconstructor.start()
    assert "no depth could be estimated for the first 7 keyframes" in caplog.text
    assert reconstructor.counters["keyframes_without_estimate"] == len(grey)
    assert not reconstructor.has_depth
    assert len(reconstructor.keyframe_poses()) == len(grey)


def with_a_hole(frame: Frame) -> Frame:
    assert frame.depth_m is not None
    holed_m = frame.depth_m.copy()
    holed_m[20:40, 20:50] = 0.0
    return replace(frame, depth_m=holed_m)


def filling() -> Reconstructor:
    config = tiny_config(
        stereo={"enabled": True, "fill_holes": "always"},
        selector={"min_translation_m": 0.05},
        completion={"reference_views": 0},
    )
    return Reconstructor(config, CPU)


def test_what_a_sensor_does_not_return_is_filled_and_trusted_less() -> None:
    reconstructor, frames = filling(), walk()
    for frame in frames:
        reconstructor.add_frame(with_a_hole(frame))
    reconstructor.start()
    assert reconstructor.counters["keyframes_filled"] == len(frames)
    filled_px = reconstructor.counters["depth_pixels_filled"]
    assert 0.7 * 20 * 30 * len(frames) < filled_px <= 20 * 30 * len(frames)
    height_px, width_px = frames[0].rgb.shape[:2]
    without_hole = height_px * width_px - 20 * 30
    assert reconstructor.counters["depth_pixels_measured"] == without_hole * len(frames)
    held = reconstructor.reconstruction.buffer.frame_of((frames[3].stamp_ns, 0))
    assert held is not None and held.depth_m is not None and held.depth_confidence is not None
    within = np.zeros(held.depth_m.shape, dtype=bool)
    within[20:40, 20:50] = True
    filled = within & (held.depth_m > 0)
    assert filled.sum() > 0.7 * within.sum()
    off = np.abs(held.depth_m - frames[3].depth_m)[filled] / frames[3].depth_m[filled]
    assert np.mean(off < 0.02) > 0.98
    assert bool((held.depth_confidence[filled] < 1).all())
    assert bool((held.depth_confidence[~within] == 1).all())


def test_filling_holes_takes_no_more_than_its_share_of_the_time_online() -> None:
    reconstructor, frames, looks = filling(), walk(), count()
    # Each look at the clock takes a second: after the first keyframe there is no time for years.
    reconstructor.intake.limit_estimation(1e-6, lambda: float(next(looks)))
    for frame in frames:
        reconstructor.add_frame(with_a_hole(frame))
    reconstructor.start()
    assert reconstructor.counters["keyframes"] == len(frames)
    assert not reconstructor.counters["keyframes_filled"]
    assert not reconstructor.counters["keyframes_without_time_for_depth"], "they have depth"


def test_holes_are_filled_in_parts_as_they_are_at_once() -> None:
    at_once, in_parts = filling(), filling()
    for frame in map(with_a_hole, walk()):
        at_once.add_frame(frame)
        intake = in_parts.intake
        assert intake.end_taking(intake.begin_taking(intake.judge(frame)))
        parts = 0
        while intake.go_on_estimating():
            parts += 1
    assert parts > 0
    at_once.start()
    in_parts.start()
    assert in_parts.counters == at_once.counters and at_once.counters["keyframes_filled"] > 0
    held = [made.reconstruction.buffer for made in (at_once, in_parts)]
    assert torch.equal(held[0].depth, held[1].depth)


def test_holes_are_left_alone_for_a_while_where_matches_differ_from_the_sensor() -> None:
    config = StereoConfig(fill_holes="always", provisional=False)
    estimated = EstimatedDepth(config, DepthConfig(), CPU)
    tried = 0
    for frame in map(with_a_hole, walk(40)):
        assert frame.depth_m is not None
        assert estimated.add(replace(frame, depth_m=1.2 * frame.depth_m)) == []
        tried += (frame.stamp_ns, 0) in estimated._waiting
    # Eight in vain are known some keyframes after the eighth.
    assert 8 <= tried <= 16
