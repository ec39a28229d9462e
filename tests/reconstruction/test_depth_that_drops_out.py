# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A stream in which some frames have depth and others have none: all of them are of use."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tiny_scene import CPU, tiny_config

from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

SOURCE = SyntheticSource(SyntheticConfig(frames=100, width_px=160, height_px=120))
FRAMES = [SOURCE.frame(index) for index in range(12)]


def made() -> Reconstructor:
    config = tiny_config(
        stereo={"enabled": True},
        selector={"min_translation_m": 0.01},
        keyframes={"capacity": 16},
    )
    return Reconstructor(config, CPU)


def without_depth(frame: Frame) -> Frame:
    return replace(frame, depth_m=None)


def without_returns(frame: Frame) -> Frame:
    assert frame.depth_m is not None
    return replace(frame, depth_m=np.zeros_like(frame.depth_m))


@pytest.mark.parametrize("lost", [without_depth, without_returns])
@pytest.mark.parametrize("first", [0, 2])
def test_no_frame_is_lost_where_every_third_has_no_depth(
    lost: Callable[[Frame], Frame], first: int, caplog: pytest.LogCaptureFixture
) -> None:
    reconstructor = made()
    for index, frame in enumerate(FRAMES):
        reconstructor.add_frame(lost(frame) if index % 3 == first else frame)
    reconstructor.start()
    assert len(reconstructor.keyframe_poses()) == len(FRAMES)
    assert reconstructor.counters["keyframes_with_estimate"] == 4
    assert not reconstructor.counters["keyframes_without_estimate"]
    assert reconstructor.is_measured and not caplog.records
    true = FRAMES[first + 3]
    held = reconstructor.reconstruction.buffer.frame_of((true.stamp_ns, 0))
    assert held is not None and held.depth_m is not None and true.depth_m is not None
    known = held.depth_m > 0
    assert known.mean() > 0.5
    off = np.abs(held.depth_m - true.depth_m)[known] / true.depth_m[known]
    assert np.mean(off < 0.02) > 0.97


def test_they_are_taken_in_parts_as_they_are_at_once() -> None:
    at_once, in_parts = made(), made()
    for index, frame in enumerate(FRAMES):
        given = without_depth(frame) if index % 3 == 2 else frame
        at_once.add_frame(given)
        intake = in_parts.intake
        intake.end_taking(intake.begin_taking(intake.judge(given)))
        while intake.go_on_estimating():
            pass
    for reconstructor in (at_once, in_parts):
        reconstructor.start()
    assert in_parts.counters == at_once.counters and at_once.counters["keyframes"] == len(FRAMES)


def test_what_pictures_cannot_tell_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    reconstructor = made()
    for index, frame in enumerate(FRAMES):
        plain = replace(frame, depth_m=None, rgb=np.full_like(frame.rgb, 90))
        reconstructor.add_frame(plain if index % 3 == 2 else frame)
    reconstructor.start()
    assert reconstructor.counters["keyframes_without_estimate"] == 4
    assert "first 4 keyframes without depth" in caplog.text
    assert len(reconstructor.keyframe_poses()) == 8
