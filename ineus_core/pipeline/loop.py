# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The loop, the same offline and online: take a frame, train, mesh and report at their rates."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ClassVar, Protocol

from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import CapacityError, SourceError
from ineus_core.pipeline.depth_range import DepthRange
from ineus_core.pipeline.input_check import BackgroundCheck
from ineus_core.pipeline.keyframe_queue import KeyframeQueue, WaitingFrame
from ineus_core.reconstruction import Reconstructor
from ineus_core.timing import InParts
from ineus_core.types import Frame, MeshUpdate, StepReport

_LOG = logging.getLogger(__name__)
_MOST_REASONS = 64
_MESHING_S, _MESHING_BY_TIME_S = 0.03, 0.5
"""How long a tick meshes on a GPU online, and how long one of a run by time."""
_PASSED_AT_ONCE = 4
"""Frames between keyframes, of which only what they show is taken in, before one of those."""
_TAKING_GPU_S, _TAKING_CPU_S = 0.025, 0.4
"""How long a tick takes more than one keyframe, of many that wait online."""
_BRIEF_S = 0.005
"""How long taking keyframes may have taken in a tick that goes on with estimates of depth."""
_GIVING_WAY_S = 0.004
"""How long a tick leaves the host to the thread that corrects keyframes, while others wait."""
_STORED_AFTER = 8
"""Ticks after which a keyframe of an offline run is stored that another thread corrects."""


class PipelineConfig(ConfigModel):
    """Budget and rates of the loop."""

    renamed: ClassVar = {"settle_steps": "refine_steps"}
    # A number of frames tells no memory before their size is known.
    retired: ClassVar = {"queue_frames": "pipeline.queue_mb bounds the keyframes that wait"}

    steps_per_tick: int = Field(0, ge=0, description="Optimiser steps of a tick; 0 = by device.")
    queue_mb: float = Field(
        1024,
        gt=0,
        description="Memory of keyframes that wait until they are taken, in MB; frames that come "
        "while it is full are dropped.",
    )
    mesh_rate_hz: float = Field(
        0.0,
        ge=0,
        description="Mesh updates a second of stream time; 0 = 5 online with a GPU, else 1.",
    )
    mesh_share: float = Field(
        0.3, gt=0, le=1, description="Share of the wall time that meshing may take online."
    )
    stereo_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the wall time that depth from motion may take online; keyframes "
        "that come too soon for it are left out.",
    )
    check_input: bool = Field(
        True, description="Whether some frames are checked against each other, once."
    )
    choose_settings: bool = Field(
        True,
        description="Whether settings that nobody has given follow what pictures without depth "
        "show, such as an object whose outline is known, in an offline run.",
    )
    report_rate_hz: float = Field(
        1.0, ge=0, description="Reports a second, of stream time in an offline run; 0 = none."
    )
    refine_steps: int = Field(
        -1,
        ge=-1,
        description="Steps after the last frame of an offline run, rates falling; -1 = by device; "
        "without a sensor, where all are taken there, three times as many with estimated depth, "
        "ten times with none.",
    )


class Sink(Protocol):
    """What takes the results."""

    def on_mesh(self, update: MeshUpdate) -> None:
        """Take what changed of the mesh."""

    def on_report(self, report: StepReport) -> None:
        """Take the progress."""


class NullSink:
    """Takes results and does nothing with them."""

    def on_mesh(self, update: MeshUpdate) -> None:
        """Ignore."""

    def on_report(self, report: StepReport) -> None:
        """Ignore."""


class Pipeline:
    """Drives a reconstructor; owned by one thread.

    Args:
        reconstructor: What is driven.
        sink: Where results go.
        config: Budget and rates.
        is_live: Ticks come by the wall clock, so that meshing has to leave time for frames.
        steps_per_tick: Instead of the configured number, which it may go below: 0 is none.
        now_s: The clock that meshing, reports and training by time go by.
    """

    def __init__(
        self,
        reconstructor: Reconstructor,
        sink: Sink,
        config: PipelineConfig,
        *,
        is_live: bool = False,
        steps_per_tick: int | None = None,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Start with an empty queue."""
        self.reconstructor, self.sink, self._clock_s = reconstructor, sink, now_s
        on_gpu = reconstructor.device.type == "cuda"
        if steps_per_tick is None:
            steps_per_tick = config.steps_per_tick or (8 if on_gpu else 2)
        self.steps_per_tick = steps_per_tick
        self._refine_steps = config.refine_steps
        self._on_gpu = on_gpu
        # Offline nobody waits for a mesh, and a run is over in a fraction of the stream's time.
        self._mesh_rate_hz = config.mesh_rate_hz or (5.0 if on_gpu and is_live else 1.0)
        self._report_rate_hz = config.report_rate_hz
        self._mesh_share = config.mesh_share
        self._is_live = is_live
        if is_live:
            reconstructor.intake.limit_estimation(config.stereo_share, now_s)
        self._mesh_took_s = self._mesh_end_s = 0.0
        self._has_mesh_left = self._meshes_all = self._gave_way = False
        self._queue = KeyframeQueue(round(1e6 * config.queue_mb))
        # Frames are counted on other threads than the one that ticks.
        self._lock = threading.Lock()
        self.counters: Counter[str] = Counter(frames_in=0, frames_used=0, frames_dropped=0)
        self.staleness_ms: deque[float] = deque(maxlen=4096)
        """From the submission of the newest frame of a mesh update to that update."""
        self.input_check = BackgroundCheck() if config.check_input else None
        self.depth_range = DepthRange(reconstructor.config.depth)
        self.refined_s = 0.0
        """When training had ended, before the last mesh."""
        self._submitted_s: float | None = None
        # A keyframe that is being corrected on another thread.
        self._taking: tuple[Future[bool], WaitingFrame] | None = None
        self._ticks_taking = 0
        self._last_mesh_ns: int | None = None
        self._last_report_ns: int | None = None

    @property
    def corrects_beside(self) -> bool:
        """Whether another thread corrects keyframes, while the device trains."""
        # On a CPU the device is the host.
        return self._on_gpu

    @property
    def refine_steps(self) -> int:
        """Steps after the last frame of an offline run."""
        if self._refine_steps >= 0:
            return self._refine_steps
        # A GPU takes them in a second, a CPU in half a minute.
        alone = 1000 if self._on_gpu else 500
        if not self.reconstructor.has_depth:
            return 10 * alone
        return alone if self.reconstructor.is_measured else 3 * alone

    def submit(self, frame: Frame) -> None:
        """Judge a frame, and let it wait if it is needed as a keyframe; the device is not asked.

        From any thread, one frame after the other. A frame for which there is no room is dropped
        before it is judged: its view is then still missing when there is room again.
        """
        self._count("frames_in")
        # Before there is a decision: what is dropped tells the range of the depth as well.
        self.depth_range.add(frame)
        if not self._queue.has_room_for(frame):
            self._drop("keyframes come faster than they are taken")
        elif self._is_good(partial(self._judge, frame)) and self.input_check is not None:
            self.input_check.add(frame)

    def _judge(self, frame: Frame) -> None:
        submitted_s = self._clock_s()
        judged = self.reconstructor.intake.judge(frame)
        if judged.frame is None:
            self._count("frames_used")
        self._queue.put(WaitingFrame(judged, submitted_s))

    @property
    def waiting(self) -> int:
        """Keyframes that wait until they are taken."""
        return self._queue.keyframes + (self._taking is not None)

    @property
    def has_waiting(self) -> bool:
        """Whether there is anything to take, be it that frames came which are not needed."""
        return len(self._queue) > 0 or self._taking is not None

    def tick(self, now_ns: int) -> None:
        """Advance by one step budget, and at most one keyframe, or some if many wait online."""
        took_s = self._take()
        # Online, keyframes that wait go before training: it is to know them first.
        has_more = self._queue.keyframes > 0
        for _ in range(min(self.steps_per_tick, 1) if has_more else self.steps_per_tick):
            self.reconstructor.step()
        if has_more and self._taking is not None:
            # Both threads want the interpreter's lock, without which this one waits.
            self.reconstructor.intake.wait_for_correction(_GIVING_WAY_S)
        # One of both a tick, or what comes meanwhile waits for both; and each in its turn.
        is_long = self._is_live and self._on_gpu and took_s > _TAKING_GPU_S
        self._gave_way = is_long and not self._gave_way
        if not self._gave_way:
            self._mesh_if_due(now_ns, keeps_share=self._is_live)
        self._report_if_due(now_ns)

    def _take(self) -> float:
        """Take what waits, as much as a tick takes; return how long it has taken."""
        if not self.corrects_beside:
            return self._take_waiting()
        return self._go_on_taking() if self._is_live else self._take_in_order()

    def _take_in_order(self) -> float:
        """Store a keyframe of an offline run at a tick that is always the same; begin the next."""
        begin_s = self._clock_s()
        self._ticks_taking += 1
        is_time = self._queue.keyframes > 0 or self._ticks_taking >= _STORED_AFTER
        if self._taking is not None and is_time:
            self._end_taking()
        waiting = self._next_keyframe() if self._taking is None else None
        if waiting is not None:
            self._ticks_taking = 0
            self._is_good(partial(self._begin_taking, waiting))
        return self._clock_s() - begin_s

    def _take_waiting(self) -> float:
        """Take a keyframe; online a share of those that wait. Return how long it has taken."""
        begin_s = self._clock_s()
        # Offline one a tick, so that a run repeats.
        for _ in range(1 + self.waiting // 4 if self._is_live else 1):
            self.take_frame()
            took_s = self._clock_s() - begin_s
            # The next one will need as long as the first.
            if 2 * took_s >= _TAKING_CPU_S:
                break
        return took_s

    def _go_on_taking(self) -> float:
        """Store the keyframe that is corrected by now, and begin with the next one."""
        begin_s = self._clock_s()
        while not self.reconstructor.intake.is_correcting:
            if self._taking is not None:
                self._end_taking()
            waiting = self._next_keyframe()
            if waiting is None:
                break
            self._is_good(partial(self._begin_taking, waiting))
            if self._clock_s() - begin_s >= _TAKING_GPU_S:
                break
        if self._clock_s() - begin_s < _BRIEF_S:
            # One part a tick, as each takes as long as some steps.
            self._is_good(self.reconstructor.intake.go_on_estimating)
        return self._clock_s() - begin_s

    def _begin_taking(self, waiting: WaitingFrame) -> None:
        others_wait = self._queue.keyframes > 0
        self._taking = self.reconstructor.intake.begin_taking(waiting.judged, others_wait), waiting

    def _end_taking(self) -> None:
        assert self._taking is not None
        (taking, waiting), self._taking = self._taking, None
        self._note_taken(
            waiting, self._is_good(partial(self.reconstructor.intake.end_taking, taking))
        )

    def tick_until(self, now_ns: int, due_s: float, end_s: float) -> None:
        """Advance by at most one frame, and train until it is time for the next one.

        A frame that comes late gets no step.

        Args:
            due_s: When the next frame is to be taken.
            end_s: When training has to end: no mesh is begun that would take longer.
        """
        self._take()
        if self.now_s() + self._mesh_took_s < end_s:
            self._mesh_if_due(now_ns, keeps_share=True, within_s=_MESHING_BY_TIME_S)
        self._report_if_due(now_ns)
        # Without a keyframe there is nothing to train, and the frame after this one is not to
        # wait.
        while self.reconstructor.is_ready and self.now_s() < due_s:
            self.reconstructor.step()

    def _mesh_if_due(self, now_ns: int, keeps_share: bool, within_s: float | None = None) -> None:
        """Mesh at the configured rate.

        Args:
            keeps_share: Only if meshing has had less than its share of the time. Else a run
                repeats.
            within_s: Time that it may take; what is left over is dirty still.
        """
        is_due = self._is_due(now_ns, self._last_mesh_ns, self._mesh_rate_hz)
        if self._meshes_all or not (is_due or self._has_mesh_left):
            return
        if keeps_share and not self._has_share_left():
            return
        if is_due:
            self._last_mesh_ns = _begin_of_period(now_ns, self._last_mesh_ns, self._mesh_rate_hz)
        begin_s = self._clock_s()
        if self._is_live and self._on_gpu:
            self._mesh_a_slice()
        else:
            self.update_mesh(within_s=within_s)
        self._mesh_end_s = self._clock_s()
        self._mesh_took_s = self._mesh_end_s - begin_s

    def _mesh_a_slice(self) -> None:
        """Mesh for some milliseconds; what is left over is meshed by the ticks that follow."""
        # On a CPU it would hold up frames for many seconds; there the mesh waits for a pause.
        self.reconstructor.revisit_surface(0.5 * _MESHING_S)
        self.update_mesh(within_s=0.5 * _MESHING_S)
        self._has_mesh_left = self.reconstructor.has_mesh_left

    def _report_if_due(self, now_ns: int) -> None:
        # The clock of a bag stands still at its end, while training goes on.
        report_ns = round(1e9 * self._clock_s()) if self._is_live else now_ns
        if self._is_due(report_ns, self._last_report_ns, self._report_rate_hz):
            last_ns, rate_hz = self._last_report_ns, self._report_rate_hz
            self._last_report_ns = _begin_of_period(report_ns, last_ns, rate_hz)
            self.sink.on_report(self.reconstructor.report())

    def _has_share_left(self) -> bool:
        """Decide whether meshing has had less than its share of the time."""
        # Counted from what the last one took: a mesh grows with the map.
        rest_s = self._mesh_took_s * (1.0 / self._mesh_share - 1.0)
        return self._clock_s() - self._mesh_end_s >= rest_s

    def finish(
        self,
        steps: int | None = None,
        until_s: float | None = None,
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Take what still waits, refine the field, and hand over the whole mesh.

        Args:
            steps: Instead of the configured number.
            until_s: Refine until this moment of the clock instead.
            on_progress: Called with the share of the refinement that is done; 1 before the mesh is
                made, which takes a while.
        """
        while self.has_waiting:
            self.take_frame()
            # Frames that still wait get the steps of frames that came in time.
            for _ in range(self.steps_per_tick):
                self.reconstructor.step()
        # Frames that wait for more of them wait for nothing now.
        self.reconstructor.start()
        self._refine(self.refine_steps if steps is None else steps, until_s, on_progress)
        self.refined_s = self._clock_s()
        on_progress(1.0)
        self.update_mesh(everything=True)
        self.sink.on_report(self.reconstructor.report())

    def _refine(
        self, steps: int, until_s: float | None, on_progress: Callable[[float], None]
    ) -> None:
        begin_s = last_report_s = self.now_s()
        if until_s is not None and self.reconstructor.ranks is not None:
            # The first one's for all: who takes a step more would wait for gradients of nobody.
            until_s = self.reconstructor.ranks.broadcast(until_s)
        share, step = 0.0, 0
        while share < 1.0 and self.reconstructor.is_ready:
            now_s = self.now_s()
            if until_s is not None:
                share = min(1.0, (now_s - begin_s) / max(until_s - begin_s, 1e-9))
            else:
                share = step / steps if steps else 1.0
            if share >= 1.0:
                break
            self.reconstructor.refine(1.0 - share)
            self.reconstructor.step()
            step += 1
            if self._report_rate_hz and now_s - last_report_s >= 1.0 / self._report_rate_hz:
                last_report_s = now_s
                self.sink.on_report(self.reconstructor.report())
            on_progress(share)
        # Rates as they were, for whoever trains on.
        self.reconstructor.refine(1.0)

    def now_s(self) -> float:
        """Return the time, of several processes the first's, so that all take the same steps."""
        ranks = self.reconstructor.ranks
        return ranks.broadcast(self._clock_s()) if ranks is not None else self._clock_s()

    def update_mesh(self, everything: bool = False, within_s: float | None = None) -> None:
        """Extract what changed, or as much of it as there is time for, and hand it over."""
        if not self.reconstructor.is_ready:
            return
        self._hand_over(self.reconstructor.extract_mesh(everything, within_s))

    def update_mesh_in_parts(self) -> InParts[None]:
        """Extract all of the mesh and hand it over, with pauses in which the pipeline may tick.

        Meanwhile ticks do not mesh: of two blocks side by side one would be of another field.
        """
        if not self.reconstructor.is_ready:
            return
        self._meshes_all = True
        try:
            update = yield from self.reconstructor.extract_mesh_in_parts()
        finally:
            self._meshes_all = False
        self._hand_over(update)

    def _hand_over(self, update: MeshUpdate) -> None:
        if update.upserts or update.removed:
            self.sink.on_mesh(update)
        # Also where nothing has changed: the mesh knows of the frame all the same.
        if self._submitted_s is not None:
            self.staleness_ms.append(1e3 * (self._clock_s() - self._submitted_s))
            self._submitted_s = None

    def take_frame(self) -> None:
        """Hand over the keyframe that has waited longest, and some of what came before it."""
        if self._taking is not None:
            self._end_taking()
            return
        waiting = self._next_keyframe()
        if waiting is not None:
            is_taken = self._is_good(partial(self.reconstructor.intake.take, waiting.judged))
            self._note_taken(waiting, is_taken)

    def _next_keyframe(self) -> WaitingFrame | None:
        """Return the keyframe that has waited longest; take in some of what came before it."""
        passed = 0
        while passed < _PASSED_AT_ONCE and (waiting := self._queue.pop()) is not None:
            judged = waiting.judged
            if judged.frame is not None:
                return waiting
            passed += judged.passing is not None
            # They were counted when they came.
            if self._is_good(partial(self.reconstructor.intake.take, judged)):
                self._submitted_s = waiting.submitted_s
        return None

    def _note_taken(self, waiting: WaitingFrame, is_taken: bool) -> None:
        if is_taken:
            self._submitted_s = waiting.submitted_s
        self._count("frames_used", int(is_taken))

    def _is_good(self, work: Callable[[], object]) -> bool:
        """Do something with a frame; one that it fails with is dropped and counted."""
        try:
            work()
        except (SourceError, CapacityError) as error:
            # What cannot even begin, as with too little memory, is not the fault of a frame.
            if isinstance(error, CapacityError) and not self.reconstructor.is_ready:
                raise
            # Cut off, as a reason becomes the name of a counter.
            self._drop(f"refused: {error}"[:80])
            return False
        # No frame ends the loop, also for a reason that nobody has thought of.
        except Exception as error:
            if self._drop(f"failed: {type(error).__name__}: {error}"[:80]):
                _LOG.exception("a frame is dropped; others like it are only counted")
            return False
        return True

    def refuse(self) -> None:
        """Count a frame that comes when nothing takes frames any more, from any thread."""
        self._count("frames_in")
        self._count("frames_dropped")

    def look_anew(self) -> None:
        """Look at the input as if no frame had come."""
        self.depth_range = DepthRange(self.reconstructor.config.depth)
        if self.input_check is not None:
            self.input_check.restart()

    def clear(self) -> None:
        """Drop the frames that wait, from any thread."""
        self._count("frames_dropped", self._queue.clear())

    def _count(self, name: str, frames: int = 1) -> None:
        with self._lock:
            self.counters[name] += frames

    def _drop(self, reason: str) -> bool:
        """Count a frame that is not used; True if it is the first for this reason."""
        with self._lock:
            self.counters["frames_dropped"] += 1
            # Reasons may name numbers of their frames: only so many are told apart.
            if reason not in self.counters and len(self.counters) >= _MOST_REASONS:
                reason = "refused: for other reasons"
            self.counters[reason] += 1
            return self.counters[reason] == 1

    @staticmethod
    def _is_due(now_ns: int, last_ns: int | None, rate_hz: float) -> bool:
        if rate_hz == 0:
            return False
        # A clock that jumped back starts a new period.
        return last_ns is None or now_ns < last_ns or now_ns - last_ns >= 1e9 / rate_hz


def _begin_of_period(now_ns: int, last_ns: int | None, rate_hz: float) -> int:
    """Return when the present period began: whole periods after the last one.

    Counted from a tick instead, which always comes a little late, the periods would be longer.
    """
    if last_ns is None or now_ns < last_ns:
        return now_ns
    period_ns = 1e9 / rate_hz
    return last_ns + int((now_ns - last_ns) // period_ns * period_ns)
