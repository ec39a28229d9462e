# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A walk through the built-in room in which something moves: what of it is left in the map.

A visitor walks (`walker`), or a box is put down (`box_added`) or taken away (`box_removed`) half
way. The stream is taken with and without the filter of dynamic objects, and without the visitor.
At the end: ghost, the share of the mesh area that lies more than 5 cm in free space; how much of
the true surface the mesh finds within 2 cm; how many pixels were left out.

Run: python benchmarks/moving_objects.py walker --frames 480 --rate-hz 30
     python benchmarks/moving_objects.py walker --device cpu --frames 160 --rate-hz 8 \
         --width-px 160 --steps-per-frame 3
"""

import argparse
import json
import time
from typing import Any

import numpy as np
from rgbd_room import after_stream, rendered_frames

from ineus_core.evaluation import evaluate_mesh, sample_surface
from ineus_core.meshing import write_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

_GHOST_M, _WITHIN_M = 0.05, 0.02


def streamed(
    name: str,
    frames: list[Frame],
    source: SyntheticSource,
    filters: bool,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Take one stream, and measure what came out."""
    settings = [*args.set, f"dynamic_objects.enabled={filters}"]
    began_s = time.perf_counter()
    reconstructor = after_stream(frames, settings, args.device, args.steps_per_frame)
    mesh = reconstructor.mesh()
    if args.save:
        write_mesh(mesh, f"{args.save}-{name}-{'on' if filters else 'off'}.ply")
    distance_m = source.sdf(sample_surface(mesh, 200_000, 0).positions)
    found = evaluate_mesh(mesh, args.visible, (_WITHIN_M,)).recall[_WITHIN_M]
    counts = reconstructor.counters
    return {
        "visitor": name,
        "filter": filters,
        "ghost_percent": round(100 * float((distance_m > _GHOST_M).mean()), 3),
        "within_2cm_percent": round(100 * float((np.abs(distance_m) < _WITHIN_M).mean()), 2),
        "recall_2cm_percent": round(100 * found, 2),
        "keyframes": counts["keyframes"],
        "pixels": {k: v for k, v in counts.items() if k.startswith("pixels")},
        "wall_s": round(time.perf_counter() - began_s, 1),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("visitor", choices=("walker", "box_added", "box_removed"))
    parser.add_argument("--frames", type=int, default=480)
    parser.add_argument("--rate-hz", type=float, default=30.0)
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--steps-per-frame", type=int, default=8)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--save", help="where meshes go: this, -VISITOR-on.ply and so on")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    args = parser.parse_args()
    config = SyntheticConfig(
        frames=args.frames, rate_hz=args.rate_hz, width_px=args.width_px,
        height_px=args.width_px * 3 // 4, noise=args.noise, visitor=args.visitor,
    )  # fmt: skip
    source = SyntheticSource(config)
    few = config.model_copy(update={"frames": 60, "width_px": 160, "height_px": 120})
    args.visible = SyntheticSource(few).reference_points(100_000)
    frames = rendered_frames(config)
    for filters in (False, True):
        print(json.dumps(streamed(args.visitor, frames, source, filters, args)), flush=True)
    if args.visitor == "walker":
        empty = rendered_frames(config.model_copy(update={"visitor": "none"}))
        for filters in (False, True):
            print(json.dumps(streamed("none", empty, source, filters, args)), flush=True)


if __name__ == "__main__":
    main()
