# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A source through the pipeline: what is held out, counted, limited and measured."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.pipeline import Pipeline, PipelineConfig
from ineus_core.pipeline.held_out import figures_text, mean_figures, reduced_frame
from ineus_core.pipeline.no_surface import why_no_surface
from ineus_core.pipeline.offline import OfflineRun, RunLimits, RunResult
from ineus_core.reconstruction import FrameIntake, JudgedFrame, Reconstructor
from ineus_core.timing import WALL_CLOCK, Clock
from ineus_core.types import Camera, Frame, Mesh


class Walls:
    """A source of walls, of which one frame was unusable."""

    kind = "walls"

    def __init__(self, count: int, depth_m: float | None = 2.0) -> None:
        self.dropped: Counter[str] = Counter(no_pose=1)
        self._frames = [wall_frame(i, depth_m, pose(0.2 * i)) for i in range(count)]

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def reference_mesh(self) -> Mesh | None:
        return None


class Hand:
    """A clock that goes on by a hundredth of a second when it is looked at, and by sleeping."""

    def __init__(self) -> None:
        self.s = 50.0

    def now_s(self) -> float:
        self.s += 0.01
        return self.s

    def sleep_s(self, time_s: float) -> None:
        self.s += time_s


def run(
    source: Walls,
    settings: dict | None = None,
    clock: Clock | Hand = WALL_CLOCK,
    **limits: float,
) -> RunResult:
    reconstructor = Reconstructor(tiny_config(training={"rays_per_step": 64}), CPU)
    config = PipelineConfig(**{"steps_per_tick": 2, "refine_steps": 4, **(settings or {})})
    given = RunLimits(**limits)  # type: ignore[arg-type]
    told = Clock(clock.now_s, clock.sleep_s)
    return OfflineRun(source, reconstructor, config, given, clock=told).run()


def test_every_nth_frame_is_held_out_and_measured() -> None:
    result = run(Walls(9), hold_out=4)
    report = result.report
    # Frames 3 and 7 are held out; one never came.
    assert (report["frames_in"], report["frames_used"], report["frames_dropped"]) == (8, 7, 1)
    assert report["frames_held_out"] == report["held_out"]["frames"] == 2
    assert report["held_out"]["psnr"] > 5
    assert report["held_out"]["depth_l1_m"] < 2
    assert [name for name, _ in result.renders] == [f"{i * 100_000_000:019d}" for i in (3, 7)]
    assert report["dropped"] == {"no_pose": 1}


@pytest.mark.parametrize(
    ("frames", "every", "words"),
    [
        (5, 10, "--hold-out 10 holds out nothing of 5 frames: quality is not measured"),
        (9, 4, "--hold-out 4 holds out 2 frames only of 9 frames"),
        (9, 3, ""),
        (9, 0, ""),
    ],
)
def test_too_few_frames_to_hold_out_are_said(
    frames: int, every: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    report = run(Walls(frames), hold_out=every, steps=1).report
    said = [record.getMessage() for record in caplog.records if "hold" in record.getMessage()]
    assert len(said) == bool(words) and all(text.startswith(words) for text in said)
    assert report["held_out"]["every"] == every


def test_pictures_too_small_for_one_figure_have_the_others() -> None:
    source = Walls(0)
    small = Camera(20, 10, 15.0, 15.0, 10.0, 5.0)
    source._frames = [wall_frame(i, 2.0, pose(0.2 * i), small) for i in range(3)]
    figures = run(source, hold_out=3).report["held_out"]
    assert figures["frames"] == 1 and figures["ssim"] is None
    assert figures["psnr"] > 5 and figures["depth_l1_m"] < 2
    assert figures_text(figures) == (
        f"PSNR {figures['psnr']:.2f} dB, depth L1 {100 * figures['depth_l1_m']:.2f} cm"
    )
    assert figures_text(mean_figures([])) == "no figure can be measured"


def test_without_held_out_frames_there_are_pictures_but_no_figures() -> None:
    result = run(Walls(5))
    assert result.report["held_out"]["frames"] == 0
    assert result.report["held_out"]["psnr"] is None
    assert len(result.renders) >= 2
    assert len(result.panels) >= 2


def test_stream_time_counts_from_the_first_stamp_though_it_is_0() -> None:
    assert run(Walls(5)).report["stream_s"] == pytest.approx(0.4)


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_a_number_of_steps_is_kept_exactly(steps: int) -> None:
    assert run(Walls(4), steps=steps).report["steps"] == steps


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_seconds_are_the_time_of_all_training_with_as_many_steps_as_they_hold(
    seconds: float,
) -> None:
    clock = Hand()
    report = run(Walls(3), clock=clock, seconds=seconds).report
    assert seconds <= report["wall_s"] < seconds + 0.2
    assert report["frames_used"] == 3
    # The stream has its share of it.
    assert report["stream_wall_s"] == pytest.approx(0.6 * seconds, abs=0.1)
    # Each step is a look at the clock, and some looks are for meshes and reports.
    assert 100 * seconds - 30 < report["steps"] <= 100 * seconds


def test_a_slow_source_gets_fewer_steps_a_frame_and_ends_in_time() -> None:
    clock = Hand()
    report = run(Slow(6, clock, read_s=0.42), clock=clock, seconds=4.0).report
    assert report["frames_used"] == 6
    assert report["stream_wall_s"] > 0.6 * 4.0
    assert 4.0 <= report["wall_s"] < 4.2


def test_what_there_is_no_time_to_read_is_dropped_and_counted() -> None:
    clock = Hand()
    report = run(Slow(20, clock, read_s=0.3), clock=clock, seconds=2.0).report
    assert 2.0 <= report["wall_s"] < 2.2
    assert report["steps"] > 5, "what was read is trained on"
    assert 3 <= report["frames_used"] <= 5
    assert report["dropped"] == {"no_pose": 1, "time_over": 20 - report["frames_used"]}
    assert report["frames_in"] == 21


class Slow(Walls):
    """Walls that take their time to be read."""

    def __init__(
        self, count: int, clock: Hand, read_s: float, depth_m: float | None = 2.0
    ) -> None:
        super().__init__(count, depth_m)
        self._clock, self._read_s = clock, read_s

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            self._clock.s += self._read_s
            yield frame


def test_in_real_time_every_frame_is_used_or_counted() -> None:
    report = run(Walls(12), {"queue_mb": 0.001}, real_time=1e6).report
    assert report["frames_in"] == 13
    assert report["frames_used"] + report["frames_dropped"] == 13


def test_in_real_time_frames_come_by_the_clock_to_a_worker_that_trains_meanwhile() -> None:
    trained = threading.Event()

    class Waiting(Hand):
        """Lets the first steps be taken before a frame comes."""

        def sleep_s(self, time_s: float) -> None:
            assert trained.wait(60.0)
            super().sleep_s(time_s)

    class Notes(Reconstructor):
        threads: ClassVar[set[int]] = set()

        def step(self) -> None:
            super().step()
            self.threads.add(threading.get_ident())
            trained.set()

    clock = Waiting()
    reconstructor = Notes(tiny_config(training={"rays_per_step": 64}), CPU)
    config = PipelineConfig(steps_per_tick=2, refine_steps=4)
    told = Clock(clock.now_s, clock.sleep_s)
    frames = OfflineRun(Walls(5), reconstructor, config, RunLimits(real_time=1.0), clock=told)
    report = frames.run().report
    assert (report["frames_used"], report["frames_dropped"]) == (5, 1)
    assert report["stream_wall_s"] >= 0.4
    assert len(Notes.threads) == 2, "the worker's, and ours to refine"


def test_frames_of_another_size_are_used_like_the_others() -> None:
    source = Walls(4)
    small = Camera(20, 15, 15.0, 15.0, 10.0, 7.5)
    source._frames.append(wall_frame(9, 2.0, pose(3.0), small))
    report = run(source).report
    assert (report["frames_in"], report["frames_used"], report["frames_dropped"]) == (6, 5, 1)


def test_a_frame_without_depth_among_others_is_taken_in_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As with a GPU, where one keyframe is still being corrected when the next one comes.
    monkeypatch.setattr(Pipeline, "corrects_beside", True)
    source = Walls(6)
    source._frames[3] = replace(source._frames[3], depth_m=None)
    taken: list[int] = []
    take, begin = FrameIntake.take, FrameIntake.begin_taking

    def noted(what: Any) -> Any:
        def work(self: FrameIntake, judged: JudgedFrame, *words: Any) -> Any:
            if judged.frame is not None:
                taken.append(judged.stamp_ns)
            return what(self, judged, *words)

        return work

    monkeypatch.setattr(FrameIntake, "take", noted(take))
    monkeypatch.setattr(FrameIntake, "begin_taking", noted(begin))
    waiting: list[int] = []
    submit = Pipeline.submit

    def submitted(self: Pipeline, frame: Frame) -> None:
        waiting.append(self.waiting)
        submit(self, frame)

    monkeypatch.setattr(Pipeline, "submit", submitted)
    report = run(source).report
    assert taken == [frame.stamp_ns for frame in source._frames]
    # Each waits for the next one.
    assert waiting == [0, 1, 1, 1, 1, 1]
    assert (report["frames_used"], report["frames_dropped"]) == (6, 1)


def test_a_source_without_frames_gives_an_empty_report() -> None:
    report = run(Walls(0)).report
    assert (report["frames_used"], report["keyframes"], report["steps"]) == (0, 0, 0)
    assert report["mesh"]["vertices"] == 0


def test_colour_alone_without_depth_figures() -> None:
    report = run(Walls(6, None), hold_out=3).report
    assert report["frames_used"] == 4
    assert report["held_out"]["depth_l1_m"] is None
    assert report["steps"] > 0


def test_training_without_depth_waits_for_all_views() -> None:
    source = Walls(6, None)
    source.world_from_camera = [frame.world_from_camera for frame in source]  # type: ignore[attr-defined]
    phases: list[tuple[str, int]] = []
    reconstructor = Reconstructor(tiny_config(training={"rays_per_step": 64}), CPU)
    config = PipelineConfig(steps_per_tick=2, report_rate_hz=100.0)

    def note(phase: str, *_: object) -> None:
        phases.append((phase, reconstructor.steps))

    result = OfflineRun(source, reconstructor, config, RunLimits(steps=12, hold_out=3), note).run()
    assert result.report["steps"] == 12
    assert [steps for phase, steps in phases if phase == "reading"] == [0] * 4
    assert ("refining", 12) in phases


def test_seconds_of_training_without_depth_begin_when_all_is_read() -> None:
    clock = Hand()
    report = run(Slow(6, clock, read_s=10.0, depth_m=None), clock=clock, seconds=0.3).report
    assert report["steps"] > 10
    assert 60.0 <= report["stream_wall_s"] < report["wall_s"] < 61.0


def test_a_reduced_frame_picks_depth_and_keeps_the_view() -> None:
    camera = Camera(81, 60, 60.0, 60.0, 40.5, 30.0)
    depth_m = np.full((60, 81), 2.0, dtype=np.float32)
    depth_m[:, 40:] = 6.0
    frame = Frame(5, camera, pose(), np.zeros((60, 81, 3), dtype=np.uint8), depth_m)
    small = reduced_frame(frame, 40)
    assert (small.camera.width_px, small.camera.height_px, small.stamp_ns) == (27, 20, 5)
    assert set(np.unique(small.depth_m)) == {2.0, 6.0}
    assert small.camera.fx / small.camera.width_px == pytest.approx(60 / 81)
    assert reduced_frame(frame, 81) is frame


def test_a_picture_that_is_nearly_a_line_is_reduced_to_one_that_a_camera_may_have() -> None:
    camera = Camera(300, 3, 200.0, 200.0, 150.0, 1.5)
    depth_m = np.repeat(np.array([[1.0], [2.0], [3.0]], dtype=np.float32), 300, axis=1)
    frame = Frame(5, camera, pose(), np.zeros((3, 300, 3), dtype=np.uint8), depth_m)
    small = reduced_frame(frame, 160)
    assert (small.camera.width_px, small.camera.height_px) == (150, 2)
    assert small.camera.fy == pytest.approx(200 * 2 / 3)
    # Rows 0 and 1 of two have their centres in rows 0 and 2 of three.
    assert small.depth_m[:, 0].tolist() == [1.0, 3.0]


def test_a_surface_out_of_a_few_steps_on_pictures_alone_is_doubted(caplog) -> None:
    report = run(Walls(6, depth_m=None), steps=12).report
    said = "12 steps are few for pictures without depth" in caplog.text
    assert said == (report["mesh"]["triangles"] > 0)
    caplog.clear()
    run(Walls(6), steps=12)
    assert "steps are few" not in caplog.text


def test_an_error_of_the_measurement_costs_nothing_else(monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such view")

    monkeypatch.setattr("ineus_core.pipeline.offline.compare_view", fail)
    result = run(Walls(6), steps=12)
    assert str(result.measuring_error) == "no such view"
    assert result.report["steps"] == 12
    assert result.report["held_out"]["psnr"] is None
    assert (result.panels, result.renders) == ([], [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mask": np.zeros((30, 40), dtype=bool)}, "masks exclude all pixels"),
        ({"depth_m": None, "world_from_camera": pose()}, "keyframes without depth: 1,"),
    ],
)
def test_why_there_is_no_surface_is_not_blamed_on_steps(
    changes: dict[str, Any], words: str
) -> None:
    source = Walls(0)
    source._frames = [replace(wall_frame(i, 2.0, pose(0.2 * i)), **changes) for i in range(5)]
    made = Reconstructor(tiny_config(training={"rays_per_step": 64}), CPU)
    offline = OfflineRun(source, made, PipelineConfig(), RunLimits(steps=3))
    offline.train()
    assert words in why_no_surface(offline._pipeline)
