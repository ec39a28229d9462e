# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in another unit, or of a scene of another size, is told by its returns."""

import logging

import numpy as np
import pytest

from ineus_core.keyframes import DepthConfig
from ineus_core.pipeline.depth_range import DepthRange
from ineus_core.types import Camera, Frame

CAMERA = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)


def looked_at(
    depth_m: np.ndarray | None, frames: int = 8, limits: DepthConfig | None = None
) -> DepthRange:
    found = DepthRange(limits or DepthConfig())
    for index in range(frames):
        rgb = np.zeros((48, 64, 3), np.uint8)
        found.add(Frame(index, CAMERA, np.eye(4), rgb, depth_m))
    return found


def depth(nearest: float, farthest: float) -> np.ndarray:
    return np.linspace(nearest, farthest, 48 * 64, dtype=np.float32).reshape(48, 64)


@pytest.mark.parametrize(
    ("nearest", "farthest", "words"),
    [
        (
            1000.0,
            3000.0,
            (
                "depth.max_m (10 m)",
                "source.depth_factor=0.001",
                "source.scale=0.001 ",
                "depth.max_m=1000, ",
            ),
        ),
        (
            10.0,
            30.0,
            (
                "depth.max_m",
                "source.depth_factor=0.1 ",
                "source.scale=0.1 ",
                "depth.max_m=30, meshing.voxel_size_m=0.3, ",
            ),
        ),
        (2e-4, 6e-4, ("depth.min_m (0.1 m)", "source.depth_factor=1000", "depth.min_m=9e-05")),
        (
            0.024,
            0.08,
            ("depth.min_m", "source.depth_factor=10 ", "source.scale=40 ", "depth.min_m=0.01"),
        ),
    ],
)
def test_returns_that_the_limits_cut_are_said_with_both_keys(
    nearest: float, farthest: float, words: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = looked_at(depth(nearest, farthest))
    assert all(word in found.sentence for word in words), found.sentence
    assert [record.getMessage() for record in caplog.records] == [found.sentence]


def test_it_is_silent_on_usual_depth_and_on_none(caplog: pytest.LogCaptureFixture) -> None:
    with_holes = depth(0.05, 6.0)
    with_holes[::2] = 0
    for frames in (with_holes, np.zeros((48, 64), np.float32), None):
        assert not looked_at(frames).sentence
    assert looked_at(None).as_json() is None and not caplog.records


def test_depth_without_any_return_is_said_once_until_there_is_some(
    caplog: pytest.LogCaptureFixture,
) -> None:
    empty, limits = np.zeros((48, 64), np.float32), DepthConfig()
    found = looked_at(empty, frames=40, limits=limits)
    found.finish()
    assert "no returns at all (30 frames" in found.sentence and "colour alone" in found.sentence
    assert [record.getMessage() for record in caplog.records] == [found.sentence]
    assert found.as_json() == {"frames": 40, "message": found.sentence}
    assert not found.is_all_cut
    rgb = np.zeros((48, 64, 3), np.uint8)
    found.add(Frame(99, CAMERA, np.eye(4), rgb, depth(0.5, 6.0)))
    assert not found.sentence


def test_depth_that_is_no_number_is_no_return() -> None:
    infinite = np.full((48, 64), np.inf, np.float32)
    found = looked_at(infinite, frames=40)
    assert "no returns at all" in found.sentence
    half = depth(0.5, 6.0)
    half[:, ::16] = np.inf
    half[::16] = np.nan
    found = looked_at(half)
    found.finish()
    assert not found.sentence and found.as_json() is not None


def test_a_short_source_without_any_return_is_judged_at_its_end() -> None:
    found = looked_at(np.zeros((48, 64), np.float32), frames=2)
    assert not found.sentence
    found.finish()
    assert "no returns at all (2 frames" in found.sentence


def test_limits_that_fit_the_scene_are_heeded() -> None:
    found = looked_at(depth(20.0, 200.0), limits=DepthConfig(max_m=250.0))
    assert not found.sentence and not found.is_all_cut


def test_depth_that_is_cut_as_a_whole_has_shown_nothing() -> None:
    assert looked_at(depth(20.0, 200.0)).is_all_cut
    assert not looked_at(depth(5.0, 20.0)).is_all_cut and not looked_at(None).is_all_cut


def test_a_short_source_is_judged_at_its_end() -> None:
    found = looked_at(depth(20.0, 30.0), frames=2)
    before = found.sentence
    found.finish()
    seen = found.as_json()
    assert not before and seen is not None and seen["message"] == found.sentence != before
    assert (seen["frames"], seen["farther_than_max_m"]) == (2, 1.0)
    assert seen["median_m"] == pytest.approx(25.0, abs=1.0)
