# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The built-in room by a camera whose exposure and white balance vary: what is left of that.

Colours are multiplied by gains that drift and jump along the walk (`--change`; 0: constant). The
stream is taken with and without correction. At the end: error of the gains of keyframes, PSNR of
the field's views and of the mesh's vertices against the colours of the constant exposure, F-score
at 2 cm, and what a keyframe costs.

Run: python benchmarks/exposure.py --change 0.6
     python benchmarks/exposure.py --change 0
"""

import argparse
import json
import time
from typing import Any

import numpy as np
from jaxtyping import Float
from rgbd_room import after_stream, rendered_frames, train_on

from ineus_core.evaluation import evaluate_mesh, psnr, sample_surface
from ineus_core.exposure import ExposureConfig, ExposureCorrection
from ineus_core.geometry import project, rigid_inverse
from ineus_core.meshing import write_mesh
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame, Mesh

_WITHIN_M = 0.02
_VIEWS = 6


def vertex_psnr(mesh: Mesh, frames: list[Frame]) -> float:
    """Compare colours of vertices with those of the pixels that they are seen in."""
    squared = []
    for frame in frames:
        pose = rigid_inverse(frame.world_from_camera)
        points = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
        ahead = np.nonzero(points[:, 2] > 0.1)[0]
        columns, rows = np.floor(project(frame.camera, points[ahead])).astype(int).T
        inside = (columns >= 0) & (columns < frame.camera.width_px)
        inside &= (rows >= 0) & (rows < frame.camera.height_px)
        seen, columns, rows = ahead[inside], columns[inside], rows[inside]
        assert frame.depth_m is not None
        is_near = np.abs(frame.depth_m[rows, columns] - points[seen, 2]) < _WITHIN_M
        given = frame.rgb[rows, columns][is_near].astype(float)
        squared.append((mesh.colours[seen][is_near] - given) ** 2)
    return float(10 * np.log10(255.0**2 / np.concatenate(squared).mean()))


def measured(
    reconstructor: Reconstructor,
    truth: list[Frame],
    source: SyntheticSource,
    visible: Float[np.ndarray, "n 3"],
) -> dict[str, Any]:
    """Measure what came out, against the frames of constant exposure."""
    mesh = reconstructor.mesh()
    views = truth[:: len(truth) // _VIEWS]
    of_field = [
        psnr(reconstructor.render(view.camera, view.world_from_camera).rgb, view.rgb)
        for view in views
    ]
    right = float(
        (np.abs(source.sdf(sample_surface(mesh, 200_000, 0).positions)) < _WITHIN_M).mean()
    )
    found = evaluate_mesh(mesh, visible, (_WITHIN_M,)).recall[_WITHIN_M]
    counts = reconstructor.counters
    return {
        "psnr_field_db": round(float(np.mean(of_field)), 2),
        "psnr_vertices_db": round(vertex_psnr(mesh, views), 2),
        "f_2cm_percent": round(200 * right * found / (right + found), 2),
        "keyframes": counts["keyframes"],
        "corrected": counts["keyframes_exposure_corrected"],
    }


def gain_errors(frames: list[Frame], source: SyntheticSource) -> dict[str, Any]:
    """Take all frames as keyframes; error of their gains, with and without what all share."""
    correction, took, off = ExposureCorrection(ExposureConfig(), 0.1, 10.0), [], []
    for index, frame in enumerate(frames):
        began_s = time.thread_time()
        correction.add(frame)
        took.append(time.thread_time() - began_s)
        gain = correction.gain_of((frame.stamp_ns, 0))
        assert gain is not None
        off.append(np.log(gain * source.exposure_gains(index)))
    given = [np.log(source.exposure_gains(index)) for index in range(len(frames))]
    shared = off - np.median(off, axis=0)
    return {
        "given_percent_mean_max": [
            round(100 * float(f(np.abs(given))), 2) for f in (np.mean, np.max)
        ],
        "left_percent_mean_max": [
            round(100 * float(f(np.abs(off))), 2) for f in (np.mean, np.max)
        ],
        "between_keyframes_percent_mean_max": [
            round(100 * float(f(np.abs(shared))), 2) for f in (np.mean, np.max)
        ],
        "core_ms_median": round(1e3 * float(np.median(took)), 2),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--change", type=float, default=0.6)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rate-hz", type=float, default=4.0)
    parser.add_argument("--width-px", type=int, default=160)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--steps-per-frame", type=int, default=3)
    parser.add_argument("--final-steps", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--save", help="where meshes go: this, -on.ply and so on")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    args = parser.parse_args()
    constant = SyntheticConfig(
        frames=args.frames, rate_hz=args.rate_hz, width_px=args.width_px,
        height_px=args.width_px * 3 // 4, noise=args.noise,
    )  # fmt: skip
    config = constant.model_copy(update={"exposure_change": args.change})
    source, truth = SyntheticSource(config), rendered_frames(constant)
    frames = truth if args.change == 0 else rendered_frames(config)
    print(json.dumps({"change": args.change} | gain_errors(frames, source)), flush=True)
    few = constant.model_copy(update={"frames": 30, "width_px": 160, "height_px": 120})
    visible = SyntheticSource(few).reference_points(50_000)
    for corrects in (False, True):
        settings = [*args.set, f"exposure.enabled={corrects}"]
        reconstructor = after_stream(frames, settings, args.device, args.steps_per_frame)
        train_on(reconstructor, args.final_steps)
        row = measured(reconstructor, truth, source, visible)
        print(json.dumps({"corrects": corrects} | row), flush=True)
        if args.save:
            write_mesh(
                reconstructor.current_mesh(), f"{args.save}-{'on' if corrects else 'off'}.ply"
            )


if __name__ == "__main__":
    main()
