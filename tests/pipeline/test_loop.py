# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The loop by itself, over a reconstructor that only takes notes."""

import itertools
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
import torch
from tiny_scene import wall_frame

from ineus_core.errors import CapacityError, SourceError
from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig
from ineus_core.reconstruction import FrameIntake, JudgedFrame, Reconstructor, ReconstructorConfig
from ineus_core.timing import InParts
from ineus_core.types import Frame, MeshUpdate, StepReport

S = 1_000_000_000


class NotedIntake(FrameIntake):
    """Asks the notes."""

    def __init__(self, notes: "Notes") -> None:
        self.notes, self.map, self._unmeasured = notes, None, None

    def limit_estimation(self, *_: object) -> None:
        pass

    def judge(self, frame: Frame) -> JudgedFrame:
        is_needed = frame.stamp_ns not in self.notes.unneeded
        passing = frame if self.notes.passes_on and not is_needed else None
        return JudgedFrame(frame.stamp_ns, frame if is_needed else None, 1, passing)

    def take(self, judged: JudgedFrame) -> bool:
        if judged.frame is not None:
            return self.notes.add_frame(judged.frame)
        self.notes.passed.append(judged.stamp_ns)
        return False

    def begin_taking(self, judged: JudgedFrame, others_wait: bool = False) -> "Future[bool]":
        taken: Future[bool] = Future()
        taken.set_result(self.take(judged))
        return taken


class Notes(Reconstructor):
    """A reconstructor that notes what is asked of it; frames with a stamp of 13 s are bad."""

    is_ready = False  # type: ignore[assignment]
    steps = 0  # type: ignore[assignment]
    has_mesh_left = False  # type: ignore[assignment]

    def __init__(self) -> None:
        self.device, self.ranks = torch.device("cpu"), None
        self._given_config = ReconstructorConfig()
        self.intake = NotedIntake(self)
        self.frames: list[int] = []
        self.unneeded: set[int] = set()
        self.passes_on = False
        self.within_s: list[float | None] = []
        self.passed: list[int] = []
        self.extractions = self.whole = self.revisits = 0
        self.rates: list[float] = []

    def add_frame(self, frame: Frame) -> bool:
        if frame.stamp_ns == 13 * S:
            raise SourceError("odd frame")
        self.frames.append(frame.stamp_ns)
        self.is_ready = True
        return True

    def start(self) -> bool:
        return False

    def step(self) -> None:
        self.steps += 1

    def refine(self, remaining: float) -> None:
        self.rates.append(remaining)

    def revisit_surface(self, within_s: float = math.inf) -> None:
        self.revisits += 1

    def extract_mesh(self, everything: bool = False, within_s: float | None = None) -> MeshUpdate:
        self.within_s.append(within_s)
        self.extractions += 1
        self.whole += everything
        return MeshUpdate(0, (), ((0, 0, 0),))

    def extract_mesh_in_parts(self) -> InParts[MeshUpdate]:
        for _ in range(3):
            yield
        return self.extract_mesh(everything=True)

    def report(self) -> StepReport:
        return StepReport(self.steps, 0, {}, {}, 1.0, 0.0, 0.0, 0)


class Collected:
    def __init__(self) -> None:
        self.meshes: list[MeshUpdate] = []
        self.reports: list[StepReport] = []

    def on_mesh(self, update: MeshUpdate) -> None:
        self.meshes.append(update)

    def on_report(self, report: StepReport) -> None:
        self.reports.append(report)


def make(
    is_live: bool = False, now_s: Callable[[], float] = time.perf_counter, **settings: Any
) -> tuple[Pipeline, Notes, Collected]:
    notes, sink = Notes(), Collected()
    given = {"steps_per_tick": 3, "mesh_rate_hz": 2.0, "report_rate_hz": 1.0, "refine_steps": 10}
    config = PipelineConfig(**{**given, **settings})
    return Pipeline(notes, sink, config, is_live=is_live, now_s=now_s), notes, sink


def frame_at(stamp_s: int) -> Frame:
    return wall_frame(10 * stamp_s)


def test_a_tick_takes_one_frame_and_one_budget_of_steps() -> None:
    pipeline, notes, _ = make()
    pipeline.submit(frame_at(0))
    pipeline.tick(0)
    assert (notes.frames, notes.steps) == ([0], 3)
    pipeline.tick(0)
    assert (notes.frames, notes.steps) == ([0], 6)


def test_while_frames_wait_training_holds_back() -> None:
    pipeline, notes, _ = make()
    for i in range(3):
        pipeline.submit(frame_at(i))
    taken = []
    for _ in range(3):
        pipeline.tick(0)
        taken.append((len(notes.frames), notes.steps, pipeline.waiting))
    assert taken == [(1, 1, 2), (2, 2, 1), (3, 5, 0)]


def test_online_a_tick_takes_a_share_of_the_keyframes_that_wait() -> None:
    pipeline, notes, _ = make(is_live=True, now_s=lambda: 0.0)
    for i in range(9):
        pipeline.submit(frame_at(100 + i))
    taken = []
    for _ in range(7):
        pipeline.tick(0)
        taken.append(len(notes.frames))
    # A quarter of those that wait, and one.
    assert taken == [3, 5, 7, 8, 9, 9, 9]


def test_online_a_tick_takes_keyframes_only_for_some_time() -> None:
    pipeline, notes, _ = make(is_live=True, now_s=lambda: 1.0 * len(notes.frames))
    for i in range(9):
        pipeline.submit(frame_at(100 + i))
    pipeline.tick(0)
    assert len(notes.frames) == 1


def test_meshing_keeps_to_its_share_of_the_time_online(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    pipeline, notes, _ = make(is_live=True, mesh_share=0.25, now_s=lambda: clock[0])

    def extract(everything: bool, within_s: float | None) -> MeshUpdate:
        clock[0] += 1.0
        notes.extractions += 1
        return MeshUpdate(0, (), ())

    monkeypatch.setattr(notes, "extract_mesh", extract)
    pipeline.submit(frame_at(0))
    extractions = []
    for tick in range(10):
        pipeline.tick(tick * S)
        extractions.append(notes.extractions)
        clock[0] += 1.0
    # A second of meshing, then three of something else.
    assert extractions == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert notes.revisits == 0, "a CPU has no time for it"


def test_frames_that_are_not_needed_take_no_room_and_are_passed_in_their_order() -> None:
    pipeline, notes, _ = make()
    notes.unneeded = {1 * S, 2 * S, 4 * S}
    for stamp_s in range(5):
        pipeline.submit(frame_at(stamp_s))
    assert (pipeline.waiting, pipeline.counters["frames_used"]) == (2, 3)
    pipeline.tick(0)
    assert (notes.frames, notes.passed) == ([0], [])
    pipeline.tick(0)
    # Only the newest of several in a row is told of.
    assert (notes.frames, notes.passed) == ([0, 3 * S], [2 * S])
    assert pipeline.has_waiting and pipeline.waiting == 0
    pipeline.tick(0)
    assert notes.passed == [2 * S, 4 * S]
    assert pipeline.counters["frames_used"] == 5


def test_what_frames_between_keyframes_show_waits_within_a_bound_and_is_taken_in_parts() -> None:
    pipeline, notes, _ = make()
    notes.unneeded, notes.passes_on = {stamp_s * S for stamp_s in range(1, 50)}, True
    for stamp_s in range(51):
        pipeline.submit(frame_at(stamp_s))
    pipeline.tick(0)
    assert (notes.frames, notes.passed) == ([0], [])
    pipeline.tick(0)
    assert notes.passed == [1 * S, 2 * S, 3 * S, 4 * S]
    for _ in range(8):
        pipeline.tick(0)
    # Of those beyond the bound only the newest stamp is told.
    assert notes.passed == [stamp_s * S for stamp_s in (*range(1, 33), 49)]
    assert notes.frames == [0, 50 * S]


def test_a_frame_for_which_the_queue_has_no_room_is_dropped_unjudged_and_counted() -> None:
    two_frames_mb = 2 * frame_at(0).bytes / 1e6
    pipeline, notes, _ = make(queue_mb=two_frames_mb)
    judge, judged = notes.intake.judge, []

    def noted(frame: Frame) -> JudgedFrame:
        judged.append(frame.stamp_ns)
        return judge(frame)

    notes.intake.judge = noted  # type: ignore[method-assign]
    for i in range(5):
        pipeline.submit(frame_at(i))
    assert judged == [0, S]
    for _ in range(5):
        pipeline.tick(0)
    pipeline.submit(frame_at(5))
    pipeline.tick(0)
    assert notes.frames == [0, S, 5 * S]
    counters = pipeline.counters
    assert counters["keyframes come faster than they are taken"] == 3
    assert (counters["frames_in"], counters["frames_used"], counters["frames_dropped"]) == (
        6,
        3,
        3,
    )


def test_a_frame_larger_than_the_queue_may_wait_alone() -> None:
    pipeline, notes, _ = make(queue_mb=1e-6)
    pipeline.submit(frame_at(0))
    pipeline.submit(frame_at(1))
    pipeline.tick(0)
    assert (notes.frames, pipeline.counters["frames_dropped"]) == ([0], 1)


def test_a_frame_that_cannot_be_judged_is_dropped_and_counted() -> None:
    pipeline, notes, _ = make()

    def judge(frame: Frame) -> JudgedFrame:
        raise SourceError("no such lens")

    notes.intake.judge = judge  # type: ignore[method-assign]
    pipeline.submit(frame_at(0))
    assert pipeline.counters["refused: no such lens"] == 1
    assert not pipeline.has_waiting


def test_a_frame_that_is_refused_is_counted_and_the_loop_goes_on() -> None:
    pipeline, notes, _ = make()
    for stamp_s in (12, 13, 14):
        pipeline.submit(frame_at(stamp_s))
    for _ in range(3):
        pipeline.tick(0)
    assert notes.frames == [12 * S, 14 * S]
    assert pipeline.counters["frames_dropped"] == 1
    assert pipeline.counters["refused: odd frame"] == 1


def test_a_frame_that_fails_for_a_reason_nobody_thought_of_is_a_drop_that_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline, notes, _ = make()
    added = notes.add_frame

    def add_frame(frame: Frame) -> bool:
        if frame.stamp_ns < 3 * S:
            raise ZeroDivisionError("a lens like no other")
        return added(frame)

    notes.add_frame = add_frame  # type: ignore[method-assign]
    for stamp_s in (0, 1, 2, 3):
        pipeline.submit(frame_at(stamp_s))
        pipeline.tick(0)
    assert notes.frames == [3 * S]
    counters = pipeline.counters
    assert (counters["frames_used"], counters["frames_dropped"]) == (1, 3)
    assert counters["failed: ZeroDivisionError: a lens like no other"] == 3
    (record,) = caplog.records
    assert record.exc_info is not None and "in add_frame" in caplog.text


def test_reasons_are_told_apart_only_so_many() -> None:
    pipeline, notes, _ = make()

    def add_frame(frame: Frame) -> bool:
        raise SourceError(f"pose at {frame.stamp_ns} m")

    notes.add_frame = add_frame  # type: ignore[method-assign]
    for stamp_s in range(200):
        pipeline.submit(frame_at(stamp_s))
        pipeline.tick(0)
    assert len(pipeline.counters) <= 65
    assert pipeline.counters["frames_dropped"] == 200
    assert sum(n for why, n in pipeline.counters.items() if why.startswith("refused")) == 200


def test_frames_that_wait_are_dropped_when_they_are_cleared_or_nothing_takes_them() -> None:
    pipeline, notes, _ = make()
    for stamp_s in (1, 2):
        pipeline.submit(frame_at(stamp_s))
    pipeline.clear()
    pipeline.refuse()
    pipeline.tick(0)
    assert notes.frames == []
    counters = pipeline.counters
    assert (counters["frames_in"], counters["frames_dropped"]) == (3, 3)


def test_a_frame_for_which_there_is_no_room_is_counted_but_not_a_start_without_room() -> None:
    pipeline, notes, _ = make()
    added = notes.add_frame

    def add_frame(frame: Frame) -> bool:
        if frame.stamp_ns == 2 * S:
            raise CapacityError("no room")
        return added(frame)

    notes.add_frame = add_frame  # type: ignore[method-assign]
    pipeline.submit(frame_at(2))
    with pytest.raises(CapacityError):
        pipeline.tick(0)
    for stamp_s in (1, 2, 3):
        pipeline.submit(frame_at(stamp_s))
        pipeline.tick(0)
    assert notes.frames == [1 * S, 3 * S]
    assert pipeline.counters["refused: no room"] == 1


def test_a_tick_until_a_moment_trains_until_then_and_begins_no_mesh_that_would_end_late() -> None:
    pipeline, notes, _ = make(now_s=lambda: 10.0 + notes.steps / 8 + 2.0 * notes.extractions)
    pipeline.submit(frame_at(0))
    pipeline.tick_until(0, due_s=13.0, end_s=20.0)
    # Two seconds of meshing, then as many steps as are left until it is due.
    assert (notes.extractions, notes.steps) == (1, 8)
    pipeline.submit(frame_at(1))
    pipeline.tick_until(S, due_s=12.0, end_s=20.0)
    assert (len(notes.frames), notes.steps) == (2, 8), "it comes late"
    for second in range(2, 40):
        pipeline.tick_until(second * S, due_s=20.0, end_s=20.0)
    assert 20.0 <= 10.0 + notes.steps / 8 + 2.0 * notes.extractions <= 20.2


def test_online_a_gpu_meshes_in_slices_that_later_ticks_go_on_with() -> None:
    clock = [0.0]
    pipeline, notes, _ = make(is_live=True, mesh_share=1.0, now_s=lambda: clock[0])
    pipeline._on_gpu = True
    pipeline.submit(frame_at(0))
    notes.has_mesh_left = True
    for _ in range(3):
        pipeline.tick(0)
    assert (notes.extractions, notes.revisits) == (3, 3)
    assert all(0 < (within_s or 0) < 0.05 for within_s in notes.within_s)
    notes.has_mesh_left = False
    for _ in range(3):
        pipeline.tick(0)
    assert notes.extractions == 4, "nothing is left, and it is not due"


def test_mesh_and_report_come_at_their_rates() -> None:
    pipeline, _, sink = make()
    pipeline.submit(frame_at(0))
    for tick in range(41):
        pipeline.tick(tick * S // 10)
    # 0, 0.5, ... 4.0 and 0, 1, ... 4
    assert (len(sink.meshes), len(sink.reports)) == (9, 5)


def test_between_the_parts_of_a_whole_mesh_ticks_train_and_do_not_mesh() -> None:
    pipeline, notes, sink = make()
    assert list(pipeline.update_mesh_in_parts()) == [] and not sink.meshes
    pipeline.submit(frame_at(0))
    pipeline.tick(0)
    parts = pipeline.update_mesh_in_parts()
    for second, _ in enumerate(parts, 1):
        pipeline.tick(second * S)
    assert (notes.extractions, notes.whole, len(sink.meshes)) == (2, 1, 2)
    assert notes.steps == 4 * 3
    # Nor for ever: one that is given up has no further part.
    parts = pipeline.update_mesh_in_parts()
    next(parts)
    parts.close()
    pipeline.tick(9 * S)
    assert (notes.extractions, notes.whole) == (3, 1)


def test_online_reports_go_on_when_the_clock_of_a_bag_has_stopped() -> None:
    wall_s = [5.0]
    pipeline, _, sink = make(is_live=True, now_s=lambda: wall_s[0])
    for _ in range(41):
        pipeline.tick(7 * S)
        wall_s[0] += 0.1
    assert len(sink.reports) == 5


def test_ticks_that_come_late_do_not_make_the_periods_longer() -> None:
    pipeline, _, sink = make(report_rate_hz=0.0)
    pipeline.submit(frame_at(0))
    meshes = []
    for tick in range(30):
        pipeline.tick(tick * 7 * S // 20)
        meshes.append(len(sink.meshes))
    # Ticks 0.35 s apart at two meshes a second, so at 0, 0.7, 1.05, 1.75, 2.1 ... 10.15 s.
    assert meshes[:7] == [1, 1, 2, 3, 3, 4, 5]
    assert meshes[-1] == 21
    # A gap is not made up for.
    pipeline.tick(100 * S)
    pipeline.tick(100 * S + 1)
    assert len(sink.meshes) == 22


def test_a_clock_that_jumps_back_begins_a_new_period() -> None:
    pipeline, _, sink = make()
    pipeline.submit(frame_at(0))
    pipeline.tick(100 * S)
    pipeline.tick(5 * S)
    pipeline.tick(5 * S + 1)
    assert (len(sink.meshes), len(sink.reports)) == (2, 2)


def test_no_reports_if_none_are_wanted() -> None:
    pipeline, _, sink = make(report_rate_hz=0.0)
    for tick in range(5):
        pipeline.tick(tick * S)
    assert sink.reports == []


def test_before_the_first_frame_there_is_no_mesh() -> None:
    pipeline, notes, sink = make()
    pipeline.tick(0)
    pipeline.tick(10 * S)
    assert (notes.extractions, sink.meshes) == (0, [])


def test_an_update_that_changes_nothing_is_not_handed_over(monkeypatch: Any) -> None:
    pipeline, notes, sink = make()
    monkeypatch.setattr(notes, "extract_mesh", lambda everything, within_s: MeshUpdate(0, (), ()))
    pipeline.submit(frame_at(0))
    pipeline.tick(0)
    assert sink.meshes == []


def test_staleness_is_that_of_the_newest_frame_of_an_update() -> None:
    pipeline, _, _ = make()
    for i in range(3):
        pipeline.submit(frame_at(i))
        pipeline.tick(i * S)
    pipeline.tick(10 * S)
    assert len(pipeline.staleness_ms) == 3
    assert all(0 <= ms < 5000 for ms in pipeline.staleness_ms)


def test_finish_takes_what_waits_settles_and_hands_over_everything() -> None:
    pipeline, notes, sink = make()
    for i in range(4):
        pipeline.submit(frame_at(i))
    shares: list[float] = []
    pipeline.finish(on_progress=shares.append)
    assert notes.frames == [0, S, 2 * S, 3 * S]
    assert notes.steps == 4 * 3 + 10
    assert notes.whole == 1
    assert len(sink.meshes) == 1
    assert len(sink.reports) >= 1
    # The whole of it before the mesh is made.
    assert shares == pytest.approx([i / 10 for i in range(11)])
    # Rates fall from 1 and are back for a stream that goes on.
    assert notes.rates[:-1] == pytest.approx([1 - i / 10 for i in range(10)])
    assert notes.rates[-1] == 1.0


@pytest.mark.parametrize(("steps", "expected"), [(0, 3), (5, 8)])
def test_finish_with_a_number_of_steps(steps: int, expected: int) -> None:
    pipeline, notes, _ = make()
    pipeline.submit(frame_at(0))
    pipeline.finish(steps=steps)
    assert notes.steps == expected


def test_finish_by_the_clock() -> None:
    """Steps of an eighth of a second for a second; then none, as the time is over."""
    looks = itertools.count()
    pipeline, notes, _ = make(now_s=lambda: 100.0 + notes.steps / 8 + 1e-6 * next(looks))
    pipeline.submit(frame_at(0))
    pipeline.tick(0)
    pipeline.finish(until_s=100.0 + 3 / 8 + 1.0)
    assert notes.steps == 3 + 8
    pipeline.finish(until_s=101.0)
    assert notes.steps == 3 + 8


def test_what_still_waits_when_the_time_is_over_is_dropped_and_counted() -> None:
    clock, looks = [0.0], itertools.count()
    pipeline, notes, _ = make(now_s=lambda: clock[0] + 1e-6 * next(looks))
    for stamp_s in range(5):
        pipeline.submit(frame_at(stamp_s))
    pipeline.tick(0)
    clock[0] = 20.0
    pipeline.finish(until_s=20.0)
    assert (notes.frames, pipeline.counters["frames_dropped"]) == ([0], 4)
    # Without a map the first one is taken all the same.
    late, notes, _ = make(now_s=lambda: 20.0 + 1e-6 * next(looks))
    late.submit(frame_at(0))
    late.submit(frame_at(1))
    late.finish(until_s=20.0)
    assert (notes.frames, late.counters["frames_dropped"]) == ([0], 1)


def test_finish_without_a_frame_ends() -> None:
    pipeline, notes, sink = make()
    pipeline.finish()
    assert (notes.steps, sink.meshes, len(sink.reports)) == (0, [], 1)


def test_a_sink_that_does_nothing() -> None:
    sink = NullSink()
    sink.on_mesh(MeshUpdate(0, (), ()))
    sink.on_report(Notes().report())


def test_a_mesh_gives_way_once_to_a_keyframe_that_took_long_on_a_gpu() -> None:
    clock = [0.0]
    pipeline, notes, _ = make(is_live=True, mesh_rate_hz=1000.0, now_s=lambda: clock[0])
    pipeline._on_gpu = True

    def add_frame(frame: Frame) -> bool:
        clock[0] += 0.04
        notes.is_ready = True
        return True

    notes.add_frame = add_frame  # type: ignore[method-assign]
    extractions = []
    for stamp_s in range(4):
        pipeline.submit(frame_at(stamp_s))
        pipeline.tick(round(1e9 * clock[0]))
        extractions.append(notes.extractions)
    assert extractions == [0, 1, 1, 2]
