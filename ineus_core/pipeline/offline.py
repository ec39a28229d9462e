# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A source through the pipeline, by a virtual clock or at its own speed, and how good it became.

Quality is measured on frames that are held out of training.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ineus_core.errors import SourceError
from ineus_core.evaluation import Panel
from ineus_core.keyframes import has_returns
from ineus_core.pipeline.beside import Beside, Nobody, Onlooker
from ineus_core.pipeline.config import PipelineConfig
from ineus_core.pipeline.environment import device_name, versions
from ineus_core.pipeline.frame_counts import FRAMES
from ineus_core.pipeline.held_out import (
    FULL_WIDTH_PX,
    ComparedView,
    compare_view,
    mean_figures,
)
from ineus_core.pipeline.kind_settings import KindSettings
from ineus_core.pipeline.loop import Pipeline
from ineus_core.pipeline.no_surface import few_steps, why_no_surface
from ineus_core.pipeline.worker import Worker
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import (
    AdjustedSource,
    HasPosesBetween,
    Source,
    frame_count,
    is_held_out,
    known_points,
    known_poses,
    read_ahead,
    source_description,
)
from ineus_core.timing import WALL_CLOCK, Clock
from ineus_core.types import Frame, MeshUpdate, RenderedImage, StepReport

_LOG = logging.getLogger(__name__)
_QUICK_WIDTH_PX = 160
_QUICK_FRAMES = 3
_QUICK_SHARE = 0.25
_FULL_FRAMES = 12
_UNKNOWN_FRAMES = 100
"""A source that does not know its length is planned for like one of so many frames."""
_STREAM_SHARE = 0.6
"""Share of a run's steps, or of its time, that the stream takes; the rest refines the field."""
_FEW_HELD_OUT = 3
"""Views that are held out below which their figures say little."""
_LONGEST_STREAM = 0.75
"""Share of the time after which no frame is read any more: what was not trained shows nothing."""


@dataclass(frozen=True)
class RunLimits:
    """How long a run may train and which frames it may use."""

    steps: int | None = None
    seconds: float | None = None
    """Wall time of training, that of the stream included; without depth, once all is read."""
    real_time: float = 0.0
    """Speed of the stream against the wall clock; 0 = as fast as it goes, by the virtual clock."""
    hold_out: int = 0
    """Keep every n-th frame out of training; 0 = none."""
    strict: bool = False
    """End a run whose input contradicts itself."""


@dataclass
class RunResult:
    """What a run has measured."""

    report: dict[str, Any]
    panels: list[Panel]
    renders: list[tuple[str, RenderedImage]] = field(default_factory=list)
    measuring_error: Exception | None = None
    """Why views could not be compared; the reconstruction is whole all the same."""


class _CurveSink:
    """Collects reports and counts mesh updates, and hands both on."""

    def __init__(self, now_s: Callable[[], float], onlooker: Onlooker) -> None:
        self.reports: list[tuple[float, StepReport]] = []
        self.mesh_updates = 0
        self._now_s, self._onlooker = now_s, onlooker

    def on_mesh(self, update: MeshUpdate) -> None:
        self.mesh_updates += 1
        self._onlooker.on_mesh(update)

    def on_report(self, report: StepReport) -> None:
        self.reports.append((self._now_s(), report))
        self._onlooker.on_report(report)


class OfflineRun:
    """Runs a source through a pipeline once.

    Args:
        source: Frames.
        reconstructor: What they go into.
        config: Of the pipeline.
        limits: Of the run.
        on_progress: Called with a phase, the share done, and the newest report.
        clock: What time is told by.
        chosen: What the source shows, and the settings that this has added, for the report.
        onlooker: Who sees frames, meshes and reports as they come.
    """

    def __init__(
        self,
        source: Source,
        reconstructor: Reconstructor,
        config: PipelineConfig,
        limits: RunLimits,
        on_progress: Callable[[str, float, StepReport | None], None] = lambda *_: None,
        clock: Clock = WALL_CLOCK,
        chosen: KindSettings | None = None,
        onlooker: Onlooker | None = None,
    ) -> None:
        """Prepare; `run` does the work."""
        self._source, self._reconstructor, self._limits = source, reconstructor, limits
        self._clock, self._onlooker = clock, onlooker or Nobody()
        self.beside = Beside(self._onlooker)
        """What other threads may ask for between two steps."""
        self._sink = _CurveSink(clock.now_s, self._onlooker)
        steps_per_tick = None
        if limits.steps is not None:
            # Most steps belong to the stream; the rest refines the field after the last frame.
            steps_per_tick = int(_STREAM_SHARE * limits.steps / self._expected_frames())
        self._pipeline = Pipeline(
            reconstructor,
            self._sink,
            config,
            is_live=limits.real_time > 0,
            steps_per_tick=steps_per_tick,
            now_s=clock.now_s,
        )
        if self._pipeline.input_check is not None:
            pose_at = source.pose_at if isinstance(source, HasPosesBetween) else None
            is_plain = not isinstance(source, AdjustedSource)
            self._pipeline.input_check.expect(self._expected_frames(), pose_at, is_plain)
        self._on_progress, self._chosen = on_progress, chosen or KindSettings()
        self._held_out: list[Frame] = []
        self._shown: list[Frame] = []
        self._curve: list[dict[str, Any]] = []
        self._first_ns: int | None = None
        self._last_ns = 0
        self._frames_read = 0
        self._next_quick: dict[str, float] = {}
        # A resumed run has some already.
        self._steps_before = reconstructor.steps
        self._began_s = self._began_training_s = clock.now_s()
        self._trains = False
        self._unread: Counter[str] = Counter()
        poses = known_poses(source)
        if poses is not None and not reconstructor.is_ready:
            reconstructor.expect(poses, known_points(source))

    def run(self) -> RunResult:
        """Stream, refine, measure."""
        streamed_s, trained_s = self.train()
        note = few_steps(self._pipeline)
        if note:
            _LOG.warning("%s", note)
        views, error = self._compared_views()
        measured = views if self._held_out else []
        held_out = {"frames": len(measured), "every": self._limits.hold_out}
        report = self._report(mean_figures(measured) | held_out)
        report |= {"wall_s": trained_s, "stream_wall_s": streamed_s}
        panels = [
            Panel(_name(view.frame), view.frame.rgb, view.frame.depth_m, view.image)
            for view in views[:4]
        ]
        renders = [(_name(view.frame), view.image) for view in views]
        return RunResult(report, panels, renders, error)

    def train(self) -> tuple[float, float]:
        """Stream and refine alone; seconds until the stream ended, and until training did."""
        self._began_s = self._began_training_s = self._pipeline.now_s()
        # Decoded on all cores, while the device trains.
        frames = read_ahead(self._source)
        count = frame_count(self._source)
        if count is not None:
            self._doubt_hold_out(count)
        self._stream_live(frames) if self._limits.real_time else self._stream(frames)
        streamed_s = self._clock.now_s() - self._began_s
        if count is None:
            self._doubt_hold_out(self._frames_read)
        self._judge_input()
        self._refine()
        return streamed_s, self._pipeline.refined_s - self._began_s

    def _stream(self, frames: Iterator[Frame]) -> None:
        """Take the frames one after the other, as fast as it goes."""
        pipeline, total, end_s = self._pipeline, self._expected_frames(), self._end_s
        last_s = self._began_s + _LONGEST_STREAM * (self._limits.seconds or math.inf)
        for index, frame in enumerate(frames):
            if self._trains and self._limits.seconds and pipeline.now_s() >= last_s:
                self._leave_rest(index)
                break
            if not self._is_for_training(index, frame):
                continue
            pipeline.submit(frame)
            share = (index + 1) / total
            if not self._trains and not has_returns(frame):
                # A few views alone leave the surface open: training waits for all of them.
                while pipeline.has_waiting:
                    pipeline.take_frame()
                self._tell("reading", share)
                continue
            self._trains = True
            if self._limits.seconds is None:
                pipeline.tick(frame.stamp_ns)
            else:
                due_s = self._began_s + _STREAM_SHARE * self._limits.seconds * min(share, 1.0)
                pipeline.tick_until(frame.stamp_ns, due_s, end_s)
            self._note_progress("streaming", share)

    def _stream_live(self, frames: Iterator[Frame]) -> None:
        """Hand the frames over by the wall clock to a worker, as the node does."""
        begin_s, speed, total = (
            self._clock.now_s(),
            self._limits.real_time,
            self._expected_frames(),
        )

        def now_ns() -> int:
            return (self._first_ns or 0) + int((self._clock.now_s() - begin_s) * speed * 1e9)

        worker = Worker(self._pipeline, now_ns, now_s=self._clock.now_s)
        worker.start()
        self.beside.leave_to(worker)
        try:
            for index, frame in enumerate(frames):
                first_ns = frame.stamp_ns if self._first_ns is None else self._first_ns
                due_s = begin_s + (frame.stamp_ns - first_ns) / 1e9 / speed
                self._clock.sleep_until(min(due_s, self._end_s))
                if due_s >= self._end_s:
                    self._leave_rest(index)
                    break
                if self._is_for_training(index, frame):
                    worker.submit(frame)
                self._note_progress("streaming", (index + 1) / total)
        finally:
            # However long its step takes: the reconstruction is used on this thread from now on.
            worker.stop(timeout_s=None)
            self.beside.take_back()
        if worker.error is not None:
            raise worker.error
        self._trains = self._reconstructor.steps > self._steps_before

    def _doubt_hold_out(self, frames: int) -> None:
        """Warn where too few frames are held out of so many to say anything."""
        every = self._limits.hold_out
        held_out = frames // every if every else 0
        if every and held_out < _FEW_HELD_OUT:
            many = "nothing" if held_out == 0 else f"{held_out} frame{'s' * (held_out > 1)} only"
            _LOG.warning(
                "--hold-out %d holds out %s of %d frames: quality is %s; a smaller number holds "
                "out more",
                every,
                many,
                frames,
                "not measured" if held_out == 0 else "measured on too little to say much",
            )

    def _is_for_training(self, index: int, frame: Frame) -> bool:
        """Note a frame; False if it is held out."""
        self._frames_read = index + 1
        self._first_ns = frame.stamp_ns if self._first_ns is None else self._first_ns
        self._last_ns = frame.stamp_ns
        if is_held_out(index, self._limits.hold_out):
            self._held_out.append(frame)
            return False
        if index % max(self._expected_frames() // 4, 1) == 0:
            self._shown.append(frame)
        self._onlooker.on_frame(frame)
        return True

    @property
    def _end_s(self) -> float:
        """When training has to end."""
        seconds = self._limits.seconds
        return math.inf if seconds is None else self._began_s + seconds

    def _leave_rest(self, index: int) -> None:
        """Count the frames from one on as dropped, for whom there is no time."""
        # At least the one that was read, whatever length was expected.
        left = max(1, self._expected_frames() - index)
        self._unread["time_over"] = left
        _LOG.warning(
            "--seconds %g is too short to read all: the last %d frames are dropped",
            self._limits.seconds,
            left,
        )

    def drops(self) -> dict[str, int]:
        """Return how many frames were not used, by reason."""
        of_pipeline = {"too late": self._pipeline.counters["frames_dropped"]}
        return dict(self._source.dropped) | of_pipeline

    def stay(self) -> None:
        """Answer requests, without training, until an interrupt comes."""
        self.beside.pause()
        self.beside.turn(self._pipeline, lambda: None)

    def why_no_surface(self) -> str:
        """Return why the run has ended without any surface that was measured; else nothing."""
        has_surface = len(self._reconstructor.current_mesh().triangles) > 0
        if has_surface and not self._pipeline.depth_range.is_all_cut:
            return ""
        check = self._pipeline.input_check
        verdict = None if check is None else check.verdict
        if verdict is None or verdict.result != "contradicts":
            return why_no_surface(self._pipeline)
        return why_no_surface(self._pipeline, verdict.message)

    def _judge_input(self) -> None:
        """Wait for the checks of the input, and end a strict run that they speak against."""
        check = self._pipeline.input_check
        self._pipeline.depth_range.finish()
        verdict = check.finish() if check is not None else None
        wrong = [self._pipeline.depth_range.sentence]
        if verdict is not None and verdict.result == "contradicts":
            wrong.append(verdict.message)
        if self._limits.strict and any(wrong):
            raise SourceError(f"{' '.join(filter(None, wrong))} (--strict)")

    def _agreement(self) -> dict[str, Any] | None:
        check = self._pipeline.input_check
        if check is None or check.verdict is None:
            return None
        return check.verdict.as_json()

    def _expected_frames(self) -> int:
        count = frame_count(self._source)
        return _UNKNOWN_FRAMES if count is None else max(count, 1)

    def _refine(self) -> None:
        limits = self._limits
        if not self._trains:
            # Time to train runs neither while pictures are read nor while a GPU's step compiles.
            if limits.seconds:
                self._reconstructor.start()
                # Captures or compiles, which is not training.
                self._reconstructor.step()
            self._began_training_s = self._pipeline.now_s()
        until_s = None if limits.seconds is None else self._began_training_s + limits.seconds
        steps = None
        if limits.steps is not None:
            steps = max(0, limits.steps - (self._reconstructor.steps - self._steps_before))
        self._pipeline.finish(steps, until_s, self._note_refinement)

    def _note_refinement(self, share: float) -> None:
        if share < 1.0:
            self._note_progress("refining", share)
        else:
            self._tell("meshing", 0.0)

    def _note_progress(self, phase: str, share: float) -> None:
        reports = self._sink.reports
        if len(reports) > len(self._curve):
            wall_s, report = reports[-1]
            self._curve.append(self._point(wall_s, report) | self._quick_figures(phase, share))
        if phase == "refining":
            self.beside.show_mesh(self._pipeline)
        self._tell(phase, share)

    def _tell(self, phase: str, share: float) -> None:
        """Tell the progress, and give others their turn."""

        def tell() -> None:
            reports = self._sink.reports
            self._on_progress(phase, share, reports[-1][1] if reports else None)

        tell()
        self.beside.turn(self._pipeline, tell)

    def _point(self, wall_s: float, report: StepReport) -> dict[str, Any]:
        return {
            "stream_s": (report.stamp_ns - (self._first_ns or 0)) / 1e9,
            "wall_s": wall_s - self._began_s,
            "step": report.step,
            **report.losses,
        }

    def _quick_figures(self, phase: str, share: float) -> dict[str, Any]:
        """Quality at each quarter of a phase; none where it would cost training."""
        limits, on_cpu = self._limits, self._reconstructor.device.type == "cpu"
        if (
            not self._held_out
            or limits.real_time
            # On a CPU a view takes seconds, which would be missing from those that were asked for.
            or (limits.seconds and on_cpu)
            or share < self._next_quick.get(phase, 0.0)
        ):
            return {}
        self._next_quick[phase] = share + _QUICK_SHARE
        # Spread over the run, as frames in a row show the same.
        some = self._held_out[:: max(1, len(self._held_out) // _QUICK_FRAMES)][:_QUICK_FRAMES]
        views = [compare_view(self._reconstructor, frame, _QUICK_WIDTH_PX) for frame in some]
        return mean_figures(views)

    def _compared_views(self) -> tuple[list[ComparedView], Exception | None]:
        """Compare frames with their views, and return why not all of them could be."""
        if not self._reconstructor.is_ready:
            return [], None
        width_px = FULL_WIDTH_PX[self._reconstructor.device.type]
        frames = self._held_out or self._shown
        # Spread over the run, as frames in a row show the same.
        some = frames[:: max(1, len(frames) // _FULL_FRAMES)][:_FULL_FRAMES]
        # Views that measure nothing may take no longer than the training did.
        limit_s = math.inf if self._held_out else self._limits.seconds or math.inf
        views: list[ComparedView] = []
        began_s = self._clock.now_s()
        for index, frame in enumerate(some):
            if views and self._clock.now_s() - began_s > limit_s:
                break
            self._on_progress("measuring", index / len(some), None)
            try:
                views.append(compare_view(self._reconstructor, frame, width_px))
            except Exception as error:
                # Whatever it is, it must not cost what was trained.
                return views, error
        return views, None

    def _report(self, held_out: dict[str, Any]) -> dict[str, Any]:
        pipeline, reconstructor = self._pipeline, self._reconstructor
        reports = [report for _, report in self._sink.reports]
        staleness = np.array(pipeline.staleness_ms or [np.nan])
        mesh = reconstructor.current_mesh()
        left_out = self._source.dropped + self._unread
        dropped = pipeline.counters["frames_dropped"] + left_out.total()
        reasons = Counter({k: n for k, n in pipeline.counters.items() if k not in FRAMES})
        last = reports[-1]
        # Reports without a sample, as before the first step, say nothing of training.
        busy = [r for r in reports if r.samples_per_second > 0] or [last]
        return {
            "frames_in": pipeline.counters["frames_in"] + left_out.total(),
            "frames_used": pipeline.counters["frames_used"],
            "frames_dropped": dropped,
            "frames_held_out": len(self._held_out),
            "dropped": dict(left_out + reasons),
            "counters": last.counters,
            "keyframes": last.keyframes,
            "steps": reconstructor.steps,
            "steps_before": self._steps_before,
            "samples_per_second": float(np.median([r.samples_per_second for r in busy])),
            "rays_per_second": float(np.median([r.rays_per_second for r in busy])),
            "stream_s": (self._last_ns - (self._first_ns or 0)) / 1e9,
            "staleness_ms": {
                "p50": float(np.percentile(staleness, 50)),
                "p95": float(np.percentile(staleness, 95)),
            },
            "mesh": {
                "vertices": len(mesh.vertices),
                "triangles": len(mesh.triangles),
                "updates": self._sink.mesh_updates,
                "voxel_size_m": reconstructor.config.meshing.voxel_size_m,
            },
            "memory": last.memory_mb,
            "held_out": held_out,
            "input": source_description(self._source),
            "chosen": {"kind": self._chosen.kind, "settings": self._chosen.settings},
            "input_agreement": self._agreement(),
            "depth_range": pipeline.depth_range.as_json(),
            "curve": self._curve,
            "versions": versions(),
            "device": device_name(reconstructor.device),
        }


def _name(frame: Frame) -> str:
    return f"{frame.stamp_ns:019d}"
