# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How the parts of the node are, for /diagnostics."""

import statistics
import time
from collections.abc import Callable, Sequence

from ineus_core.types import StepReport
from ineus_ros.engine import Engine
from ineus_ros.inputs import Inputs
from ineus_ros.outputs import MeshPublisher, PartStatus, Rate

_CLOCKS_DIFFER_MS = 3.6e6
STALLED_S = 5.0
"""Longest time without a step, while frames wait, that is no reason to worry."""


class Health:
    """Watches inputs, training and mesh.

    Args:
        others: Give the status of parts that watch themselves.
        now_s: The clock by which training is seen to stand still.
    """

    def __init__(
        self,
        inputs: Inputs,
        engine: Engine,
        device: str,
        others: Sequence[Callable[[], PartStatus]] = (),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count."""
        self._others = others
        self._inputs = inputs
        self._engine = engine
        self._device = device
        self._colour_rate, self._frame_rate, self._step_rate = Rate(), Rate(), Rate()
        self._drops_before = 0
        self._stall = Stall(now_s)

    def parts(self) -> list[PartStatus]:
        """Return the status of each part; rates are since the last call."""
        ours = [self._input_status(), self._agreement_status(), self._depth_range_status()]
        ours += [self._training_status(), self._mesh_status()]
        return ours + [status() for status in self._others]

    def _input_status(self) -> PartStatus:
        inputs = self._inputs
        counts = inputs.counters
        lost = {f"{name}_lost": counter.count for name, counter in inputs.losses.items()}
        drops = inputs.drops.snapshot()
        dropped = sum(drops.values()) + sum(lost.values())
        # The sums are among the values; a warning is for what has happened since the last status.
        new_drops, self._drops_before = dropped - self._drops_before, dropped
        # By what was received, not by what became a frame: a camera that sends nothing is another
        # trouble than images that are dropped.
        rate_hz = self._colour_rate.per_second(counts["color_received"])
        level, message = "ok", f"{rate_hz:.1f} images/s"
        if not inputs.is_active:
            message = "paused or not active"
        elif not rate_hz:
            level, message = "warning", "no images on color/image"
        elif new_drops:
            level, message = (
                "warning",
                f"{new_drops} messages lost or dropped since the last status",
            )
        values: dict[str, object] = {
            "color_rate_hz": rate_hz,
            "frame_rate_hz": self._frame_rate.per_second(counts["frames"]),
            "uses_depth": {True: "yes", False: "no", None: "not known yet"}[inputs.uses_depth],
            "world_frame": inputs.world_frame,
            "frames_waiting": inputs.waiting,
            "frames_dropped": inputs.frames_dropped,
        }
        values |= dict(sorted(counts.items())) | lost
        values |= {f"dropped.{name}": n for name, n in drops.items()}
        return PartStatus("input", level, message, values)

    def _agreement_status(self) -> PartStatus:
        verdict = self._engine.agreement()
        if verdict is None:
            return PartStatus(
                "input: agreement", "ok", "not known yet", {"result": "not known yet"}
            )
        level = "warning" if verdict.result == "contradicts" else "ok"
        values = {"result": verdict.result, "hypothesis": verdict.hypothesis or "none"}
        values |= {key: str(value) for key, value in verdict.figures.items()}
        return PartStatus("input: agreement", level, verdict.message, values)

    def _depth_range_status(self) -> PartStatus:
        sentence = self._engine.depth_range()
        level = "warning" if sentence else "ok"
        return PartStatus("input: depth range", level, sentence or "nothing is amiss", {})

    def _training_status(self) -> PartStatus:
        worker, report = self._engine.worker, self._engine.report
        values: dict[str, object] = {"device": self._device}
        counters = self._engine.counters()
        values |= {f"pipeline.{name}": count for name, count in counters.items()}
        values["pipeline.frames_waiting"] = worker.frames_waiting
        values["pipeline.requests_waiting"] = worker.requests_waiting
        # Without frames in the queue a still worker is one that has nothing to do.
        is_due = bool(worker.frames_waiting) and not worker.paused
        stalled_s = self._stall.seconds(worker.ticks, is_due)
        # First, as nothing else that training says is true any more.
        if worker.error is not None:
            message = f"the worker died: {worker.error!r}; ~/reset begins anew"
            return PartStatus("training", "error", message, values)
        if report is not None:
            steps_hz = self._step_rate.per_second(report.step)
            values |= _of_report(report) | {"steps_per_second": steps_hz}
        # Also before the first report, as it may be the first step that does not come.
        if stalled_s > STALLED_S:
            message = f"no step for {stalled_s:.0f} s while {worker.frames_waiting} frames wait"
            return PartStatus("training", "warning", message, values)
        if report is None:
            return PartStatus("training", "ok", "waiting for the first frame", values)
        message = "paused" if worker.paused else f"step {report.step}, {steps_hz:.1f} steps/s"
        return PartStatus("training", "ok", message, values)

    def _mesh_status(self) -> PartStatus:
        mesh = self._engine.mesh
        values: dict[str, object] = {
            "triangles": mesh.triangles,
            "blocks": len(mesh.blocks()),
            "build_and_publish_ms": mesh.build_ms,
            **_percentiles("frame_to_mesh_ms", self._engine.staleness_ms()),
            **_staleness(mesh),
            **dict(mesh.counters),
        }
        return PartStatus("mesh", "ok", f"{values['triangles']} triangles", values)


class Stall:
    """Notices that a count stands still although it is due to grow."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin to watch."""
        self._now_s = now_s
        # No count that there can be, so that the first look finds a change.
        self._count = -1
        self._since_s = now_s()

    def seconds(self, count: int, is_due: bool) -> float:
        """Return for how long the count, seen now, has been due and has not grown."""
        # Standing still is no stall while nothing is due.
        if count != self._count or not is_due:
            self._count, self._since_s = count, self._now_s()
        return self._now_s() - self._since_s


def _of_report(report: StepReport) -> dict[str, object]:
    return {
        "step": report.step,
        "keyframes": report.keyframes,
        "inv_s": report.inv_s,
        "samples_per_second": report.samples_per_second,
        "rays_per_second": report.rays_per_second,
        **{f"loss.{name}": value for name, value in report.losses.items()},
        **report.memory_mb,
        **{f"training.{name}": count for name, count in report.counters.items()},
    }


def _staleness(mesh: MeshPublisher) -> dict[str, object]:
    """Return the times from sensor stamp to published mesh, unless the clocks differ."""
    stale_ms = list(mesh.staleness_ms)
    # Hours are no delay: a bag is played without its clock, or the camera has one of its own.
    if stale_ms and abs(stale_ms[-1]) > _CLOCKS_DIFFER_MS:
        return {"stamp_to_mesh_ms": "the stamps are of another clock than the node's"}
    return dict(_percentiles("stamp_to_mesh_ms", stale_ms))


def _percentiles(name: str, values: list[float]) -> dict[str, object]:
    if not values:
        return {}
    ranked = sorted(values)
    # By rank: a time that was measured, and not one between two.
    late = ranked[min(len(ranked) - 1, round(0.95 * (len(ranked) - 1)))]
    return {f"{name}.p50": statistics.median(ranked), f"{name}.p95": late}
