# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colour only: the built-in object from 100 views, F-score at 1 cm against training time.

The views have 400 x 400 pixels and exact poses.

Run: python benchmarks/object_views.py [--seconds S ...] [--set A.B=V ...]
"""

import argparse
import json
import time

import torch
from rgbd_room import rendered_frames

from ineus_core.config import load_config
from ineus_core.evaluation import evaluate_mesh, psnr
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource

SETTINGS = (
    "bounds.aabb=[-1.5,-1.5,-1.5,1.5,1.5,1.5]",
    "field.init=object",
    "training.background=white",
    "training.view_dropout=0",
    "meshing.voxel_size_m=0.01",
)


def train(frames: list, seconds: float, settings: list[str]) -> tuple[Reconstructor, float]:
    """Train for some time, counted from the first step, and give the reconstruction back."""
    config = load_config(None, [*SETTINGS, *settings])
    reconstructor = Reconstructor(config, torch.device("cuda"))
    for frame in frames:
        reconstructor.add_frame(frame)
    reconstructor.start()
    # The first steps compile and capture, which happens once on a machine, not once a scene.
    reconstructor.step()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    elapsed = 0.0
    while elapsed < seconds:
        reconstructor.refine(1.0 - elapsed / seconds)
        for _ in range(16):
            reconstructor.step()
        torch.cuda.synchronize()
        elapsed = time.perf_counter() - begin
    return reconstructor, elapsed


def main() -> None:
    """Run and print a line for each duration."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, nargs="*", default=[6.0, 12.0])
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    config = SyntheticConfig(scene="object", frames=110, depth=False)
    frames = rendered_frames(config)
    held_out, kept = frames[::11], [f for i, f in enumerate(frames) if i % 11]
    truth = SyntheticSource(config).reference_points(200_000)
    # Compiles what the measured runs need.
    train(kept, 0.5, arguments.set)
    for seconds in arguments.seconds:
        reconstructor, elapsed = train(kept, seconds, arguments.set)
        report = reconstructor.report()
        mesh = reconstructor.mesh()
        row = {"seconds": round(elapsed, 2), "steps": reconstructor.steps, "inv_s": report.inv_s}
        row["samples_per_second"] = report.samples_per_second
        row["triangles"] = len(mesh.triangles)
        if len(mesh.triangles):
            figures = evaluate_mesh(mesh, truth, (0.01, 0.02)).to_json()
            row |= {k: figures[k] for k in ("precision", "recall", "f_score")}
        views = [reconstructor.render(f.camera, f.world_from_camera).rgb for f in held_out[:4]]
        pairs = zip(views, held_out, strict=False)
        row["psnr"] = sum(psnr(view, frame.rgb) for view, frame in pairs) / len(views)
        row["losses"] = {k: round(v, 5) for k, v in report.losses.items()}
        row["peak_gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
