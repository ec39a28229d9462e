# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run` on a folder of PNG files, on one GPU and on several: how long, how busy a GPU is.

The folder holds a walk through the built-in room and the same way back, with depth. A run is what
a user would type, in processes of its own; the first of them compiles kernels where none are on
disk, which `--again` shows beside a second one. How busy: the share of time in which the first GPU
ran any kernel, as its driver says ten times a second, in the busiest stretch that is as long as
training with its stream less a second.

Run: python benchmarks/offline.py [--frames N] [--steps N] [--gpus N ...] [--again]
     [--folder DIR] [--device D] [--set A.B=V ...]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rgbd_room import rendered_frames

from ineus_core.sources import SyntheticConfig
from ineus_core.types import Frame

_BUSY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms=100")


def write_folder(folder: Path, frames: int, width_px: int) -> None:
    """Write half of the frames and, backwards, the same again, at 30 Hz."""
    scene = SyntheticConfig(
        frames=frames // 2, width_px=width_px, height_px=width_px * 3 // 4, noise=1.0
    )
    there = rendered_frames(scene)
    walk = [*there, *there[::-1]]
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)

    def write(index: int) -> None:
        frame, name = walk[index], f"{index:06}.png"
        assert frame.depth_m is not None
        depth_mm = np.rint(1e3 * frame.depth_m).astype(np.uint16)
        cv2.imwrite(str(folder / "images" / name), frame.rgb[..., ::-1])
        cv2.imwrite(str(folder / "depth" / name), depth_mm)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(len(walk))))
    lines = [_pose_line(index, frame) for index, frame in enumerate(walk)]
    (folder / "poses.txt").write_text("\n".join(lines) + "\n")
    camera = there[0].camera
    sizes = {"width": camera.width_px, "height": camera.height_px}
    lens = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy}
    (folder / "intrinsics.json").write_text(json.dumps(sizes | lens))


def _pose_line(index: int, frame: Frame) -> str:
    numbers = " ".join(str(x) for x in frame.world_from_camera[:3].reshape(-1))
    return f"{index:06} {index / 30:.6f} {numbers}"


class BusyGpu:
    """Samples of how busy the first GPU is, with the time of each."""

    def __init__(self) -> None:
        """Start to sample."""
        self._samples: list[tuple[float, float]] = []
        self._process = subprocess.Popen([*_BUSY, "--id=0"], stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._samples.append((time.monotonic(), float(line)))

    def mean_percent(self, seconds: float) -> float:
        """End, and return the mean of the busiest stretch of so many seconds."""
        self._process.terminate()
        self._thread.join(5.0)
        times_s, percent = np.array(self._samples).T
        ends = np.searchsorted(times_s, times_s + seconds)
        sums = np.concatenate(([0.0], np.cumsum(percent)))
        whole = ends < len(times_s)
        means = (sums[ends] - sums[: len(ends)]) / np.maximum(ends - np.arange(len(ends)), 1)
        return float(means[whole].max()) if whole.any() else float(percent.mean())


def run(folder: Path, out: Path, gpus: int, args: argparse.Namespace) -> dict[str, Any]:
    """Run once in processes of its own, and say what it took."""
    words = ["-m", "ineus_core.cli", "run", str(folder), "--out", str(out)]
    words += ["--steps", str(args.steps), "--device", args.device]
    words += [word for setting in args.set for word in ("--set", setting)]
    if gpus > 1:
        ranks = ["-m", "torch.distributed.run", f"--nproc-per-node={gpus}"]
        words = [*ranks, "--master-addr=127.0.0.1", *words]
    busy, begin_s = BusyGpu(), time.monotonic()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    took_s = time.monotonic() - begin_s
    if done.returncode:
        return {"gpus": gpus, "exit": done.returncode, "words": done.stderr[-3000:]}
    report = json.loads((out / "report.json").read_text())
    trained_s = report["wall_s"]
    return {
        "gpus": gpus,
        "process_s": round(took_s, 1),
        "training_with_stream_s": round(trained_s, 2),
        "stream_s": round(report["stream_wall_s"], 2),
        "steps": report["steps"],
        "rays_per_second_of_a_gpu": round(report["rays_per_second"]),
        "busy_percent": round(busy.mean_percent(max(trained_s - 1.0, 0.5)), 1),
        "counters": {key: report[key] for key in ("frames_in", "frames_used", "keyframes")},
    }


def main() -> None:
    """Write the folder where it is not there, run, and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--gpus", type=int, nargs="*", default=[1])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--again", action="store_true", help="each a second time")
    parser.add_argument("--folder", type=Path, help="kept, and used as it is if it is there")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary) / "walk"
        if not folder.exists():
            write_folder(folder, args.frames, args.width_px)
        for gpus in args.gpus:
            for turn in range(1 + args.again):
                figures = run(folder, Path(temporary) / f"out{gpus}-{turn}", gpus, args)
                print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
