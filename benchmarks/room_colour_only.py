# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colour only, from inside: the built-in room without depth, F-score at 5 cm by training time.

The field begins as a sphere around the cameras; what is left of it would show as surface far from
any true one. A picture shows the mesh from above and a view from inside beside the input.

Run: python benchmarks/room_colour_only.py [--seconds S ...] [--variant "NAME A.B=V A.C=V" ...]
     [--frames N] [--width-px W] [--device cpu] [--picture out.png]
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from rgbd_room import rendered_frames

from ineus_core.config import load_config
from ineus_core.evaluation import evaluate_mesh, overview_camera, psnr, render_mesh_picture
from ineus_core.files import replace_file
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

_HEIGHT_PX = 300
_STEPS_AT_ONCE = 16


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def train(
    frames: list[Frame], seconds: float, settings: list[str], device: torch.device
) -> tuple[Reconstructor, float]:
    """Train for some time, counted from the second step, rates falling in the last 40 %."""
    reconstructor = Reconstructor(load_config(None, settings), device)
    reconstructor.expect([frame.world_from_camera for frame in frames])
    for frame in frames:
        reconstructor.add_frame(frame)
    reconstructor.start()
    # The first step compiles and captures, which happens once on a machine, not once a scene.
    reconstructor.step()
    synchronise(device)
    begin, elapsed = time.perf_counter(), 0.0
    while elapsed < seconds:
        reconstructor.refine(min(1.0, (1.0 - elapsed / seconds) / 0.4))
        for _ in range(_STEPS_AT_ONCE):
            reconstructor.step()
        synchronise(device)
        elapsed = time.perf_counter() - begin
    return reconstructor, elapsed


def picture_of(reconstructor: Reconstructor, frame: Frame) -> np.ndarray:
    """Draw the mesh from above without its back faces, and a view beside the camera's picture."""
    mesh = reconstructor.current_mesh()
    pose, camera = overview_camera(mesh, _HEIGHT_PX * 16 // 9, _HEIGHT_PX)
    view = reconstructor.render(frame.camera, frame.world_from_camera)
    size = (_HEIGHT_PX * 4 // 3, _HEIGHT_PX)
    pictures = [render_mesh_picture(mesh, pose, camera)]
    pictures += [cv2.resize(p.astype(np.uint8), size) for p in (frame.rgb, view.rgb)]
    return np.concatenate(pictures, axis=1)


def main() -> None:
    """Run each variant for each duration and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, nargs="*", default=[20.0])
    parser.add_argument("--variant", action="append", default=[])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    device, width_px = torch.device(arguments.device), arguments.width_px
    scene = SyntheticConfig(
        frames=arguments.frames, width_px=width_px, height_px=width_px * 3 // 4, depth=False
    )
    frames = rendered_frames(scene)
    held_out, kept = frames[5::20], [f for i, f in enumerate(frames) if i % 20 != 5]
    source = SyntheticSource(scene)
    truth = source.reference_points(200_000)
    rows = []
    for variant in arguments.variant or ["default"]:
        name, *settings = variant.split()
        for seconds in arguments.seconds:
            reconstructor, elapsed = train(kept, seconds, settings, device)
            report, mesh = reconstructor.report(), reconstructor.mesh()
            row = {"variant": name, "seconds": round(elapsed, 1), "steps": reconstructor.steps}
            row |= {"inv_s": round(report.inv_s, 1), "triangles": len(mesh.triangles)}
            if len(mesh.triangles):
                figures = evaluate_mesh(mesh, truth, (0.02, 0.05, 0.1)).to_json()
                row |= {k: figures[k] for k in ("f_score", "precision", "recall", "accuracy_m")}
                off = np.abs(source.sdf(mesh.vertices.astype(np.float64)))
                row["share_beyond_30_cm"] = float(np.mean(off > 0.3))
            views = [reconstructor.render(f.camera, f.world_from_camera).rgb for f in held_out[:5]]
            row["psnr"] = float(
                np.mean([psnr(v, f.rgb) for v, f in zip(views, held_out, strict=False)])
            )
            row["losses"] = {k: round(v, 5) for k, v in report.losses.items() if v}
            print(json.dumps(row), flush=True)
            rows.append(picture_of(reconstructor, held_out[1]))
            if arguments.picture:
                suffix = arguments.picture.suffix
                _, encoded = cv2.imencode(suffix, np.concatenate(rows)[..., ::-1])
                replace_file(arguments.picture, encoded.tobytes())


if __name__ == "__main__":
    main()
