# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D streams as robots give them: with the noise of a Kinect, and poses that are off.

Poses get noise of their own for each frame (`white`), a random walk that gains as much in each
second (`walk`), or none (`exact`): along and about each axis. For each the stream is taken with
and without refinement of poses. After it: how far keyframes are from the truth as given and as
refined, how much of the mesh lies within 1 and 2 cm of the true surface and the other way round,
and what the refinement of a keyframe costs.

Run: python benchmarks/real_sensor.py room --frames 480 --rate-hz 30
     python benchmarks/real_sensor.py FOLDER_WITH_GT_MESH --noise exact
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from rgbd_room import after_stream, rendered_frames, train_on
from scipy.spatial.transform import Rotation

from ineus_core.evaluation import evaluate_mesh, sample_surface
from ineus_core.meshing import read_mesh
from ineus_core.pose_refinement import PoseRefinementConfig, PoseRefiner
from ineus_core.sources import SyntheticConfig, SyntheticSource, open_source
from ineus_core.types import Frame, Mesh

_WITHIN_M = (0.01, 0.02)
_KINDS = ("exact", "white", "walk")


@dataclass
class Scene:
    """Frames with true poses, and what tells the quality of a mesh of them."""

    frames: list[Frame]
    rate_hz: float
    share_right: Callable[[Mesh], list[float]]
    """How much of a mesh lies within each distance of the true surface."""
    visible: Float[np.ndarray, "n 3"]
    """Points of the true surface that the frames see."""


def room(arguments: argparse.Namespace) -> Scene:
    """Render the built-in room."""
    size = arguments.width_px, arguments.width_px * 3 // 4
    config = SyntheticConfig(
        frames=arguments.frames, rate_hz=arguments.rate_hz, width_px=size[0], height_px=size[1],
        noise=arguments.depth_noise,
    )  # fmt: skip
    source = SyntheticSource(config)

    def share_right(mesh: Mesh) -> list[float]:
        off_m = np.abs(source.sdf(sample_surface(mesh, 200_000, 0).positions))
        return [float((off_m < limit).mean()) for limit in _WITHIN_M]

    few = SyntheticSource(config.model_copy(update={"frames": 60, "width_px": 160}))
    visible = few.reference_points(100_000)
    return Scene(rendered_frames(config), arguments.rate_hz, share_right, visible)


def folder(arguments: argparse.Namespace) -> Scene:
    """Read frames whose poses are exact, and the true surface beside them."""
    path = Path(arguments.what)
    frames = list(open_source(str(path)))[: arguments.frames or None]
    truth = read_mesh(path / "gt_mesh.ply")

    def share_right(mesh: Mesh) -> list[float]:
        precision = evaluate_mesh(mesh, truth, _WITHIN_M).precision
        return [precision[limit] for limit in _WITHIN_M]

    visible = np.asarray(trimesh.load(path / "gt_visible_points.ply").vertices)
    return Scene(frames, arguments.rate_hz, share_right, visible)


def disturbed(
    frames: list[Frame], kind: str, rate_hz: float, arguments: argparse.Namespace
) -> list[Frame]:
    """Return frames with noise on their poses."""
    rng = np.random.default_rng(arguments.seed)
    sizes = np.repeat((arguments.noise_mm / 1000, np.radians(arguments.noise_deg)), 3)
    off = rng.normal(size=(len(frames), 6)) * sizes * (kind != "exact")
    if kind == "walk":
        off = np.cumsum(off, axis=0) / np.sqrt(rate_hz)
    result = []
    for frame, by in zip(frames, off, strict=True):
        pose = frame.world_from_camera.copy()
        pose[:3, 3] += by[:3]
        pose[:3, :3] = pose[:3, :3] @ Rotation.from_rotvec(by[3:]).as_matrix()
        result.append(replace(frame, world_from_camera=pose))
    return result


def pose_errors(
    poses: dict[int, Float[np.ndarray, "4 4"]], truth: dict[int, Float[np.ndarray, "4 4"]]
) -> dict[str, list[float]]:
    """Mean and largest error of poses by stamp."""
    pairs = [(pose, truth[stamp]) for stamp, pose in poses.items()]
    off_mm = [1e3 * float(np.linalg.norm(a[:3, 3] - b[:3, 3])) for a, b in pairs]
    turned = [Rotation.from_matrix(a[:3, :3].T @ b[:3, :3]).magnitude() for a, b in pairs]
    return {
        "mm_mean_max": [round(float(f(off_mm)), 3) for f in (np.mean, np.max)],
        "deg_mean_max": [round(float(np.degrees(f(turned))), 4) for f in (np.mean, np.max)],
    }


def quality(scene: Scene, mesh: Mesh) -> dict[str, float]:
    """F-scores in per cent."""
    recall = evaluate_mesh(mesh, scene.visible, _WITHIN_M).recall
    found = {}
    for limit, right in zip(_WITHIN_M, scene.share_right(mesh), strict=True):
        both = 2 * right * recall[limit] / max(right + recall[limit], 1e-9)
        found[f"f_{100 * limit:g}cm"] = round(100 * both, 2)
        found[f"precision_{100 * limit:g}cm"] = round(100 * right, 2)
        found[f"recall_{100 * limit:g}cm"] = round(100 * recall[limit], 2)
    return found


def cost_ms(frames: list[Frame]) -> dict[str, list[float]]:
    """Median, 95th percentile and most that the refinement of a keyframe takes, by itself."""
    refiner, took = PoseRefiner(PoseRefinementConfig(), len(frames), 0.1, 10.0), []
    for frame in frames:
        wall, cores = time.perf_counter(), time.process_time()
        refiner.add(frame)
        took.append((time.perf_counter() - wall, time.process_time() - cores))
    # The first ones wait for compilation.
    rounded = np.round(1e3 * np.percentile(took[3:], (50, 95, 100), axis=0), 1)
    return dict(zip(("wall", "cores"), rounded.T.tolist(), strict=True))


def streamed(
    scene: Scene, given: list[Frame], refines: bool, args: argparse.Namespace
) -> dict[str, Any]:
    """Take one stream, and measure what came out."""
    settings = [*args.set, f"pose_refinement.enabled={refines}"]
    reconstructor = after_stream(given, settings, args.device, args.steps_per_frame)
    held = {key[0]: pose for key, pose in reconstructor.keyframe_poses().items()}
    truth = {frame.stamp_ns: frame.world_from_camera for frame in scene.frames}
    as_given = {frame.stamp_ns: frame.world_from_camera for frame in given}
    row: dict[str, Any] = {"refined": refines, "keyframes": len(held)}
    row["given"] = pose_errors({stamp: as_given[stamp] for stamp in held}, truth)
    row["used"] = pose_errors(held, truth)
    row["after_stream"] = quality(scene, reconstructor.mesh())
    if args.final_steps:
        train_on(reconstructor, args.final_steps)
        row["after_final_steps"] = quality(scene, reconstructor.mesh())
    counters = reconstructor.counters
    row["counters"] = {k: v for k, v in counters.items() if k.startswith("poses")}
    if refines:
        row["ms_median_p95_max"] = cost_ms([f for f in given if f.stamp_ns in held])
    return row


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", help="room, or a folder with exact poses and gt_mesh.ply")
    parser.add_argument("--frames", type=int, default=0, help="0: 480 of the room, else all")
    parser.add_argument("--rate-hz", type=float, default=30.0)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--noise", nargs="*", choices=_KINDS, default=list(_KINDS))
    parser.add_argument("--depth-noise", type=float, default=1.0, help="of the room; Kinect: 1")
    parser.add_argument("--noise-mm", type=float, default=4.0)
    parser.add_argument("--noise-deg", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps-per-frame", type=int, default=8)
    parser.add_argument("--final-steps", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--only", choices=("on", "off"), help="of the refinement")
    arguments = parser.parse_args()
    if arguments.what == "room":
        arguments.frames = arguments.frames or 480
    scene = room(arguments) if arguments.what == "room" else folder(arguments)
    for kind in arguments.noise:
        given = disturbed(scene.frames, kind, scene.rate_hz, arguments)
        for refines in (False, True):
            if arguments.only is None or refines == (arguments.only == "on"):
                row = streamed(scene, given, refines, arguments)
                print(json.dumps({"noise": kind} | row), flush=True)


if __name__ == "__main__":
    main()
