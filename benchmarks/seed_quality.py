# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out PSNR against training time with settings of the seed, from pictures in its format.

Writes the built-in machine, an object as hard as those of toy bricks, as a folder in the layout of
NeRF-Synthetic: 100 RGBA views to train on, 20 between them to measure on, each pixel the mean over
its area as a renderer of films makes it. Then it trains each of the settings from that folder as
`ineus run` would and stops the clock to measure.

Run: python benchmarks/seed_quality.py [--settings NAME ...] [--seconds S ...] [--width-px W]
     [--scene machine|object] [--device D] [--set A.B=V ...] [--pictures DIR]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from rgbd_room import rendered_frames

from ineus_core.config import load_config
from ineus_core.evaluation import psnr, ssim
from ineus_core.geometry import OPENGL_CAMERA_FROM_CAMERA, rigid_inverse
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, open_source
from ineus_core.types import Camera, Frame

SEED = Path(__file__).parents[1] / "config" / "seed"
TRAINED, HELD_OUT_EVERY = 100, 6


def smaller(frame: Frame, factor: int) -> Frame:
    """Return the frame with each pixel the mean of a square, this many pixels to a side."""
    camera = frame.camera
    width_px, height_px = camera.width_px // factor, camera.height_px // factor
    camera = Camera(
        width_px, height_px, camera.fx / factor, camera.fy / factor, camera.cx / factor,
        camera.cy / factor,
    )  # fmt: skip
    rgb, share = (
        cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_AREA)
        for image in (frame.rgb, np.float32(frame.foreground))
    )
    return Frame(frame.stamp_ns, camera, frame.world_from_camera, rgb, foreground=share)


def write_scene(folder: Path, frames: list[Frame]) -> None:
    """Write frames as the splits train and test, colours without their white background."""
    camera = frames[0].camera
    splits = {"test": frames[::HELD_OUT_EVERY]}
    splits["train"] = [f for i, f in enumerate(frames) if i % HELD_OUT_EVERY]
    opengl = rigid_inverse(OPENGL_CAMERA_FROM_CAMERA)
    for split, some in splits.items():
        (folder / split).mkdir(parents=True)
        listed = []
        for i, frame in enumerate(some):
            assert frame.foreground is not None
            share = frame.foreground[..., None].astype(np.float64)
            colour = (frame.rgb - 255.0 * (1 - share)) / np.maximum(share, 1e-3)
            rgba = np.concatenate((colour[..., ::-1].clip(0, 255), 255 * share), axis=2)
            file = folder / split / f"r_{i}.png"
            cv2.imwrite(str(file), np.round(rgba).astype(np.uint8))
            pose = (frame.world_from_camera @ opengl).tolist()
            listed.append({"file_path": f"./{split}/r_{i}", "transform_matrix": pose})
        angle = 2 * np.arctan(0.5 * camera.width_px / camera.fx)
        text = json.dumps({"camera_angle_x": angle, "frames": listed})
        (folder / f"transforms_{split}.json").write_text(text)


def wait(device: torch.device) -> None:
    """Let the device finish."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def measured(reconstructor: Reconstructor, frames: list[Frame]) -> tuple[float, float]:
    """Mean PSNR and SSIM of the views of frames."""
    views = [reconstructor.render(f.camera, f.world_from_camera).rgb for f in frames]
    pairs = list(zip(views, (f.rgb for f in frames), strict=True))
    return float(np.mean([psnr(*p) for p in pairs])), float(np.mean([ssim(*p) for p in pairs]))


def train(
    folder: Path, name: str, seconds: list[float], device: torch.device, settings: list[str]
) -> Reconstructor:
    """Train with one of the settings and print a line at each of the times."""
    config = load_config(SEED / f"{name}.yaml", settings)
    trained = list(open_source(str(folder), "blender", config.source))
    of_test = load_config(SEED / f"{name}.yaml", [*settings, "source.blender.split=test"])
    held_out = list(open_source(str(folder), "blender", of_test.source))
    reconstructor = Reconstructor(config, device)
    for frame in trained:
        reconstructor.add_frame(frame)
    reconstructor.start()
    # The first steps compile and capture, which happens once on a machine, not once a scene.
    for _ in range(2 * config.occupancy.update_every):
        reconstructor.step()
    wait(device)
    elapsed, begin_step = 0.0, reconstructor.steps
    for until in seconds:
        began, before = time.perf_counter(), elapsed
        while elapsed < until:
            for _ in range(4):
                reconstructor.step()
            if reconstructor.steps % 16 == 0 or device.type == "cpu":
                wait(device)
                elapsed = before + time.perf_counter() - began
        report = reconstructor.report()
        row = {"settings": name, "seconds": round(elapsed, 2), "steps": reconstructor.steps}
        row["step"] = type(reconstructor.reconstruction.train_step).__name__
        row["ms_a_step"] = round(1e3 * elapsed / (reconstructor.steps - begin_step), 2)
        row["psnr"], row["ssim"] = (round(x, 3) for x in measured(reconstructor, held_out))
        row["psnr_trained"] = round(measured(reconstructor, trained[::20])[0], 2)
        row["inv_s"] = round(report.inv_s, 1)
        row["losses"] = {k: round(v, 6) for k, v in report.losses.items() if v}
        row["counters"] = report.counters
        row["peak_gpu_mb"] = round(report.memory_mb["peak_gpu_mb"])
        print(json.dumps(row), flush=True)
    return reconstructor


def save_pictures(reconstructor: Reconstructor, frame: Frame, file: Path) -> None:
    """Put the expected picture, the rendered one and four times their difference side by side."""
    view = reconstructor.render(frame.camera, frame.world_from_camera).rgb
    off = (4 * np.abs(view.astype(int) - frame.rgb)).clip(0, 255).astype(np.uint8)
    cv2.imwrite(str(file), np.hstack((frame.rgb, view, off))[..., ::-1])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", nargs="*", default=["neus-blender", "nerf-blender"])
    parser.add_argument("--seconds", type=float, nargs="*", default=[3.0, 6.0, 12.0])
    parser.add_argument("--width-px", type=int, default=400)
    parser.add_argument("--supersample", type=int, default=2, help="rays along a pixel's side")
    parser.add_argument("--frames", type=int, default=TRAINED * HELD_OUT_EVERY // 5)
    parser.add_argument("--scene", choices=("machine", "object"), default="machine")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    width_px, factor = arguments.width_px, arguments.supersample
    scene = SyntheticConfig(
        scene=arguments.scene, frames=arguments.frames, width_px=factor * width_px,
        height_px=factor * width_px, depth=False,
    )  # fmt: skip
    frames = [smaller(frame, factor) for frame in rendered_frames(scene)]
    with tempfile.TemporaryDirectory() as folder:
        write_scene(Path(folder), frames)
        print(json.dumps({"scene": arguments.scene, "width_px": width_px}), flush=True)
        for name in arguments.settings:
            device = torch.device(arguments.device)
            made = train(Path(folder), name, arguments.seconds, device, arguments.set)
            if arguments.pictures:
                arguments.pictures.mkdir(parents=True, exist_ok=True)
                save_pictures(made, frames[HELD_OUT_EVERY], arguments.pictures / f"{name}.png")


if __name__ == "__main__":
    main()
