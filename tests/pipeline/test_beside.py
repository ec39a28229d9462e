# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What an offline run does for others between two steps."""

import pytest
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.pipeline import OfflineRun, Pipeline, PipelineConfig, RunLimits
from ineus_core.pipeline.beside import Beside, Nobody
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Frame, MeshUpdate


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Watching(Nobody):
    """Looks on, and counts what comes."""

    is_watched = True

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.meshes = 0

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame.stamp_ns)

    def on_mesh(self, update: MeshUpdate) -> None:
        self.meshes += 1


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(Reconstructor(tiny_config(), CPU), Nobody(), PipelineConfig())


def test_a_request_is_answered_and_training_has_as_long_before_the_next(
    pipeline: Pipeline,
) -> None:
    clock = Clock()
    beside = Beside(Nobody(), clock)

    def slow(_: Pipeline) -> str:
        clock.now_s += 2.0
        return "done"

    first, second = beside.call(slow), beside.call(slow)
    beside.turn(pipeline, lambda: None)
    assert first.result(0) == "done" and not second.done()
    clock.now_s += 1.5
    beside.turn(pipeline, lambda: None)
    assert not second.done()
    clock.now_s += 1.0
    beside.turn(pipeline, lambda: None)
    assert second.result(0) == "done"


def test_a_pause_answers_and_ends_by_resume(pipeline: Pipeline) -> None:
    beside = Beside(Nobody())
    beside.pause()
    asked = beside.call(lambda _: beside.resume())
    beside.turn(pipeline, lambda: None)
    assert asked.done() and not beside.paused


def test_a_pause_ends_by_what_its_check_raises(pipeline: Pipeline) -> None:
    beside = Beside(Nobody())
    beside.pause()
    with pytest.raises(KeyboardInterrupt):
        beside.turn(pipeline, _interrupt)


def test_a_run_that_has_ended_refuses_what_waits_and_what_comes() -> None:
    beside = Beside(Nobody())
    waiting = beside.call(lambda _: "never")
    beside.end()
    for asked in (waiting, beside.call(lambda _: "never")):
        with pytest.raises(RuntimeError, match="the run has ended"):
            asked.result(0)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_who_looks_on_sees_frames_and_meshes_while_a_run_refines() -> None:
    watching = Watching()
    reconstructor = Reconstructor(tiny_config(), CPU)
    config = PipelineConfig(steps_per_tick=1, mesh_rate_hz=0.001)
    run = OfflineRun(
        room_source(frames=2), reconstructor, config, RunLimits(steps=40), onlooker=watching
    )
    run.train()
    assert len(watching.frames) == 2
    # One from the stream, one at the end, and at least one between that nobody else needed.
    assert watching.meshes >= 3
