# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes without depth whose poses another thread refines: the same map, nothing is lost."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from box_views import off_by
from tiny_scene import CPU, tiny_config

from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig
from ineus_core.pose_refinement import PictureRefiner
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

SOURCE = SyntheticSource(SyntheticConfig(frames=60, width_px=160, height_px=120))


def made() -> Reconstructor:
    sections: dict[str, dict[str, Any]] = {
        "stereo": {"enabled": True},
        "selector": {"min_translation_m": 0.01},
    }
    return Reconstructor(tiny_config(**sections), CPU)


def frames(count: int = 9) -> Iterator[Frame]:
    """Frames of the room without depth, with poses that are off by some millimetres."""
    rng = np.random.default_rng(0)
    for number in range(count):
        frame = SOURCE.frame(number)
        shift, turn = rng.normal(0, 4e-3, 3), rng.normal(0, 0.2, 3)
        pose = off_by(frame.world_from_camera, tuple(shift), tuple(turn))
        yield replace(frame, depth_m=None, world_from_camera=pose)


def test_the_map_is_that_of_keyframes_that_are_taken_at_once() -> None:
    at_once, beside = made(), made()
    for frame in frames():
        at_once.add_frame(frame)
        beside.intake.end_taking(beside.intake.begin_taking(beside.intake.judge(frame)))
        # As many parts as a keyframe can have at most.
        for _ in range(20):
            beside.intake.go_on_estimating()
    for reconstructor in (at_once, beside):
        reconstructor.start()
    poses, same = at_once.keyframe_poses(), beside.keyframe_poses()
    assert poses.keys() == same.keys() and len(poses) >= 5
    assert all((poses[key] == same[key]).all() for key in poses)
    given = {(frame.stamp_ns, frame.camera_id): frame.world_from_camera for frame in frames()}
    assert any((poses[key] != given[key]).any() for key in poses)
    assert at_once.counters == beside.counters


class HeldBack:
    """A refiner that waits until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go, self.fails = threading.Event(), False
        add = PictureRefiner.add

        def held_back(self_: PictureRefiner, frame: Frame) -> object:
            assert self.may_go.wait(60)
            if self.fails:
                raise RuntimeError("odd")
            return add(self_, frame)

        monkeypatch.setattr(PictureRefiner, "add", held_back)


def live_pipeline() -> Pipeline:
    """Return a pipeline that corrects beside training, as on a GPU."""
    # All the time that depth takes, however busy the machine is.
    config = PipelineConfig(steps_per_tick=1, check_input=False, stereo_share=1.0)
    pipeline = Pipeline(made(), NullSink(), config, is_live=True)
    pipeline._on_gpu = True
    return pipeline


def test_ticks_go_on_while_a_pose_is_refined(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    for frame in frames():
        pipeline.submit(frame)
    for _ in range(3):
        pipeline.tick(0)
    assert pipeline.reconstructor.intake.is_correcting and pipeline.counters["frames_used"] == 0
    held_back.may_go.set()
    while pipeline.waiting:
        pipeline.tick(0)
    pipeline.finish(steps=0)
    assert pipeline.reconstructor.counters["keyframes"] >= 5
    assert pipeline.counters["frames_dropped"] == 0


def test_a_pose_that_cannot_be_refined_costs_its_keyframe_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    held_back.fails = True
    held_back.may_go.set()
    for number, frame in enumerate(frames()):
        held_back.fails = number == 0
        pipeline.submit(frame)
        while pipeline.waiting:
            pipeline.tick(0)
    pipeline.finish(steps=0)
    assert pipeline.counters["failed: RuntimeError: odd"] == 1
    assert pipeline.reconstructor.counters["keyframes"] >= 4


def test_corrected_poses_wait_for_one_that_is_refined(monkeypatch: pytest.MonkeyPatch) -> None:
    reconstructor, held_back = made(), HeldBack(monkeypatch)
    taking = reconstructor.intake.begin_taking(reconstructor.intake.judge(next(frames())))
    threading.Timer(0.1, held_back.may_go.set).start()
    reconstructor.move_keyframes({})
    assert taking.done() and not reconstructor.intake.is_correcting


def test_a_reset_drops_the_keyframe_that_is_refined(monkeypatch: pytest.MonkeyPatch) -> None:
    reconstructor, held_back = made(), HeldBack(monkeypatch)
    taking = reconstructor.intake.begin_taking(reconstructor.intake.judge(next(frames())))
    reconstructor.reset()
    held_back.may_go.set()
    assert not reconstructor.intake.end_taking(taking) and not reconstructor.is_started
