# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera whose exposure changes before a wall with a known picture on it."""

from dataclasses import replace

import numpy as np
import pytest

from ineus_core.exposure import ExposureConfig, ExposureCorrection
from ineus_core.exposure.correction import with_gain
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Camera, Frame, KeyframeId

CAMERA = Camera(80, 60, 80.0, 80.0, 40.0, 30.0)
NONE = (1.0, 1.0, 1.0)


def frame(index: int, gain: tuple[float, float, float] = NONE, grey: float = 100.0) -> Frame:
    """Show a wall 2 m away, brighter to the right; the camera moves by a pixel each time."""
    x = np.arange(80) + index
    rgb = np.repeat((grey + 0.3 * x)[None, :, None], 60, axis=0) * np.array(gain)
    pose = np.eye(4)
    pose[0, 3] = 2.0 * index / 80
    colours = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return Frame(index, CAMERA, pose, colours, np.full((60, 80), 2.0, np.float32))


def made(threshold: float = 0.02) -> ExposureCorrection:
    return ExposureCorrection(ExposureConfig(threshold=threshold), 0.1, 10.0)


def gain_of(correction: ExposureCorrection, index: int) -> np.ndarray:
    keyframe: KeyframeId = index, 0
    gain = correction.gain_of(keyframe)
    assert gain is not None
    return gain


def test_a_gain_multiplies_each_channel_rounded_and_at_most_255() -> None:
    rgb = np.array([[[10, 100, 200], [0, 255, 3]]], np.uint8)
    lit = with_gain(rgb, np.log((2.0, 0.5, 1.5)))
    assert lit.tolist() == [[[20, 50, 255], [0, 128, 4]]]
    assert (with_gain(rgb, np.zeros(3)) == rgb).all()


def test_constant_exposure_leaves_every_picture_as_it_is() -> None:
    correction = made()
    rng = np.random.default_rng(0)
    for index in range(30):
        given = frame(index)
        noisy = np.clip(given.rgb + rng.normal(0, 4, given.rgb.shape), 0, 255).astype(np.uint8)
        given = replace(given, rgb=noisy)
        assert correction.add(given) is given and correction.passing(given) is given
    assert not correction.varies and not correction.take_counts()


def test_a_change_is_taken_off_in_each_channel() -> None:
    correction = made()
    gain = (0.7, 1.0, 1.3)
    correction.add(frame(0))
    lit = correction.add(frame(1, gain))
    assert correction.varies and correction.take_counts()["keyframes_exposure_corrected"] == 1
    assert gain_of(correction, 1) == pytest.approx(1 / np.array(gain), rel=0.01)
    assert np.abs(lit.rgb.astype(float) - frame(1).rgb).max() <= 2
    # A frame between keyframes gets the same, and is not held.
    between = correction.passing(frame(2, gain))
    assert np.abs(between.rgb.astype(float) - frame(2).rgb).max() <= 2
    assert correction.gain_of((2, 0)) is None


def test_a_gain_is_handed_on_along_a_way_whose_first_place_is_not_seen_any_more() -> None:
    correction = made()
    correction.add(frame(0, grey=80.0))
    for index in range(1, 160, 8):
        correction.add(frame(index, (0.8, 0.8, 0.8), grey=80.0))
        correction.hold_only([(index, 0)])
    assert gain_of(correction, 153) == pytest.approx(1 / 0.8, rel=0.04)


def test_saturated_and_dark_pixels_do_not_count() -> None:
    correction = made()
    correction.add(frame(0))
    # Two thirds are saturated, and would say that hardly anything has changed.
    bright = frame(1, (1.5, 1.5, 1.5)).rgb.copy()
    bright[20:] = 255
    lit = correction.add(replace(frame(1), rgb=bright))
    assert gain_of(correction, 1) == pytest.approx([1 / 1.5] * 3, rel=0.01)
    assert lit.rgb[30, 40].tolist() == [170] * 3
    dark = made()
    dark.add(frame(0, grey=5.0))
    given = replace(frame(1), rgb=np.full((60, 80, 3), 3, np.uint8))
    assert dark.add(given) is given


def test_without_overlap_a_keyframe_has_the_gain_of_the_one_before() -> None:
    correction = made()
    far = frame(250)
    correction.add(frame(0))
    assert correction.add(far) is far
    correction.add(frame(1, (0.8, 0.8, 0.8)))
    assert gain_of(correction, 1) == pytest.approx([1.25] * 3, rel=0.01)
    lit = correction.add(replace(frame(300), depth_m=np.zeros((60, 80), np.float32)))
    assert gain_of(correction, 300) == pytest.approx(gain_of(correction, 1))
    assert lit.rgb.mean() > frame(300).rgb.mean()
    # So has one without any depth.
    assert correction.add(replace(frame(4), depth_m=None)).rgb[0, 0, 0] > frame(4).rgb[0, 0, 0]


def test_a_thing_that_moves_and_pixels_that_are_masked_out_do_not_decide() -> None:
    correction = made()
    correction.add(frame(0))
    moved = frame(1).rgb.copy()
    moved[:, :30] = 40
    given = replace(frame(1), rgb=moved)
    assert correction.add(given) is given
    mostly = frame(2).rgb.copy()
    mostly[:, :60] = 40
    mask = np.ones((60, 80), bool)
    mask[:, :60] = False
    given = replace(frame(2), rgb=mostly, mask=mask)
    assert correction.add(given) is given


def test_pictures_of_an_object_on_one_colour_stay_as_they_are() -> None:
    correction = made()
    correction.add(frame(0))
    given = replace(frame(1, (0.5, 0.5, 0.5)), foreground=np.ones((60, 80), bool))
    assert correction.add(given) is given


def test_keyframes_are_compared_where_they_are_moved_to() -> None:
    correction = made()
    wrong = frame(0)
    away = wrong.world_from_camera.copy()
    away[1, 3] = 50.0
    correction.add(replace(wrong, world_from_camera=away))
    correction.move({(0, 0): wrong.world_from_camera, (9, 0): away})
    correction.add(frame(1, (0.8, 0.8, 0.8)))
    assert gain_of(correction, 1) == pytest.approx([1.25] * 3, rel=0.01)


def test_planted_gains_of_a_walk_are_found_within_two_per_cent() -> None:
    config = SyntheticConfig(frames=100, width_px=160, height_px=120, exposure_change=0.6)
    source = SyntheticSource(config)
    correction = made()
    off, given = [], []
    for index in range(0, 30):
        taken = source.frame(index)
        correction.add(taken)
        truth = source.exposure_gains(index)
        given.append(truth)
        off.append(gain_of_stamp(correction, taken) * truth)
    assert np.ptp(given, axis=0).max() > 0.4
    # The map has the exposure of its first keyframes, up to the threshold.
    off_log = np.log(off) - np.median(np.log(off), axis=0)
    assert np.abs(off_log).max() < 0.02
    assert np.abs(np.log(off)).max() < 0.035


def gain_of_stamp(correction: ExposureCorrection, taken: Frame) -> np.ndarray:
    gain = correction.gain_of((taken.stamp_ns, 0))
    assert gain is not None
    return gain
