# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures with alpha, as `ineus run FOLDER` takes them by default, beside settings of the seed.

A built-in scene from outside is written in the layout of NeRF-Synthetic: RGBA views, without
depth. Each arm is a run in a process of its own, with every tenth view held out: PSNR of those,
and F-score of the mesh at 1 and 2 cm against the true surface. A run of a second before each arm
compiles its kernels.

Run: python benchmarks/alpha_by_default.py [--scene object|machine] [--seconds S ...] [--device D]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rgbd_room import rendered_frames
from seed_quality import SEED, smaller, write_scene

from ineus_core.evaluation import evaluate_mesh
from ineus_core.meshing import read_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource

_HOLD_OUT = 10
_WITHIN_M = (0.01, 0.02)


def run(folder: Path, out: Path, seconds: float, words: list[str], device: str) -> dict[str, Any]:
    """Run `ineus run` and return its report, or raise what it said."""
    command = [sys.executable, "-m", "ineus_core.cli", "run", str(folder), "--out", str(out)]
    command += ["--seconds", str(seconds), "--hold-out", str(_HOLD_OUT), "--device", device]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads((out / "report.json").read_text())


def main() -> None:
    """Run and print a line for each arm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scene", choices=("machine", "object"), default="object")
    parser.add_argument("--seconds", type=float, nargs="*", default=[6.0])
    parser.add_argument("--width-px", type=int, default=400)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    scene = SyntheticConfig(
        scene=args.scene, frames=args.frames, width_px=2 * args.width_px,
        height_px=2 * args.width_px, depth=False,
    )  # fmt: skip
    truth = SyntheticSource(scene).reference_points(200_000)
    frames = [smaller(frame, 2) for frame in rendered_frames(scene)]
    arms = {"default": [], "neus-blender": ["--config", str(SEED / "neus-blender.yaml")]}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "pictures"
        write_scene(folder, frames)
        for name, words in arms.items():
            run(folder, Path(temporary) / f"{name}-first", 1.0, words, args.device)
            for seconds in args.seconds:
                out = Path(temporary) / f"{name}-{seconds}"
                report = run(folder, out, seconds, words, args.device)
                mesh = read_mesh(out / "mesh.ply")
                figures = evaluate_mesh(mesh, truth, _WITHIN_M).to_json()
                row = {"scene": args.scene, "arm": name, "seconds": round(report["wall_s"], 2)}
                row |= {"steps": report["steps"], "held_out": report["held_out"]}
                row |= {key: figures[key] for key in ("precision", "recall", "f_score")}
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
