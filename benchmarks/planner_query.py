# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Distances of many points for a planner: how long they take, in whole and in parts; how right.

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
from scipy.spatial import cKDTree

from ineus_core.config import Config
from ineus_core.planning import PlanningAnswer
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource

_IN_PICTURE_M = 0.03
"""A place of the surface is in a picture if one of the points that pixels show is so near."""


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
    low, high = reconstructor.reconstruction.grid.aabb.cpu().numpy()
    points = np.random.default_rng(0).uniform(low, high, (arguments.points, 3))
    points = points.astype(np.float32)
    figures: dict[str, Any] = {"points": arguments.points, "ms": "median, 95 %, longest"}
    answer = reconstructor.query(points)
    figures["query"] = wall_ms(lambda: reconstructor.query(points), arguments.calls)
    figures |= errors(source, points, answer)
    figures |= parts(reconstructor, points, arguments.calls)
    print(json.dumps(figures, indent=1))


def errors(
    source: SyntheticSource, points: np.ndarray[Any, Any], answer: PlanningAnswer
) -> dict[str, Any]:
    """Against the true distance, of what was observed within 1 m of a surface.

    The true direction is not defined where two surfaces are equally near; by an error of 2 cm in
    the place it turns over in their neighbourhood, so angles are given without it, too. Nor can
    a map know the way to a surface that is in no picture.
    """
    true_m = source.sdf(points.astype(np.float64))
    near = answer.observed & (np.abs(true_m) < 1.0)
    place, found = points[near].astype(np.float64), answer.gradient[near]
    true = true_directions(source, place)
    steps = 0.02 * np.vstack((np.eye(3), -np.eye(3)))
    beside = [true_directions(source, place + step) for step in steps]
    turns_deg = np.max([angles_deg(true, other) for other in beside], axis=0)
    off_deg = angles_deg(true, found)
    steady = turns_deg < 15.0
    nearest = place - true_m[near, None] * true
    seen = cKDTree(source.reference_points(400_000)).query(nearest, workers=-1)[0] < _IN_PICTURE_M
    return {
        "observed_within_1m": int(near.sum()),
        "mean_error_m": float(np.abs(answer.distance_m - true_m)[near].mean()),
        "direction": _summary(off_deg, np.ones_like(steady)),
        "direction where it is steady": _summary(off_deg, steady),
        "and the nearest surface is in a picture": _summary(off_deg, steady & seen),
    }


def _summary(off_deg: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> dict[str, float]:
    chosen = off_deg[of]
    figures = {
        "share_of_points": of.mean(),
        "mean_deg": chosen.mean(),
        "median_deg": np.median(chosen),
        "share_within_10_deg": (chosen < 10.0).mean(),
    }
    return {name: round(float(figure), 4) for name, figure in figures.items()}


def true_directions(source: SyntheticSource, points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return unit gradients of the true distance."""
    steps = 1e-3 * np.eye(3)
    gradient = np.stack([source.sdf(points + s) - source.sdf(points - s) for s in steps], axis=1)
    return gradient / np.linalg.norm(gradient, axis=1, keepdims=True).clip(1e-9)


def angles_deg(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Angles between unit vectors."""
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=1), -1.0, 1.0)))


@torch.no_grad()
def parts(
    reconstructor: Reconstructor, points: np.ndarray[Any, Any], calls: int
) -> dict[str, Any]:
    """Measure the parts of a query, each alone."""
    made = reconstructor.reconstruction
    planner, scene = made.planner, made.planning_scene()
    given = torch.as_tensor(points).to(reconstructor.device)
    host = torch.zeros((len(points), 5), device=reconstructor.device)
    distances = planner._map_of(scene)
    outward = planner._ask(given, scene)[1]
    return {
        "points to the device": wall_ms(
            lambda: torch.as_tensor(points).to(reconstructor.device), calls
        ),
        "closest surface": wall_ms(lambda: distances.closest(given), calls),
        "field": wall_ms(lambda: scene.sdf(given), calls),
        "distance on the device": wall_ms(lambda: planner._ask(given, scene), calls),
        "direction on the device": wall_ms(
            lambda: planner._steadied(outward, given, scene), calls
        ),
        "answer to the host": wall_ms(lambda: host.cpu().numpy(), calls),
    }


if __name__ == "__main__":
    main()
