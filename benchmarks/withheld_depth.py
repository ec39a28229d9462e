# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scene or a recording from its pictures alone: the surface, and depth against its sensor's.

Frames are reduced to at most 320 pixels, their depth is withheld, and every tenth is held out.
After some steps of training, the rates falling in the last 40 %: F-score, precision and recall of
the mesh against the true surface or `--reference`, and of some views that were held out the share
of the sensor's pixels that have depth within 5 cm of it, and the median and the mean difference of
all that have any. Views stand where the keyframe nearest in time was moved to, as poses are
refined, and in `as_given` where they were given. Time is that of the process, on all cores
together.

Run: python benchmarks/withheld_depth.py room --steps 500 [--set KEY=VALUE ...] [--picture out.png]
     python benchmarks/withheld_depth.py FOLDER --reference POINTS.ply
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from refined_poses import as_refined

from ineus_core.config import load_config
from ineus_core.evaluation import evaluate_mesh, overview_camera, render_mesh_picture
from ineus_core.files import replace_file
from ineus_core.meshing import read_reference
from ineus_core.pipeline.held_out import reduced_frame
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SCENES, SyntheticConfig, SyntheticSource, open_source
from ineus_core.types import Frame, Mesh

Truth = Mesh | Float[np.ndarray, "n 3"]
_WIDTH_PX, _VIEW_WIDTH_PX = 320, 160
_HOLD_OUT, _FIRST_HELD_OUT = 10, 5
_VIEWS = 4
_THRESHOLDS_M = (0.01, 0.02, 0.05)
_WITHIN_M = 0.05
_FALLING = 0.4
_TILE_PX = (640, 480)


def frames_of(what: str, count: int) -> tuple[list[Frame], Truth | None]:
    """Return frames with depth, and points on the true surface where it is known."""
    if what not in SCENES:
        frames = [reduced_frame(frame, _WIDTH_PX) for frame in open_source(what)]
        return frames[: count or None], None
    size = {"width_px": _WIDTH_PX, "height_px": _WIDTH_PX * 3 // 4}
    source = SyntheticSource(SyntheticConfig(scene=what, frames=count or 100, **size))
    return list(source), source.reference_points(200_000)


def train(
    frames: list[Frame], settings: list[str], steps: int, device: torch.device
) -> tuple[Reconstructor, list[float]]:
    """Train without depth; return times of taking the frames and of training, too."""
    reconstructor = Reconstructor(load_config(None, settings), device)
    reconstructor.expect([frame.world_from_camera for frame in frames])
    times_s = [time.process_time()]
    for frame in frames:
        reconstructor.add_frame(replace(frame, depth_m=None))
    reconstructor.start()
    times_s.append(time.process_time())
    while reconstructor.steps < steps and reconstructor.is_ready:
        left = 1.0 - reconstructor.steps / steps
        reconstructor.refine(min(1.0, left / _FALLING))
        reconstructor.step()
    times_s.append(time.process_time())
    return reconstructor, np.diff(times_s).tolist()


def compare_depth(reconstructor: Reconstructor, frames: list[Frame]) -> dict[str, float]:
    """Compare the depth of views with that of the sensor."""
    within, off_m, mean_m = [], [], []
    for frame in frames:
        view = reduced_frame(frame, _VIEW_WIDTH_PX)
        assert view.depth_m is not None
        image = reconstructor.render(view.camera, view.world_from_camera)
        known = (view.depth_m > 0) & (view.depth_m < reconstructor.config.depth.max_m)
        error_m, has_depth = np.abs(image.depth_m - view.depth_m)[known], image.depth_m[known] > 0
        within.append(float(np.mean(has_depth & (error_m < _WITHIN_M))))
        off_m.append(float(np.median(error_m[has_depth])) if has_depth.any() else np.nan)
        mean_m.append(float(np.mean(error_m[has_depth])) if has_depth.any() else np.nan)
    return {
        "views_within_5cm": float(np.mean(within)),
        "views_median_m": float(np.nanmean(off_m)),
        "views_l1_m": float(np.nanmean(mean_m)),
    }


def write_picture(path: Path, reconstructor: Reconstructor, frames: list[Frame]) -> None:
    """Draw the mesh from above and from the places of some frames."""
    mesh = reconstructor.current_mesh()
    pose, camera = overview_camera(mesh, *_TILE_PX)
    views = [(pose, camera)] + [
        (frame.world_from_camera, frame.camera.resized(*_TILE_PX)) for frame in frames
    ]
    tiles = [render_mesh_picture(mesh, *view) for view in views]
    _, encoded = cv2.imencode(path.suffix, np.concatenate(tiles, axis=1)[..., ::-1])
    replace_file(path, encoded.tobytes())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", help=f"a folder with depth, or one of {', '.join(SCENES)}")
    parser.add_argument("--frames", type=int, default=0, help="0: all, of a built-in scene 100")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--reference", type=Path, help="points or a mesh, where there are some")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    frames, truth = frames_of(arguments.what, arguments.frames)
    if arguments.reference is not None:
        truth = read_reference(arguments.reference)
    held_out = frames[_FIRST_HELD_OUT::_HOLD_OUT]
    kept = [f for i, f in enumerate(frames) if i % _HOLD_OUT != _FIRST_HELD_OUT]
    reconstructor, (taking_s, training_s) = train(
        kept, arguments.set, arguments.steps, torch.device(arguments.device)
    )
    mesh, report = reconstructor.mesh(), reconstructor.report()
    row: dict[str, Any] = {
        "keyframes": report.keyframes,
        "taking_s": round(taking_s, 1),
        "training_s": round(training_s, 1),
        "triangles": len(mesh.triangles),
        "counters": report.counters,
    }
    if len(mesh.triangles) and truth is not None:
        figures = evaluate_mesh(mesh, truth, _THRESHOLDS_M).to_json()
        row |= {name: figures[name] for name in ("f_score", "precision", "recall")}
    views = held_out[:: max(1, len(held_out) // _VIEWS)]
    row |= compare_depth(reconstructor, as_refined(views, kept, reconstructor))
    row["as_given"] = compare_depth(reconstructor, views)
    print(json.dumps(row))
    if arguments.picture is not None and len(mesh.triangles):
        write_picture(arguments.picture, reconstructor, held_out[1::3][:2])


if __name__ == "__main__":
    main()
