# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid and a training step on a CPU, with plain torch and with numba, on one thread.

The figures are the least processor time of several calls, which is what they would take alone:
another program on the machine hardly changes it.

Run: python benchmarks/cpu_kernels.py [--points N] [--levels L] [--json]
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

# Read when numba is imported.
os.environ["NUMBA_NUM_THREADS"] = "1"

import torch

from ineus_core.bench.measure import machine
from ineus_core.bench.work import built_in_work, prepared
from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid import cpu as hash_grid_numba
from ineus_core.kernels.hash_grid import reference as hash_grid_torch

CPU = torch.device("cpu")


def cpu_ms(function: Callable[[], Any], repeats: int) -> float:
    """Least processor time of a call."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(1e3 * (time.process_time() - begin))
    return min(times)


def grid_ms(kernels: ModuleType, points: int, levels: int, repeats: int) -> dict[str, float]:
    """Value and Jacobian, and both with the gradient of the table."""
    layout = HashGridLayout(levels=levels, log2_entries=18, base_resolution=32.0, growth=1.6)
    torch.manual_seed(0)
    table = torch.empty(layout.entries, layout.features).uniform_(-1e-4, 1e-4).requires_grad_()
    where = torch.rand(points, 3)
    features, jacobian = kernels.hash_grid(where, table, layout)
    cotangents = torch.randn_like(features), torch.randn_like(jacobian)

    def backward() -> None:
        torch.autograd.grad((features, jacobian), table, cotangents, retain_graph=True)

    backward()
    return {
        "forward_ms": cpu_ms(lambda: kernels.hash_grid(where, table, layout), repeats),
        "backward_ms": cpu_ms(backward, repeats),
    }


def step_ms(backend: str, repeats: int) -> float:
    """Make a step of 512 RGB-D rays of 16 samples on the built-in room."""
    _, room = built_in_work(CPU)
    reconstructor, _ = prepared(room, CPU, [f"field.backend={backend}"])
    return cpu_ms(reconstructor.reconstruction.train_step, repeats)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1 << 15)
    parser.add_argument("--levels", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {"machine": machine(CPU)}
    for name, kernels in (("torch", hash_grid_torch), ("numba", hash_grid_numba)):
        result[name] = grid_ms(kernels, arguments.points, arguments.levels, arguments.repeats)
        result[name]["step_ms"] = step_ms(name, arguments.repeats)
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    print(", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print(f"hash grid, {arguments.points} points x {arguments.levels} levels; a step of 512 rays")
    for name in ("torch", "numba"):
        times = (f"{key} {value:.1f}" for key, value in result[name].items())
        print(f"{name:8}", ", ".join(times))


if __name__ == "__main__":
    main()
