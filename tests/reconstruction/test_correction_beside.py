# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes that another thread corrects: the same map, and nothing is lost on the way."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from box_views import frame_at, into_corner, off_by
from tiny_scene import CPU, tiny_config

from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig
from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.keyframe_correction import KeyframeCorrection
from ineus_core.types import Frame

SECTIONS: dict[str, dict[str, Any]] = {
    "keyframes": {"capacity": 32},
    "selector": {"min_translation_m": 0.01},
}


def frames(count: int = 8) -> Iterator[Frame]:
    """Go towards a corner, with poses that are off by some millimetres."""
    rng = np.random.default_rng(0)
    for number in range(count):
        at = into_corner(-0.4 + 0.05 * number)
        yield frame_at(number, at, off_by(at, tuple(rng.normal(0, 5e-3, 3)), (0, 0, 0)))


def live_pipeline(is_live: bool = True) -> Pipeline:
    """Return a pipeline that corrects beside training, as on a GPU."""
    reconstructor = Reconstructor(tiny_config(**SECTIONS), CPU)
    config = PipelineConfig(steps_per_tick=1, check_input=False)
    pipeline = Pipeline(reconstructor, NullSink(), config, is_live=is_live)
    pipeline._on_gpu = True
    return pipeline


class HeldBack:
    """A correction that waits until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go, self.fails = threading.Event(), False
        correct = KeyframeCorrection.correct

        def held_back(self_: KeyframeCorrection, *words: Any) -> object:
            if threading.current_thread().name.startswith("ineus-correction"):
                assert self.may_go.wait(60)
                if self.fails:
                    raise RuntimeError("odd")
            return correct(self_, *words)

        monkeypatch.setattr(KeyframeCorrection, "correct", held_back)


def begun(pipeline: Pipeline) -> None:
    """Take the first keyframe, and begin with the second one."""
    for frame in frames(2):
        pipeline.submit(frame)
    pipeline.tick(0)
    pipeline.tick(0)
    assert pipeline.reconstructor.intake.is_correcting and pipeline.waiting == 1


def taken(pipeline: Pipeline) -> None:
    """Tick until nothing waits."""
    while pipeline.waiting:
        pipeline.tick(0)


def test_the_map_is_that_of_keyframes_that_are_taken_at_once() -> None:
    at_once = Reconstructor(tiny_config(**SECTIONS), CPU)
    beside = Reconstructor(tiny_config(**SECTIONS), CPU)
    for frame in frames():
        assert at_once.add_frame(frame)
        assert beside.intake.end_taking(beside.intake.begin_taking(beside.intake.judge(frame)))
    poses, same = at_once.keyframe_poses(), beside.keyframe_poses()
    assert poses.keys() == same.keys()
    assert all((poses[key] == same[key]).all() for key in poses)
    assert at_once.counters == beside.counters and at_once.counters["poses_refined"] > 0
    one, other = at_once.reconstruction.grid, beside.reconstruction.grid
    assert torch.equal(one.log_odds, other.log_odds)


def test_training_goes_on_while_a_keyframe_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    begun(pipeline)
    steps = pipeline.reconstructor.steps
    for _ in range(3):
        pipeline.tick(0)
    assert pipeline.reconstructor.steps == steps + 3
    assert pipeline.reconstructor.counters["keyframes"] == 1
    held_back.may_go.set()
    taken(pipeline)
    assert pipeline.reconstructor.counters["keyframes"] == 2
    assert pipeline.counters["frames_used"] == 2


def test_training_holds_back_while_others_wait_for_a_correction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    pipeline.steps_per_tick = 3
    begun(pipeline)
    pipeline.submit(list(frames(3))[2])
    waited_s: list[float] = []
    monkeypatch.setattr(pipeline.reconstructor.intake, "wait_for_correction", waited_s.append)
    steps = pipeline.reconstructor.steps
    pipeline.tick(0)
    assert pipeline.reconstructor.steps == steps + 1 and len(waited_s) == 1
    held_back.may_go.set()
    taken(pipeline)
    assert pipeline.reconstructor.counters["keyframes"] == 3


def test_a_run_offline_repeats_however_long_a_correction_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = []
    for waits in (False, True):
        pipeline, steps_at = live_pipeline(is_live=False), []
        reconstructor = pipeline.reconstructor
        correct = KeyframeCorrection.correct

        def corrected(*words: Any, correct: Any = correct, waits: bool = waits) -> object:
            time.sleep(0.05 * waits)
            return correct(*words)

        with monkeypatch.context() as patched:
            patched.setattr(KeyframeCorrection, "correct", corrected)
            for frame in frames(4):
                pipeline.submit(frame)
                pipeline.tick(frame.stamp_ns)
                steps_at.append((reconstructor.steps, reconstructor.counters["keyframes"]))
            # Nothing comes any more: the last one is stored all the same.
            for _ in range(10):
                pipeline.tick(0)
                steps_at.append((reconstructor.steps, reconstructor.counters["keyframes"]))
        field = reconstructor.reconstruction.field
        states.append((steps_at, [value.clone() for value in field.state_dict().values()]))
    (one, values), (other, same) = states
    assert one == other
    # One keyframe at once, the others while the one behind them is corrected.
    assert [keyframes for _, keyframes in one[:4]] == [1, 1, 2, 3]
    assert one[-1][1] == 4 and one[4 + 6][1] == 3
    assert all(torch.equal(a, b) for a, b in zip(values, same, strict=True))


def test_what_changes_keyframes_waits_for_one_that_is_corrected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    begun(pipeline)
    reconstructor = pipeline.reconstructor
    threading.Timer(0.1, held_back.may_go.set).start()
    assert reconstructor.move_keyframes(reconstructor.keyframe_poses()) == 1
    assert reconstructor.counters["keyframes"] == 2
    pipeline.tick(0)
    assert pipeline.waiting == 0 and pipeline.counters["frames_used"] == 2


def test_a_reset_drops_the_keyframe_that_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    begun(pipeline)
    pipeline.reconstructor.reset()
    held_back.may_go.set()
    pipeline.tick(0)
    assert pipeline.waiting == 0 and not pipeline.reconstructor.is_started
    again = replace(next(frames()), stamp_ns=10**12)
    pipeline.submit(again)
    pipeline.tick(0)
    assert [key[0] for key in pipeline.reconstructor.keyframe_poses()] == [10**12]


def test_a_correction_that_fails_costs_its_frame_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    begun(pipeline)
    held_back.fails = True
    held_back.may_go.set()
    taken(pipeline)
    assert pipeline.counters["failed: RuntimeError: odd"] == 1
    assert (pipeline.counters["frames_used"], pipeline.counters["frames_dropped"]) == (1, 1)
    held_back.fails = False
    pipeline.submit(list(frames(4))[3])
    taken(pipeline)
    assert pipeline.reconstructor.counters["keyframes"] == 2


def test_the_end_takes_what_is_still_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, held_back = live_pipeline(), HeldBack(monkeypatch)
    begun(pipeline)
    held_back.may_go.set()
    pipeline.finish(steps=1)
    assert pipeline.waiting == 0 and pipeline.reconstructor.counters["keyframes"] == 2
