# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A walk through a built-in scene from colour alone, through the pipeline: how good, how soon.

On a GPU frames come by the wall clock, and on a CPU with `--steps 0` by the time that this thread
has spent on a core, so that other programs do not count; torch and numba have one thread then, as
the other core of two decodes, judges and serves. Else each frame gets a number of steps, and the
clock is that of the frames. Figures are of the mesh at the end of the walk, or `--after` so many
seconds more of training, without any refining: F-score, precision and recall against what the walk
shows, and the area that lies in free space, which is more than 10 cm before any true surface.

Run: python benchmarks/colour_only.py --scene corridor --frames 1200
     python benchmarks/colour_only.py --device cpu --width-px 160 --frames 90 --steps 20
     OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/colour_only.py --device cpu \
         --width-px 320 --frames 120 --rate-hz 3 --steps 0 --after 60
"""

import argparse
import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from core_clock import CoreClock
from depth_from_motion import disturbed
from jaxtyping import Float
from rgbd_room import frames_of

from ineus_core.config import load_config
from ineus_core.evaluation import evaluate_mesh, overview_camera, render_mesh_picture
from ineus_core.files import replace_file
from ineus_core.geometry import pixel_rays
from ineus_core.pipeline import Pipeline, PipelineConfig, Worker
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SCENES, SyntheticConfig, SyntheticSource
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.sources.synthetic.shapes import Texture
from ineus_core.types import Frame, Mesh, MeshUpdate, StepReport

_THRESHOLDS_M = (0.02, 0.05)
_IN_THE_AIR_M = 0.10
_WARM_UP_FRAMES = 45
_HEIGHT_PX = 480
_SPACING_M = 0.02
_SHOWN_EVERY = 3
"""Frames in a row show nearly the same."""
Poses = list[Float[np.ndarray, "4 4"]]


def _as_it_is(poses: Poses) -> Poses:
    return poses


def _back(poses: Poses) -> Poses:
    """Go the same way back, facing the other side."""
    return [pose @ np.diag((-1.0, 1.0, -1.0, 1.0)) for pose in reversed(poses)]


def _weaving(poses: Poses) -> Poses:
    """Turn the head to and fro by 20 degrees besides, and bob."""
    woven = []
    for number, pose in enumerate(poses):
        angle = 0.35 * np.sin(number / 17)
        turn = np.eye(4)
        turn[0, 0] = turn[2, 2] = np.cos(angle)
        turn[0, 2], turn[2, 0] = np.sin(angle), -np.sin(angle)
        moved = pose @ turn
        moved[2, 3] += 0.05 * np.sin(number / 11)
        woven.append(moved)
    return woven


PATHS: dict[str, Callable[[Poses], Poses]] = {
    "walk": _as_it_is,
    "back": _back,
    "weaving": _weaving,
}


@dataclass
class Listener:
    """Notes when meshes come, by the clock of the run."""

    now_s: Callable[[], float]
    came_s: list[float] = field(default_factory=list)
    first_surface_s: float | None = None

    def on_mesh(self, update: MeshUpdate) -> None:
        """Note when."""
        self.came_s.append(self.now_s())
        if self.first_surface_s is None and any(len(b.mesh.triangles) for b in update.upserts):
            self.first_surface_s = self.came_s[-1]

    def on_report(self, report: StepReport) -> None:
        """Ignore."""


class WalkSource(SyntheticSource):
    """A built-in scene on another path, perhaps with walls of one colour."""

    def __init__(self, config: SyntheticConfig, path: str, plain_walls: int) -> None:
        """Plan the walk."""
        super().__init__(config)
        self.world_from_camera = PATHS[path](self.world_from_camera)
        self.repaint(lambda scene: with_plain_walls(scene, plain_walls))


def with_plain_walls(scene: AnalyticScene, count: int) -> AnalyticScene:
    """Give the first walls of a scene one colour each; floor and ceiling keep their pattern."""
    shell = list(scene.groups[0].parts)
    walls = [i for i, part in enumerate(shell) if _is_upright(scene, i)]
    for index in walls[:count]:
        colour = shell[index].texture.first
        shell[index] = replace(shell[index], texture=Texture("plain", colour, colour, 1.0))
    return AnalyticScene([shell, *(g.parts for g in scene.groups[1:])], scene.aabb_m, scene.gloss)


def _is_upright(scene: AnalyticScene, part: int) -> bool:
    middle = scene.aabb_m.mean(axis=0)[:, None]
    return abs(scene.normals_of(middle, np.array([part]))[2, 0]) < 0.5


def live(
    reconstructor: Reconstructor, config: PipelineConfig, frames: Sequence[Frame], rate_hz: float,
    after_s: float,
) -> dict[str, Any]:  # fmt: skip
    """Hand frames over by the wall clock, and let training go on for some time after the last."""
    listener = Listener(time.monotonic)
    pipeline = Pipeline(reconstructor, listener, config, is_live=True)
    worker = Worker(pipeline, time.monotonic_ns)
    worker.start()
    begin_s = time.monotonic()
    for index, frame in enumerate(frames):
        time.sleep(max(0.0, begin_s + index / rate_hz - time.monotonic()))
        worker.submit(replace(frame, stamp_ns=time.monotonic_ns()))
    time.sleep(after_s)
    took_s = time.monotonic() - begin_s
    worker.stop(60)
    assert worker.error is None, worker.error
    return _figures(pipeline, listener, begin_s, took_s)


def by_core(
    reconstructor: Reconstructor, config: PipelineConfig, frames: Sequence[Frame], rate_hz: float,
    after_s: float,
) -> dict[str, Any]:  # fmt: skip
    """Hand frames over by the time spent on a core, and train on for some of it after the last."""
    clock = CoreClock()
    listener = Listener(clock.now_s)
    pipeline = Pipeline(reconstructor, listener, config, is_live=True, now_s=clock.now_s)
    waiting, took_s = list(reversed(frames)), len(frames) / rate_hz + after_s
    while clock.now_s() < took_s:
        next_s = (len(frames) - len(waiting)) / rate_hz
        if waiting and clock.now_s() >= next_s:
            pipeline.submit(replace(waiting.pop(), stamp_ns=round(1e9 * next_s)))
        elif reconstructor.is_ready or pipeline.has_waiting:
            pipeline.tick(round(1e9 * clock.now_s()))
        else:
            clock.wait_until(next_s)
    return _figures(pipeline, listener, 0.0, took_s)


def stepwise(
    reconstructor: Reconstructor, config: PipelineConfig, frames: Sequence[Frame], rate_hz: float,
    steps: int,
) -> dict[str, Any]:  # fmt: skip
    """Give each frame a number of steps; the clock is that of the frames."""
    now_ns = 0
    listener = Listener(lambda: now_ns / 1e9)
    pipeline = Pipeline(
        reconstructor, listener, config, steps_per_tick=steps, now_s=listener.now_s
    )
    for index, frame in enumerate(frames):
        now_ns = round(index * 1e9 / rate_hz)
        pipeline.submit(replace(frame, stamp_ns=now_ns))
        pipeline.tick(now_ns)
    return _figures(pipeline, listener, 0.0, len(frames) / rate_hz)


def _figures(
    pipeline: Pipeline, listener: Listener, begin_s: float, took_s: float
) -> dict[str, Any]:
    counters = pipeline.counters + pipeline.reconstructor.counters
    first = listener.first_surface_s
    ages_ms = list(pipeline.staleness_ms)
    return {
        "steps": pipeline.reconstructor.steps,
        "first_mesh_s": None if first is None else first - begin_s,
        "meshes_hz": sum(begin_s <= at <= begin_s + took_s for at in listener.came_s) / took_s,
        "age_ms_p50_p95": np.percentile(ages_ms, (50, 95)).tolist() if ages_ms else None,
        "frames_dropped": counters["frames_dropped"],
        "keyframes": counters["keyframes"],
        "keyframes_without_estimate": counters["keyframes_without_estimate"],
        "keyframes_without_time": counters["keyframes_without_time_for_depth"],
    }


def quality(
    mesh: Mesh, source: SyntheticSource, truth: Float[np.ndarray, "n 3"]
) -> dict[str, Any]:
    """Compare a mesh with the truth."""
    if not len(mesh.triangles):
        return {"triangles": 0}
    found = evaluate_mesh(mesh, truth, _THRESHOLDS_M).to_json()
    corners = mesh.vertices.astype(np.float64)[mesh.triangles]
    sides = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
    in_the_air = area[source.sdf(corners.mean(axis=1)) > _IN_THE_AIR_M].sum()
    row = {key: found[key] for key in ("f_score", "precision", "recall", "accuracy_m")}
    row["area_m2"], row["area_in_the_air_m2"] = float(area.sum()), float(in_the_air)
    return {"triangles": len(mesh.triangles), **row}


def _disturbed(frames: Sequence[Frame], seed: int, arguments: argparse.Namespace) -> list[Frame]:
    rng = np.random.default_rng(seed)
    return [replace(disturbed(f, arguments, rng), foreground=None) for f in frames]


def _warm_up(settings: list[str], frames: Sequence[Frame], device: torch.device) -> None:
    """Compile on a reconstruction of its own, which happens once on a machine, not once a walk."""
    first = Reconstructor(load_config(None, settings), device)
    for frame in frames[:_WARM_UP_FRAMES]:
        first.add_frame(frame)
    first.start()
    for _ in range(20):
        first.step()
    first.extract_mesh()
    del first
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize()


def _picture(mesh: Mesh) -> np.ndarray:
    pose, camera = overview_camera(mesh, _HEIGHT_PX * 16 // 9, _HEIGHT_PX)
    return render_mesh_picture(mesh, pose, camera)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scene", default="room", choices=SCENES)
    parser.add_argument("--path", default="walk", choices=PATHS)
    parser.add_argument("--frames", type=int, default=600, help="of the whole walk")
    parser.add_argument("--first", type=int, default=0, help="frames that are walked; 0: all")
    parser.add_argument("--rate-hz", type=float, default=30.0)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--plain-walls", type=int, default=0, help="so many of one colour each")
    parser.add_argument("--pose-noise-mm", type=float, default=0.0)
    parser.add_argument("--pose-noise-deg", type=float, default=0.0)
    parser.add_argument("--grey-noise", type=float, default=0.0, help="grey levels of 255")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="a walk for each")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=20, help="of a frame, where not on a GPU")
    parser.add_argument("--after", type=float, default=0.0, help="seconds, where by a clock")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--picture", type=Path, help="of the last mesh, from above")
    return parser.parse_args()


def main() -> None:
    """Run and print a line for each seed."""
    arguments = _parse()
    device, width_px = torch.device(arguments.device), arguments.width_px
    scene = SyntheticConfig(
        scene=arguments.scene, frames=arguments.frames, rate_hz=arguments.rate_hz,
        width_px=width_px, height_px=width_px * 3 // 4,
    )  # fmt: skip
    make = partial(WalkSource, scene, arguments.path, arguments.plain_walls)
    frames = frames_of(make, range(arguments.first or arguments.frames))
    source = make()
    truth = _shown(source, frames)
    settings = ["stereo.enabled=true", *arguments.set]
    by_clock = device.type == "cuda" or arguments.steps == 0
    if by_clock:
        _warm_up(settings, _disturbed(frames, 0, arguments), device)
    for seed in arguments.seeds:
        given = _disturbed(frames, seed, arguments)
        config = load_config(None, [f"seed={seed}", *settings])
        reconstructor = Reconstructor(config, device)
        row = {"scene": arguments.scene, "path": arguments.path, "seed": seed}
        if by_clock:
            stream = live if device.type == "cuda" else by_core
            row |= stream(
                reconstructor, config.pipeline, given, arguments.rate_hz, arguments.after
            )
        else:
            row |= stepwise(
                reconstructor, config.pipeline, given, arguments.rate_hz, arguments.steps
            )
        mesh = reconstructor.mesh()
        print(json.dumps(row | quality(mesh, source, truth)), flush=True)
        if arguments.picture and len(mesh.triangles):
            _, encoded = cv2.imencode(arguments.picture.suffix, _picture(mesh)[..., ::-1])
            replace_file(arguments.picture, encoded.tobytes())


def _shown(source: SyntheticSource, frames: Sequence[Frame]) -> Float[np.ndarray, "n 3"]:
    """Return points on what the frames show, one in each voxel, from their exact depth."""
    rays = pixel_rays(source.camera)
    found = []
    for frame in frames[::_SHOWN_EVERY]:
        assert frame.depth_m is not None
        points = (rays / rays[..., 2:] * frame.depth_m[..., None])[1::2, 1::2].reshape(-1, 3)
        pose = frame.world_from_camera
        found.append(_one_per_voxel(points @ pose[:3, :3].T + pose[:3, 3]))
    return _one_per_voxel(np.concatenate(found))


def _one_per_voxel(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "m 3"]:
    # One number a voxel, as rows are sorted a hundred times slower.
    voxels = np.floor(points / _SPACING_M).astype(np.int64) + (1 << 20)
    keys = (voxels[:, 0] << 42) + (voxels[:, 1] << 21) + voxels[:, 2]
    return points[np.unique(keys, return_index=True)[1]]


if __name__ == "__main__":
    main()
