# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D training on the built-in room: times, agreement with the torch twin, and quality.

Times are those of a step, of the mesh and of a view.

Run: python benchmarks/rgbd_room.py [--frames N] [--steps N] [--width-px W]
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from ineus_core.config import Config, load_config
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.training.captured.gradient_check import gradient_errors
from ineus_core.types import Frame


def rendered_frames(config: SyntheticConfig) -> list[Frame]:
    """All frames of a built-in scene, rendered by all cores."""
    return frames_of(partial(SyntheticSource, config), range(config.frames))


def frames_of(make: Callable[[], SyntheticSource], indices: Iterable[int]) -> list[Frame]:
    """Render some frames of a source by all cores; each process makes its own."""
    with (
        _one_thread_each(),
        multiprocessing.get_context("spawn").Pool(
            len(os.sched_getaffinity(0)), initializer=_start, initargs=(make,)
        ) as pool,
    ):
        return pool.map(_frame, indices)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile have one thread each: there is one for each core."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    before = dict(os.environ)
    # Libraries read them once, as they are loaded, so the pool's initialiser would be too late.
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _start(make: Callable[[], SyntheticSource]) -> None:
    global _SOURCE  # noqa: PLW0603
    torch.set_num_threads(1)
    _SOURCE = make()


def _frame(index: int) -> Frame:
    return _SOURCE.frame(index)


def after_stream(
    frames: Iterable[Frame], settings: list[str], device: str, steps_per_frame: int
) -> Reconstructor:
    """Take a stream of frames, each followed by the same number of steps."""
    reconstructor = Reconstructor(load_config(overrides=settings), torch.device(device))
    for frame in frames:
        reconstructor.add_frame(frame)
        for _ in range(steps_per_frame):
            reconstructor.step()
    return reconstructor


def train_on(reconstructor: Reconstructor, steps: int) -> None:
    """Train after a stream, the rates falling."""
    for step in range(steps):
        reconstructor.refine(1.0 - step / steps)
        reconstructor.step()


def median_ms(function: Callable[[], Any], repeats: int) -> float:
    """Median time of a call by CUDA events."""
    for _ in range(3):
        function()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return float(np.median(times))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--rays", type=int, default=0)
    arguments = parser.parse_args()
    began = time.perf_counter()
    width_px = arguments.width_px
    scene = SyntheticConfig(
        frames=arguments.frames, width_px=width_px, height_px=width_px * 3 // 4, noise=1.0
    )
    source, frames = SyntheticSource(scene), rendered_frames(scene)
    print(f"{len(frames)} frames rendered in {time.perf_counter() - began:.1f} s", flush=True)
    config = Config.model_validate({"training": {"rays_per_step": arguments.rays}})
    reconstructor = Reconstructor(config, torch.device("cuda"))
    figures: dict[str, Any] = {"device": torch.cuda.get_device_name()}
    ingest = []
    for frame in frames:
        begin = time.perf_counter()
        reconstructor.add_frame(frame)
        torch.cuda.synchronize()
        ingest.append(1e3 * (time.perf_counter() - begin))
    figures["ingest_ms"] = float(np.median(ingest))
    figures["twin"] = gradient_errors(reconstructor.reconstruction.train_step)
    print(json.dumps(figures, indent=1), flush=True)
    begin = time.perf_counter()
    for step in range(arguments.steps):
        reconstructor.refine(1.0 - step / arguments.steps if step > 0.7 * arguments.steps else 1.0)
        reconstructor.step()
        if step in (100, 300, 1000, arguments.steps - 1):
            report = reconstructor.report()
            losses = {k: round(v, 4) for k, v in report.losses.items()}
            mesh = reconstructor.mesh()
            off = np.abs(source.sdf(mesh.vertices.astype(np.float64)))
            print(
                f"step {step}: {time.perf_counter() - begin:.2f} s, {losses}, "
                f"inv_s {report.inv_s:.0f}, {report.samples_per_second / 1e6:.1f} M samples/s, "
                f"{len(mesh.triangles)} triangles, off by {off.mean():.4f} m, "
                f"within 2 cm {np.mean(off < 0.02):.3f}",
                flush=True,
            )
    figures["step_ms"] = median_ms(reconstructor.reconstruction.train_step, 200)
    figures["mesh_everything_ms"] = median_ms(lambda: reconstructor.extract_mesh(True), 3)
    camera, pose = frames[0].camera, frames[0].world_from_camera
    figures["render_ms"] = median_ms(lambda: reconstructor.render(camera, pose), 3)
    figures["peak_gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
