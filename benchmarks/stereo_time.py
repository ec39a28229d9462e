# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The time that depth from motion takes for a keyframe: of the device, of the host, by part.

Keyframes of the built-in room; each part runs many times over on one of them, with its four best
sources. On a GPU the time of the host is that until everything has been asked for, and nothing of
it may wait for the device.

Run: python benchmarks/stereo_time.py [--width-px W] [--device cpu] [--repeats N]
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from rgbd_room import frames_of

from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.stereo import DepthFromMotion, StereoConfig
from ineus_core.stereo.check import check, normals_of
from ineus_core.stereo.neighbours import pick_sources
from ineus_core.stereo.sweep import sweep
from ineus_core.stereo.view import StereoView
from ineus_core.types import Frame

_EVERY = 5
"""Frames from one keyframe to the next, at 30 Hz."""


def milliseconds(
    function: Callable[[], Any], device: torch.device, repeats: int
) -> dict[str, float]:
    """Median time of a call on the device and on the host."""
    for _ in range(3):
        function()
    whole, host = [], []
    for _ in range(repeats):
        if device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")
        begin = time.perf_counter()
        function()
        host.append(time.perf_counter() - begin)
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
            torch.cuda.synchronize()
        whole.append(time.perf_counter() - begin)
    return {"ms": 1e3 * float(np.median(whole)), "host_ms": 1e3 * float(np.median(host))}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--width-px", type=int, default=640)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    device, config = torch.device(arguments.device), StereoConfig()
    frames = keyframes(arguments.width_px)
    views = [StereoView(frame, arguments.width_px, device) for frame in frames]
    given = [np.concatenate([_points(frame) for frame in frames])]
    stereo = DepthFromMotion(config, device, given[0])
    found = [depth for frame in frames for depth in stereo.add(frame)] + stereo.finish()
    middle = views[len(views) // 2]
    sources = {v.id: pick_sources(v, [o for o in views if o is not v], given[0], 4) for v in views}
    for view in views:
        view.measured = sweep(view, sources[view.id], 2.0, config)
    others = [view for view in views if view is not middle]
    checked = check(middle, others, config)
    parts: dict[str, Callable[[], Any]] = {
        "picture": lambda: StereoView(frames[0], arguments.width_px, device),
        "sweep": lambda: sweep(middle, sources[middle.id], 2.0, config),
        "check": lambda: check(middle, others, config),
        "normals": lambda: normals_of(checked.depth, middle.levels[0].plane_xy),
    }
    row: dict[str, Any] = {"width_px": arguments.width_px, "device": str(device)}
    row["sources"], row["others"] = len(sources[middle.id]), len(others)
    row["coverage_of_finals"] = [float((d.depth_m > 0).mean()) for d in found if d.is_final]
    row |= {name: milliseconds(part, device, arguments.repeats) for name, part in parts.items()}
    row["sum_ms"] = sum(row[name]["ms"] for name in parts)
    print(json.dumps(row))


def keyframes(width_px: int) -> list[Frame]:
    """Render seven pictures of the room, a keyframe apart."""
    scene = SyntheticConfig(frames=600, rate_hz=30, width_px=width_px, height_px=width_px * 3 // 4)
    return frames_of(partial(SyntheticSource, scene), range(0, 7 * _EVERY, _EVERY))


def _points(frame: Frame) -> np.ndarray:
    """Return some points on what a frame shows, world."""
    assert frame.depth_m is not None
    camera, depth = frame.camera, frame.depth_m[8::16, 8::16].astype(np.float64)
    v, u = np.mgrid[8.5 : camera.height_px : 16, 8.5 : camera.width_px : 16]
    x, y = (u - camera.cx) / camera.fx * depth, (v - camera.cy) / camera.fy * depth
    points = np.stack((x, y, depth), axis=-1).reshape(-1, 3)
    return points @ frame.world_from_camera[:3, :3].T + frame.world_from_camera[:3, 3]


if __name__ == "__main__":
    main()
