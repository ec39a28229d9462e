# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How long the distances of many points take a planner: whole queries and their parts, wall time.

The built-in room, reconstructed from 40 frames with 1,000 steps; points anywhere in its box.

Run: python benchmarks/planner_query.py [--points N] [--calls N] [--device DEVICE]
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rgbd_room import rendered_frames

from ineus_core.config import Config
from ineus_core.reconstructor import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource


def wall_ms(function: Callable[[], Any], calls: int) -> list[float]:
    """Median, 95th percentile and longest wall time of a call, the device's work included."""
    times = []
    for _ in range(calls + 3):
        _wait()
        begin = time.perf_counter()
        function()
        _wait()
        times.append(1e3 * (time.perf_counter() - begin))
    return [round(float(np.percentile(times[3:], share)), 3) for share in (50, 95, 100)]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    scene = SyntheticConfig(frames=40, width_px=320, height_px=240)
    source, frames = SyntheticSource(scene), rendered_frames(scene)
    reconstructor = Reconstructor(Config(), device)
    for frame in frames:
        reconstructor.add_frame(frame)
    for _ in range(arguments.steps):
        reconstructor.step()
    reconstructor.extract_mesh(everything=True)
    low, high = reconstructor.grid.aabb.cpu().numpy()  # type: ignore[union-attr]
    points = np.random.default_rng(0).uniform(low, high, (arguments.points, 3))
    points = points.astype(np.float32)
    figures: dict[str, Any] = {"points": arguments.points, "ms": "median, 95 %, longest"}
    answer = reconstructor.query(points)
    figures["query"] = wall_ms(lambda: reconstructor.query(points), arguments.calls)
    near = answer.observed & (np.abs(answer.distance_m) < 1.0)
    error_m = np.abs(answer.distance_m - source.sdf(points.astype(np.float64)))[near]
    figures["mean_error_m_within_1m"] = float(error_m.mean())
    figures |= parts(reconstructor, points, arguments.calls)
    print(json.dumps(figures, indent=1))


@torch.no_grad()
def parts(
    reconstructor: Reconstructor, points: np.ndarray[Any, Any], calls: int
) -> dict[str, Any]:
    """Times of the parts of a query, each alone."""
    planner, scene = reconstructor._planner, reconstructor._planning_scene()
    assert scene is not None
    given = torch.as_tensor(points).to(reconstructor.device)
    zeros = torch.zeros_like(given)
    host = torch.zeros((len(points), 5), device=reconstructor.device)
    distances = planner._map_of(scene)
    return {
        "points to the device": wall_ms(
            lambda: torch.as_tensor(points).to(reconstructor.device), calls
        ),
        "closest surface": wall_ms(lambda: distances.closest(given), calls),
        "field": wall_ms(lambda: scene.field(given, zeros), calls),
        "all on the device": wall_ms(lambda: planner._ask(given, scene), calls),
        "answer to the host": wall_ms(lambda: host.cpu().numpy(), calls),
    }


if __name__ == "__main__":
    main()
