# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's stream from its first frame on: what is lost, how long ticks take, what compiles.

Frames of the built-in room are rendered beforehand. Kernels are compiled, or loaded, ahead as the
node does in `configure`; with an empty TRITON_CACHE_DIR that is the first start on a machine. Then
frames are handed over by the wall clock: once with depth, and if asked for once without.

Run: python benchmarks/first_seconds.py [--seconds S] [--rate-hz R] [--colour-too] [--not-ahead]
     [--holes SHARE] [--set KEY=VALUE ...]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numba.core.caching import Cache
from rgbd_room import rendered_frames

from ineus_core.config import Config, load_config
from ineus_core.pipeline import Pipeline, Worker
from ineus_core.reconstruction import Reconstructor, compile_cpu_kernels_ahead, warm_up
from ineus_core.sources import SyntheticConfig
from ineus_core.types import Frame, MeshUpdate, StepReport

_LONG_S = 0.05
_PARTS = ("_take", "_mesh_a_slice", "_report_if_due")


class Compilations:
    """Notes when each kernel was compiled or loaded, by name: of Triton, and of numba."""

    def __init__(self) -> None:
        """Listen."""
        import triton

        self.found: list[tuple[float, str]] = []
        triton.knobs.runtime.jit_post_compile_hook = self._note
        _load, found = Cache.load_overload, self.found

        def load_overload(cache: Any, *arguments: Any) -> Any:
            # Asked before each compilation as well, when nothing is found.
            found.append((time.monotonic(), str(cache._name)))
            return _load(cache, *arguments)

        Cache.load_overload = load_overload

    def _note(self, *, fn: Any, **_: Any) -> None:
        self.found.append((time.monotonic(), fn.name))


class Listener:
    """Notes when meshes with triangles come, and how old they are."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.came_s: list[float] = []
        self.ages_ms: list[float] = []

    def on_mesh(self, update: MeshUpdate) -> None:
        """Note it."""
        self.came_s.append(time.monotonic())
        self.ages_ms.append((time.monotonic_ns() - update.stamp_ns) / 1e6)

    def on_report(self, report: StepReport) -> None:
        """Ignore."""


class TimedPipeline(Pipeline):
    """Notes the time of each tick and of its parts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin without a tick."""
        super().__init__(*args, **kwargs)
        self.ticks: list[tuple[float, float, dict[str, float]]] = []
        self._parts: dict[str, float] = {}
        for name in _PARTS:
            setattr(self, name, self._timed(name, getattr(self, name)))

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._part(name):
                return function(*args, **kwargs)

        return timed

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self._parts[name] = self._parts.get(name, 0.0) + time.monotonic() - begin

    def tick(self, now_ns: int) -> None:
        """Advance and note."""
        self._parts = {}
        begin = time.monotonic()
        super().tick(now_ns)
        self.ticks.append((begin, time.monotonic() - begin, self._parts))


def stream(
    reconstructor: Reconstructor, frames: list[Frame], rate_hz: float, compiled: Compilations
) -> dict[str, Any]:
    """Hand frames over by the wall clock, and say how it went."""
    listener = Listener()
    pipeline = TimedPipeline(reconstructor, listener, Config().pipeline, is_live=True)
    worker = Worker(pipeline, time.monotonic_ns)
    worker.start()
    compiled.found.clear()
    begin_s, judged_ms, most_waiting = time.monotonic(), [], 0
    for index, frame in enumerate(frames):
        time.sleep(max(0.0, begin_s + index / rate_hz - time.monotonic()))
        came_s = time.monotonic()
        worker.submit(replace(frame, stamp_ns=time.monotonic_ns()))
        judged_ms.append(1e3 * (time.monotonic() - came_s))
        most_waiting = max(most_waiting, worker.frames_waiting)
    worker.call(lambda p: p.reconstructor.steps).result(120)
    worker.stop(20)
    assert worker.error is None, worker.error
    late = [t for t in pipeline.ticks if t[0] - begin_s > 1.0]
    long = [
        {"at_s": t[0] - begin_s, "ms": 1e3 * t[1], **{k: 1e3 * v for k, v in t[2].items()}}
        for t in pipeline.ticks
        if t[1] > _LONG_S
    ]
    ages = np.array(listener.ages_ms)[[s - begin_s > 1.0 for s in listener.came_s]]
    return {
        "frames": len(frames),
        "counters": dict(pipeline.counters),
        "map": dict(reconstructor.counters),
        "steps": reconstructor.steps,
        "first_tick_ms": 1e3 * pipeline.ticks[0][1],
        "first_mesh_s": listener.came_s[0] - begin_s if listener.came_s else None,
        "meshes": len(listener.came_s),
        "stamp_to_mesh_ms_p50_p95_max": np.percentile(ages, (50, 95, 100)).tolist(),
        "tick_ms_p50_p99_max_after_1_s": (
            1e3 * np.percentile([t[1] for t in late], (50, 99, 100))
        ).tolist(),
        "ticks_over_50_ms_after_1_s": sum(t[1] > _LONG_S for t in late),
        "long_ticks": long[:40],
        "compiled": [(round(s - begin_s, 2), name) for s, name in compiled.found],
        "judge_ms_p50_max": np.percentile(judged_ms, (50, 100)).tolist(),
        "most_keyframes_waiting": most_waiting,
        "peak_gpu_mb": torch.cuda.max_memory_allocated() / 1e6,
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate-hz", type=float, default=30.0)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--holes", type=float, default=0.0, help="share of the depth")
    parser.add_argument("--colour-too", action="store_true")
    parser.add_argument("--not-ahead", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    arguments = parser.parse_args()
    scene = SyntheticConfig(
        frames=round(arguments.seconds * arguments.rate_hz),
        width_px=arguments.width_px,
        height_px=arguments.width_px * 3 // 4,
        noise=1.0,
        holes=arguments.holes,
    )
    frames = rendered_frames(scene)
    compiled = Compilations()
    config, device = load_config(overrides=arguments.set), torch.device("cuda")
    begin_s, kernels = time.monotonic(), 0
    if not arguments.not_ahead:
        compile_cpu_kernels_ahead(config, device)
        kernels = warm_up(config, device)
    figures = {"kernels_compiled_ahead": kernels, "ahead_s": time.monotonic() - begin_s}
    print(json.dumps({"device": torch.cuda.get_device_name(), **figures}), flush=True)
    for with_depth in (True, False) if arguments.colour_too else (True,):
        given = frames if with_depth else [replace(frame, depth_m=None) for frame in frames]
        reconstructor = Reconstructor(config, device)
        figures = stream(reconstructor, given, arguments.rate_hz, compiled)
        print(json.dumps({"with_depth": with_depth, **figures}, indent=1), flush=True)


if __name__ == "__main__":
    main()
