# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Times of calls on a CPU or a GPU, and what the device could do at most."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch


def captured_ms(function: Callable[[], None], calls: int = 4, replays: int = 15) -> float:
    """Median time of a call on a GPU, replayed from a graph of several: no launch in it counts."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    # A graph cannot hold what is done once: compiling, memory of libraries, autotuning.
    with torch.cuda.stream(stream):
        for _ in range(2):
            function()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            function()
    return median_ms(graph.replay, torch.device("cuda"), replays) / calls


def median_ms(
    function: Callable[[], Any], device: torch.device, repeats: int, calls: int = 1
) -> float:
    """Median time of a call; on a GPU by events around several calls.

    Args:
        repeats: Of the measurement.
        calls: In one measurement.
    """
    return statistics.median(_elapsed_ms(function, device, calls) for _ in range(repeats))


def wall_ms(function: Callable[[], Any], device: torch.device) -> float:
    """Time of one call, until the device is done."""
    _wait(device)
    begin = time.perf_counter()
    function()
    _wait(device)
    return 1e3 * (time.perf_counter() - begin)


def _elapsed_ms(function: Callable[[], Any], device: torch.device, calls: int) -> float:
    if device.type == "cpu":
        begin = time.perf_counter()
        for _ in range(calls):
            function()
        return 1e3 * (time.perf_counter() - begin) / calls
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / calls


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ceilings(device: torch.device) -> dict[str, float]:
    """Bytes a second of a large copy, read and written, and FLOP a second of a matrix product."""
    on_gpu = device.type == "cuda"
    # 1 GiB on a GPU, more than any cache holds.
    source = torch.rand((1 << 28) if on_gpu else (1 << 24), device=device)
    target = torch.empty_like(source)
    copy_ms = median_ms(lambda: target.copy_(source), device, repeats=7)
    side = 8192 if on_gpu else 1024
    kind = torch.float16 if on_gpu else torch.float32
    a, b = (torch.randn((side, side), device=device).to(kind) for _ in range(2))
    # Loads the library, which is not to be timed.
    torch.mm(a, b)
    product_ms = median_ms(lambda: torch.mm(a, b), device, repeats=7)
    return {
        "copy_gb_per_s": 2 * source.nbytes / copy_ms / 1e6,
        "matrix_tflop_per_s": 2 * side**3 / product_ms / 1e9,
    }
