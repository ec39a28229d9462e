# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Holes of a recorded sensor: returns removed on purpose, and how right what fills them is.

All returns within balls around some places of the scene are taken from every frame, as if things
there returned nothing. Keyframes are taken in as in a run, without any step, and what they then
hold in place of these returns is compared with them.

Run: python benchmarks/filled_holes.py FOLDER [--balls N] [--radius-m R] [--set A.B=V]
"""

import argparse
import json
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from failing_depth import points_of
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from ineus_core.config import load_config
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import open_source
from ineus_core.types import Frame

_WITHIN_M = (0.02, 0.05)
_STRIDE_PX = 16


def some_places(frames: list[Frame], count: int) -> Float[np.ndarray, "n 3"]:
    """Choose places on surfaces, far from each other and some in each part of the recording."""
    rng = np.random.default_rng(0)
    seen = [
        points_of(f)[::_STRIDE_PX, ::_STRIDE_PX][f.depth_m[::_STRIDE_PX, ::_STRIDE_PX] > 0]
        for f in frames
        if f.depth_m is not None
    ]
    points = np.concatenate(seen)
    chosen = [points[rng.integers(len(points))]]
    for _ in range(count - 1):
        candidates = points[rng.integers(len(points), size=32)]
        away_m = cKDTree(np.array(chosen)).query(candidates)[0]
        chosen.append(candidates[away_m.argmax()])
    return np.array(chosen)


def removed(frame: Frame, places: cKDTree, radius_m: float) -> Bool[np.ndarray, "h w"]:
    """Return which returns are taken away."""
    assert frame.depth_m is not None
    away_m = places.query(points_of(frame).reshape(-1, 3), distance_upper_bound=radius_m)[0]
    return np.isfinite(away_m).reshape(frame.depth_m.shape) & (frame.depth_m > 0)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", help="a source with depth")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--balls", type=int, default=12)
    parser.add_argument("--radius-m", type=float, default=0.15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    return parser.parse_args()


def main() -> None:
    """Run and print."""
    arguments = parsed()
    frames = list(islice(open_source(arguments.folder), arguments.frames))
    places = cKDTree(some_places(frames, arguments.balls))
    config = load_config(overrides=["stereo.fill_holes=always", *arguments.set])
    reconstructor = Reconstructor(config, torch.device(arguments.device))
    gone = {}
    for frame in frames:
        assert frame.depth_m is not None
        key = frame.stamp_ns, frame.camera_id
        gone[key] = removed(frame, places, arguments.radius_m), frame.depth_m
        left_m = np.where(gone[key][0], np.float32(0), frame.depth_m)
        reconstructor.add_frame(replace(frame, depth_m=left_m))
    reconstructor.start()
    buffer = reconstructor.reconstruction.buffer
    taken, errors_m, depth_m = 0, [], []
    for key in buffer.ids:
        held = buffer.frame_of(key)
        if held is None or held.depth_m is None:
            continue
        is_gone, true_m = gone[key]
        step = is_gone.shape[0] // held.depth_m.shape[0]
        some = np.s_[step // 2 :: step, step // 2 :: step]
        is_gone, true_m = is_gone[some], true_m[some]
        is_filled = is_gone & (held.depth_m > 0)
        taken += int(is_gone.sum())
        errors_m.append((held.depth_m - true_m)[is_filled])
        depth_m.append(true_m[is_filled])
    off_m, at_m = np.abs(np.concatenate(errors_m)), np.concatenate(depth_m)
    row: dict[str, Any] = {
        "keyframes": len(buffer.ids),
        "removed_px": taken,
        "filled": round(len(off_m) / taken, 3),
    }
    if len(off_m):
        row |= {
            "within_2_5_cm": [round(float((off_m < limit).mean()), 3) for limit in _WITHIN_M],
            "within_2_percent": round(float((off_m < 0.02 * at_m).mean()), 3),
            "median_cm": round(100 * float(np.median(off_m)), 2),
            "depth_m": round(float(np.median(at_m)), 2),
        }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
