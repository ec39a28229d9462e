# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's RGB-D stream in real time: frames dropped, age of the mesh, memory.

Frames of the built-in room are rendered beforehand and handed over by the wall clock; another
reconstruction compiles the kernels first. Then meshes, views and ingest are timed alone.

Run: python benchmarks/stream.py [--seconds S] [--rate-hz R] [--width-px W] [--set KEY=VALUE ...]
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from rgbd_room import rendered_frames

from ineus_core.config import Config, load_config
from ineus_core.meshing import BlockMesher, MeshingConfig, blocks_of_cells
from ineus_core.pipeline import Pipeline, Worker
from ineus_core.reconstruction import Reconstructor
from ineus_core.rendering import vertex_colours
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame, MeshUpdate, StepReport


class Listener:
    """Notes how old each mesh is when it comes."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.ages_ms: list[float] = []
        self.sizes: list[int] = []
        self.came_s: list[float] = []

    def on_mesh(self, update: MeshUpdate) -> None:
        """Note age and size."""
        self.ages_ms.append((time.monotonic_ns() - update.stamp_ns) / 1e6)
        self.sizes.append(sum(len(block.mesh.triangles) for block in update.upserts))
        self.came_s.append(time.monotonic())

    def on_report(self, report: StepReport) -> None:
        """Ignore."""


def stream(reconstructor: Reconstructor, frames: list[Frame], rate_hz: float) -> dict[str, Any]:
    """Hand frames over by the wall clock."""
    config, listener = Config(), Listener()
    pipeline = Pipeline(reconstructor, listener, config.pipeline, is_live=True)
    worker = Worker(pipeline, time.monotonic_ns)
    worker.start()
    begin_s = time.monotonic()
    for index, frame in enumerate(frames):
        time.sleep(max(0.0, begin_s + index / rate_hz - time.monotonic()))
        worker.submit(replace(frame, stamp_ns=time.monotonic_ns()))
    took_s = time.monotonic() - begin_s
    steps = worker.call(lambda p: p.reconstructor.steps).result(60)
    worker.stop(10)
    assert worker.error is None, worker.error
    per_step = reconstructor.config.ray_sampling.samples_per_ray * 8192
    return {
        "frames": len(frames),
        "dropped": pipeline.counters["frames_dropped"],
        "keyframes": reconstructor.counters["keyframes"],
        "steps_of_65536_samples_a_frame": steps * per_step / 65536 / len(frames),
        "mesh_updates_hz": len(listener.ages_ms) / took_s,
        "stamp_to_mesh_ms_p50_p95_max": np.percentile(listener.ages_ms, (50, 95, 100)).tolist(),
        "triangles_of_an_update": float(np.median(listener.sizes)),
        "peak_gpu_mb": torch.cuda.max_memory_allocated() / 1e6,
    }


def timed_ms(function: Callable[[], Any], repeats: int) -> list[float]:
    """Median and longest wall time of a call, the device's work included."""
    times = []
    for _ in range(repeats + 2):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        function()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - begin))
    return [float(np.median(times[2:])), max(times[2:])]


def parts(reconstructor: Reconstructor, frames: list[Frame]) -> dict[str, Any]:
    """Measure ingest, meshes and views, each alone."""
    figures: dict[str, Any] = {}
    ingest, dirty, blocks = [], [], []
    for frame in frames:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        is_kept = reconstructor.add_frame(frame)
        torch.cuda.synchronize()
        middle = time.perf_counter()
        update = reconstructor.extract_mesh()
        if is_kept:
            ingest.append(1e3 * (middle - begin))
            dirty.append(1e3 * (time.perf_counter() - middle))
            blocks.append(len(update.upserts))
    figures["ingest_ms_p50_max"] = [float(np.median(ingest)), max(ingest)]
    figures["mesh_of_one_keyframe_ms_p50_max"] = [float(np.median(dirty)), max(dirty)]
    figures["blocks_of_one_keyframe"] = float(np.median(blocks))
    figures["mesh_everything_ms"] = timed_ms(lambda: reconstructor.extract_mesh(True), 7)
    sizes = [len(b.mesh.triangles) for b in reconstructor.extract_mesh(True).upserts]
    figures["blocks_triangles"] = [len(sizes), sum(sizes)]
    camera, pose = frames[0].camera, frames[0].world_from_camera
    figures["render_ms"] = timed_ms(lambda: reconstructor.render(camera, pose), 15)
    field, grid = reconstructor.reconstruction.field, reconstructor.reconstruction.grid
    side_m = float((grid.occupied_centres().amax(0) - grid.occupied_centres().amin(0)).max())
    config = MeshingConfig(voxel_size_m=side_m / 512)

    def fine() -> int:
        found = blocks_of_cells(grid.occupied_centres(), 0.499 * grid.cell_m, config.block_size_m)
        meshes = BlockMesher(config).extract(
            field.sdf,
            partial(vertex_colours, field, False, False),
            found,
            grid.may_hold_mesh,
            reconstructor.device,
            field.is_pointwise,
        )
        return sum(len(block.mesh.triangles) for block in meshes)

    figures["mesh_512_ms"] = timed_ms(fine, 5)
    figures["mesh_512_voxel_m_triangles"] = [config.voxel_size_m, fine()]
    figures["peak_gpu_mb_with_these"] = torch.cuda.max_memory_allocated() / 1e6
    return figures


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate-hz", type=float, default=30.0)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    arguments = parser.parse_args()
    device, config = torch.device("cuda"), load_config(overrides=arguments.set)
    scene = SyntheticConfig(
        frames=round(arguments.seconds * arguments.rate_hz),
        width_px=arguments.width_px,
        height_px=arguments.width_px * 3 // 4,
        noise=1.0,
    )
    begin = time.perf_counter()
    source, frames = SyntheticSource(scene), rendered_frames(scene)
    print(f"{len(frames)} frames rendered in {time.perf_counter() - begin:.1f} s", flush=True)
    begin = time.perf_counter()
    first = Reconstructor(config, device)
    for frame in frames[:60]:
        first.add_frame(frame)
        for _ in range(4):
            first.step()
        first.extract_mesh()
    first.render(frames[0].camera, frames[0].world_from_camera)
    del first
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    print(f"kernels compiled in {time.perf_counter() - begin:.1f} s", flush=True)
    reconstructor = Reconstructor(config, device)
    figures: dict[str, Any] = {"device": torch.cuda.get_device_name()}
    figures |= stream(reconstructor, frames, arguments.rate_hz)
    print(json.dumps(figures, indent=1), flush=True)
    mesh = reconstructor.mesh()
    off_m = np.abs(source.sdf(mesh.vertices.astype(np.float64)))
    figures["mesh_off_m"] = float(off_m.mean())
    figures["mesh_within_2cm"] = float((off_m < 0.02).mean())
    second = Reconstructor(config, device)
    for frame in frames[:: max(1, len(frames) // 100)]:
        second.add_frame(frame)
    for _ in range(1000):
        second.step()
    second.extract_mesh()
    figures |= parts(second, frames[1 :: max(1, len(frames) // 100)])
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
