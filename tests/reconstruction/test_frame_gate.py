# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames judged before they are taken: what is asked of the policy, and what is remembered."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.reconstruction import JudgedFrame, Reconstructor
from ineus_core.reconstruction.frame_gate import FrameGate
from ineus_core.types import Frame

BOX_M = np.array(((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))


class EveryOther:
    """Needs every other frame, and notes all of them."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def is_keyframe(self, frame: Frame) -> bool:
        self.seen.append(frame.stamp_ns)
        return len(self.seen) % 2 == 1


def gate_of(policies: list[EveryOther], first_frames: int = 3) -> FrameGate:
    def make() -> EveryOther:
        policies.append(EveryOther())
        return policies[-1]

    return FrameGate(make, capacity=8, first_frames=first_frames)


def test_the_policy_decides_and_only_needed_frames_keep_their_images() -> None:
    gate = gate_of([])
    frames = [wall_frame(i) for i in range(4)]
    judged = [gate.judge(frame) for frame in frames]
    assert [told.frame is not None for told in judged] == [True, False, True, False]
    assert [told.stamp_ns for told in judged] == [frame.stamp_ns for frame in frames]


def test_where_it_is_wanted_frames_with_depth_that_are_not_needed_are_handed_on() -> None:
    gate = FrameGate(EveryOther, capacity=8, first_frames=3, passes_on=True)
    frames = [wall_frame(0), wall_frame(2), wall_frame(4), wall_frame(6, None)]
    judged = [gate.judge(frame) for frame in frames]
    assert [told.passing for told in judged] == [None, frames[1], None, None]


def test_frames_that_have_the_stamp_of_a_keyframe_are_left_out_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = Reconstructor(tiny_config(), CPU)
    frames = [replace(wall_frame(i, 2.0, pose(0.5 * i)), stamp_ns=7) for i in range(4)]
    assert [made.add_frame(frame) for frame in frames] == [True, False, False, False]
    assert made.counters["frames_with_repeated_stamp"] == 3
    assert [record.getMessage()[:15] for record in caplog.records] == ["a frame at 7 ns"]
    # Of another camera it is another frame, and a new map knows none of them.
    assert made.add_frame(replace(frames[1], camera_id=1))
    made.reset()
    assert made.add_frame(frames[1])


class KeepsFirst:
    """Keeps the frame of stamp 0."""

    def is_keyframe(self, frame: Frame) -> bool:
        return frame.stamp_ns == 0


def test_of_frames_from_one_place_few_are_handed_on() -> None:
    gate = FrameGate(KeepsFirst, capacity=8, first_frames=3, passes_on=True)
    handed_on = []
    places = [(0.0, 0.0), (0.05, 0.0), (0.16, 0.0), (0.2, 0.019), (0.21, 0.021), (0.3, 0.019)]
    for at_s, x in places:
        frame = replace(wall_frame(0, 2.0, pose(x=x)), stamp_ns=round(1e9 * at_s))
        handed_on.append(gate.judge(frame).passing is not None)
    # After 0.15 s, or a hundredth of the way to the wall.
    assert handed_on == [False, False, True, False, True, False]


def test_a_policy_does_not_see_frames_from_where_no_map_reaches() -> None:
    policies: list[EveryOther] = []
    gate = gate_of(policies)
    gate.know_map(BOX_M, capacity=8)
    inside, outside = wall_frame(0, 2.0, pose(0.9)), wall_frame(1, 2.0, pose(1.1))
    assert gate.judge(inside).frame is inside
    # Who takes frames has to see it all the same.
    assert gate.judge(outside).frame is outside
    assert gate.judge(outside).frame is outside
    assert policies[-1].seen == [inside.stamp_ns]
    # Without depth a camera may be anywhere.
    assert gate.judge(wall_frame(2, None, pose(5.0))).frame is None


def test_all_of_a_few_expected_frames_without_depth_are_needed() -> None:
    gate = gate_of([])
    assert all(gate.judge(wall_frame(i, None), expected=8).frame for i in range(4))
    gate.know_map(BOX_M, capacity=7)
    few = [gate.judge(wall_frame(i, None), expected=8).frame for i in range(4, 8)]
    assert [frame is not None for frame in few] == [True, False, True, False]


def test_a_frame_that_was_judged_for_another_map_is_judged_again() -> None:
    policies: list[EveryOther] = []
    gate = gate_of(policies)
    first = gate.judge(wall_frame(0))
    assert gate.judged_again(first) is first
    gate.begin_map()
    again = gate.judged_again(first)
    assert again.frame is first.frame and again.map_number != first.map_number
    assert [len(policy.seen) for policy in policies[-2:]] == [1, 1]


def test_the_first_poses_are_those_of_all_frames_needed_or_not() -> None:
    gate = gate_of([])
    for i in range(5):
        gate.judge(wall_frame(i, 2.0, pose(0.1 * i)))
    np.testing.assert_allclose([p[0, 3] for p in gate.first_poses], [0.0, 0.1, 0.2])
    gate.begin_map()
    assert gate.first_poses == []


def test_views_that_come_while_the_map_is_not_there_are_all_kept() -> None:
    """Another thread judges while the owner is held up; the map then is as if nothing had been."""
    frames = [wall_frame(i, 2.0, pose(0.06 * i)) for i in range(12)]
    config = tiny_config(selector={"min_translation_m": 0.1, "min_new_surface": 1.0})
    at_once, late = (Reconstructor(config, CPU) for _ in range(2))
    taken_at_once = [at_once.add_frame(frame) for frame in frames]
    judged: list[JudgedFrame] = []
    thread = threading.Thread(target=lambda: judged.extend(map(late.intake.judge, frames)))
    thread.start()
    thread.join()
    assert [late.intake.take(told) for told in judged] == taken_at_once
    assert late.keyframe_poses().keys() == at_once.keyframe_poses().keys()
    assert 1 < sum(taken_at_once) < len(frames)


def test_colour_alone_begins_when_enough_frames_were_seen_though_few_are_needed() -> None:
    bounds = {"frames_to_start": 6}
    config = tiny_config(bounds=bounds, selector={"min_translation_m": 0.1})
    reconstructor = Reconstructor(config, CPU)
    # Every third is needed, so the sixth is not.
    for i in range(6):
        assert not reconstructor.is_started
        reconstructor.add_frame(wall_frame(i, None, pose(0.04 * i)))
    assert reconstructor.is_started
    assert len(reconstructor.keyframe_poses()) == 2
