# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The built-in room by a bad sensor, of ineus and of a TSDF beside it.

Of 45 frames depth has the noise of a Kinect, which neighbouring pixels share, misses 12 % in
patches, and never returns from a screen and from a ball; poses have noise of 4 mm and 0.25 degrees
along and about each axis, each frame its own. `--depth-noise 3 --spread-px 2` is far worse than
any sensor that is sold. With and without refinement of poses:
how far keyframes are off, and the F-score against the exact surface, of all that the frames see
and of all but these two things.

The TSDF, of voxels of 1 cm, needs Open3D, and is left out without it: at the poses that were
given, at the true ones and at those that were refined.

Run: python benchmarks/hard_room.py [--final-steps N] [--device cpu --width-px 320]
"""

import argparse
import json
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from failing_depth import failing_pixels, part_of
from jaxtyping import Float
from real_sensor import disturbed, pose_errors
from rgbd_room import after_stream, rendered_frames, train_on

from ineus_core.evaluation import ReferenceFusion, ReferenceFusionConfig, sample_surface
from ineus_core.evaluation.mesh_metrics import point_tree
from ineus_core.meshing import write_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame, Mesh

GLOSSY = ("screen", "ball on the floor")
WITHIN_M = (0.01, 0.02)
_SAMPLES, _JUDGED = 4_000_000, 8
"""On the mesh, 5 mm apart, and of which each so many is compared with the exact surface."""


def scene_of(arguments: argparse.Namespace) -> SyntheticConfig:
    """Describe room and sensor."""
    width_px = arguments.width_px
    return SyntheticConfig(
        frames=arguments.frames, rate_hz=3.0, width_px=width_px, height_px=width_px * 3 // 4,
        noise=arguments.depth_noise, noise_spread_px=arguments.spread_px, holes=arguments.holes,
        seed=arguments.seed,
    )  # fmt: skip


def spoiled(frame: Frame, true: Frame) -> Frame:
    """Return a frame without depth of what is glossy."""
    is_glossy = failing_pixels(true, GLOSSY)
    return replace(frame, depth_m=np.where(is_glossy, np.float32(0), frame.depth_m))


class Truth:
    """The exact surface, and what of it the frames see."""

    def __init__(self, scene: SyntheticConfig) -> None:
        """Look at it from all frames."""
        self._source = SyntheticSource(
            scene.model_copy(update={"width_px": 320, "height_px": 240})
        )
        self._visible = self._source.reference_points(400_000)
        self._is_glossy = part_of(self._visible, GLOSSY) > 0

    def quality(self, mesh: Mesh) -> dict[str, list[float]]:
        """F-score, precision and recall at both distances, per cent."""
        places = sample_surface(mesh, _SAMPLES, 0).positions
        off_m = np.abs(self._source.sdf(places[::_JUDGED]))
        to_mesh_m = point_tree(places).query(self._visible, workers=-1)[0]
        rest_m = to_mesh_m[~self._is_glossy]
        row: dict[str, list[float]] = {"f": [], "precision": [], "recall": [], "f_rest": []}
        for limit in WITHIN_M:
            right, found, rest = ((d < limit).mean() for d in (off_m, to_mesh_m, rest_m))
            row["f"].append(2 * right * found / max(right + found, 1e-9))
            row["precision"].append(right)
            row["recall"].append(found)
            row["f_rest"].append(2 * right * rest / max(right + rest, 1e-9))
        return {name: [round(100 * float(v), 2) for v in values] for name, values in row.items()}


def fused(frames: list[Frame], poses: dict[int, Float[np.ndarray, "4 4"]]) -> Mesh:
    """Fuse frames at poses by stamp, in voxels of 1 cm."""
    fusion = ReferenceFusion(ReferenceFusionConfig(voxel_size_m=0.01))
    for frame in frames:
        fusion.integrate(replace(frame, world_from_camera=poses[frame.stamp_ns]))
    return fusion.mesh()


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=45)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--depth-noise", type=float, default=1.0, help="of a Kinect's")
    parser.add_argument("--spread-px", type=float, default=1.0, help="sigma of shared noise")
    parser.add_argument("--holes", type=float, default=0.12, help="share of the depth")
    parser.add_argument("--noise-mm", type=float, default=4.0)
    parser.add_argument("--noise-deg", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps-per-frame", type=int, default=8)
    parser.add_argument("--final-steps", type=int, default=12_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--only", choices=("on", "off"), help="of the refinement")
    parser.add_argument("--out", type=Path, help="folder for the meshes")
    return parser.parse_args()


def main() -> None:
    """Run and print."""
    arguments = parsed()
    scene = scene_of(arguments)
    truth, true = Truth(scene), rendered_frames(scene.model_copy(update={"noise": 0.0}))
    measured = [spoiled(*pair) for pair in zip(rendered_frames(scene), true, strict=True)]
    given = disturbed(measured, "white", scene.rate_hz, arguments)

    def show(name: str, mesh: Mesh, **more: Any) -> None:
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
            write_mesh(mesh, arguments.out / f"{name.replace(' ', '_')}.ply")
        print(json.dumps({"map": name} | more | truth.quality(mesh)), flush=True)

    true_poses, given_poses = (
        {frame.stamp_ns: frame.world_from_camera for frame in frames} for frames in (true, given)
    )
    has_tsdf = find_spec("open3d") is not None
    if has_tsdf:
        show("TSDF as given", fused(given, given_poses))
        show("TSDF at true poses", fused(given, true_poses))
    else:
        print("TSDF left out: Open3D is not installed", flush=True)
    for refines in (True, False):
        if arguments.only is not None and refines != (arguments.only == "on"):
            continue
        settings = [*arguments.set, f"pose_refinement.enabled={refines}"]
        reconstructor = after_stream(given, settings, arguments.device, arguments.steps_per_frame)
        name = "refined" if refines else "as given"
        show(f"ineus {name} after the stream", reconstructor.mesh())
        begin_s = time.perf_counter()
        train_on(reconstructor, arguments.final_steps)
        mesh = reconstructor.mesh()
        took_s = round(time.perf_counter() - begin_s, 1)
        poses = {key[0]: pose for key, pose in reconstructor.keyframe_poses().items()}
        errors = pose_errors(poses, true_poses)
        show(f"ineus {name}", mesh, steps=reconstructor.steps, final_s=took_s, **errors)
        if refines and has_tsdf:
            show("TSDF refined", fused([f for f in given if f.stamp_ns in poses], poses))


if __name__ == "__main__":
    main()
