# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The loop, the same offline and online: take a frame, train, mesh and report at their rates."""

import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

from ineus_core.pipeline.config import PipelineConfig
from ineus_core.pipeline.depth_range import DepthRange
from ineus_core.pipeline.frame_counts import FrameCounts
from ineus_core.pipeline.input_check import BackgroundCheck
from ineus_core.pipeline.keyframe_queue import KeyframeQueue
from ineus_core.pipeline.keyframe_taker import TAKING_GPU_S, KeyframeTaker
from ineus_core.pipeline.period import Period
from ineus_core.pipeline.sink import Sink
from ineus_core.reconstruction import Reconstructor
from ineus_core.timing import InParts
from ineus_core.types import Frame, MeshUpdate

_MESHING_S, _MESHING_BY_TIME_S = 0.03, 0.5
"""How long a tick meshes on a GPU online, and how long one of a run by time."""
_GIVING_WAY_S = 0.004
"""How long a tick leaves the host to the thread that corrects keyframes, while others wait."""


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
        self._on_gpu = on_gpu = reconstructor.device.type == "cuda"
        if steps_per_tick is None:
            steps_per_tick = config.steps_per_tick or (8 if on_gpu else 2)
        self.steps_per_tick, self._refine_steps = steps_per_tick, config.refine_steps
        # Offline nobody waits for a mesh, and a run is over in a fraction of the stream's time.
        self._meshes = Period(config.mesh_rate_hz or (5.0 if on_gpu and is_live else 1.0))
        self._reports = Period(config.report_rate_hz)
        self._mesh_share, self._is_live = config.mesh_share, is_live
        if is_live:
            reconstructor.intake.limit_estimation(config.stereo_share, now_s)
        self._mesh_took_s = self._mesh_end_s = 0.0
        self._has_mesh_left = self._meshes_all = self._gave_way = False
        self._counts = FrameCounts(lambda: self.reconstructor.is_ready)
        self._queue = KeyframeQueue(round(1e6 * config.queue_mb))
        self._taker = KeyframeTaker(reconstructor.intake, self._queue, self._counts, now_s)
        self.staleness_ms: deque[float] = deque(maxlen=4096)
        """From the submission of the newest frame of a mesh update to that update."""
        self.input_check = BackgroundCheck() if config.check_input else None
        self.depth_range = DepthRange(reconstructor.config.depth)
        self.refined_s = 0.0
        """When training had ended, before the last mesh."""

    @property
    def counters(self) -> Counter[str]:
        """Of frames: that came in, were used, were dropped, and why."""
        return self._counts.counters

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
        self._counts.add("frames_in")
        # Before there is a decision: what is dropped tells the range of the depth as well.
        self.depth_range.add(frame)
        if not self._queue.has_room_for(frame):
            self._counts.drop("keyframes come faster than they are taken")
        elif self._counts.is_good(partial(self._taker.judge, frame)) and self.input_check:
            self.input_check.add(frame)

    def refuse(self) -> None:
        """Count a frame that comes when nothing takes frames any more, from any thread."""
        self._counts.add("frames_in")
        self._counts.add("frames_dropped")

    def clear(self) -> None:
        """Drop the frames that wait, from any thread."""
        self._counts.add("frames_dropped", self._queue.clear())

    @property
    def waiting(self) -> int:
        """Keyframes that wait until they are taken."""
        return self._taker.waiting

    @property
    def has_waiting(self) -> bool:
        """Whether there is anything to take, be it that frames came which are not needed."""
        return self._taker.has_waiting

    def take_frame(self) -> None:
        """Hand over the keyframe that has waited longest, and some of what came before it."""
        self._taker.take_one()

    def tick(self, now_ns: int) -> None:
        """Advance by one step budget, and at most one keyframe, or some if many wait online."""
        took_s = self._take()
        # Online, keyframes that wait go before training: it is to know them first.
        has_more = self._queue.keyframes > 0
        for _ in range(min(self.steps_per_tick, 1) if has_more else self.steps_per_tick):
            self.reconstructor.step()
        if has_more and self._taker.is_taking:
            # Both threads want the interpreter's lock, without which this one waits.
            self.reconstructor.intake.wait_for_correction(_GIVING_WAY_S)
        # One of both a tick, or what comes meanwhile waits for both; and each in its turn.
        is_long = self._is_live and self._on_gpu and took_s > TAKING_GPU_S
        self._gave_way = is_long and not self._gave_way
        if not self._gave_way:
            self._mesh_if_due(now_ns, keeps_share=self._is_live)
        self._report_if_due(now_ns)

    def _take(self) -> float:
        """Take what waits, as much as a tick takes; return how long it has taken."""
        if not self.corrects_beside:
            # Offline one a tick, so that a run repeats.
            return self._taker.take_some(many=self._is_live)
        return self._taker.take_beside() if self._is_live else self._taker.take_in_order()

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
        is_due = self._meshes.is_due(now_ns)
        if self._meshes_all or not (is_due or self._has_mesh_left):
            return
        if keeps_share and not self._has_share_left():
            return
        if is_due:
            self._meshes.begin(now_ns)
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
        if self._reports.is_due(report_ns):
            self._reports.begin(report_ns)
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
        while self.has_waiting and not self._is_over(until_s):
            self.take_frame()
            # Frames that still wait get the steps of frames that came in time.
            for _ in range(self.steps_per_tick):
                self.reconstructor.step()
        if self._taker.is_taking:
            self.take_frame()
        # For what still waits there is no time.
        self.clear()
        # Frames that wait for more of them wait for nothing now.
        self.reconstructor.start()
        self._refine(self.refine_steps if steps is None else steps, until_s, on_progress)
        self.refined_s = self._clock_s()
        on_progress(1.0)
        self.update_mesh(everything=True)
        self.sink.on_report(self.reconstructor.report())

    def _is_over(self, until_s: float | None) -> bool:
        # Without a map there is nothing to show for the time.
        return until_s is not None and self.reconstructor.is_ready and self.now_s() >= until_s

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
            if self._reports.rate_hz and now_s - last_report_s >= 1.0 / self._reports.rate_hz:
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
        if self._taker.submitted_s is not None:
            self.staleness_ms.append(1e3 * (self._clock_s() - self._taker.submitted_s))
            self._taker.submitted_s = None

    def look_anew(self) -> None:
        """Look at the input as if no frame had come."""
        self.depth_range = DepthRange(self.reconstructor.config.depth)
        if self.input_check is not None:
            self.input_check.restart()
