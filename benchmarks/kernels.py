# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Times of the GPU kernels and of a whole training step, each replayed from a CUDA graph.

Run with `python benchmarks/kernels.py [--json FILE] [--train STEPS]`.
"""

import argparse
import datetime
import json
import platform
import time
from pathlib import Path

import torch
import triton
from training_step import BALL_M, HALF_SIDE_M, Step

from ineus_core.bench import captured_ms


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rays", type=int, default=6912)
    parser.add_argument("--samples", type=int, default=1 << 18)
    parser.add_argument("--run-levels", type=int, default=10)
    parser.add_argument(
        "--sparse", action="store_true", help="leave table rows without gradient alone"
    )
    parser.add_argument("--train", type=int, default=0, help="captured steps to train afterwards")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    step = Step(args.rays, args.samples, args.sparse, args.run_levels)
    for _ in range(2):
        step()
    result = {name: captured_ms(piece) for name, piece in step.pieces().items()}
    result["sum of parts"] = sum(result.values())
    result["whole step"] = captured_ms(step, calls=1)
    used = int(step.total)
    for name, value in result.items():
        print(f"{name:22s} {value:8.4f} ms")
    rate = used / result["whole step"] / 1e3
    print(f"{used} samples of {args.samples} used, {rate:.1f} M samples/s")
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}, "
        f"python {platform.python_version()}, {datetime.date.today()}"
    )
    if args.train:
        # Before any step, all of the space is sampled: fewer rays fill the budget.
        _train(Step(608, args.samples, args.sparse, args.run_levels, at_start=True), args.train)
    if args.json:
        args.json.write_text(
            json.dumps({"ms": result, "samples": used, "msamples_per_s": rate}, indent=1)
        )


def _train(step: Step, steps: int, warm_up: int = 500) -> None:
    """Show that the captured step learns the ball, in a scene of which nothing is known."""
    rate = float(step.lr)
    step.lr.fill_(0.0)
    for _ in range(2):
        step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    begin = time.perf_counter()
    for i in range(steps):
        step.lr.fill_(rate * min(1.0, (i + 1) / warm_up) * 0.1 ** max(0.0, i / steps))
        graph.replay()
        if (i + 1) % max(1, steps // 6) == 0:
            _show(step, i + 1, time.perf_counter() - begin)


def _show(step: Step, count: int, seconds: float) -> None:
    photometric, eikonal = step.losses.tolist()
    used = int(step.total)
    distance = (step.points[:used] * 2 - 1).norm(dim=1) * HALF_SIDE_M - BALL_M
    near = distance.abs() < 0.05
    error_mm = 1e3 * float((step.output.sdf[:used] - distance)[near].abs().mean())
    print(
        f"{seconds:6.2f} s, step {count}: mse {photometric:.5f}, "
        f"eikonal {eikonal / max(used, 1):.5f}, inv_s {float(step.inv_s):.1f}, "
        f"mean |sdf error| near the surface {error_mm:.2f} mm"
    )


if __name__ == "__main__":
    main()
