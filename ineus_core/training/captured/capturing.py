# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The capture of a graph, which nothing else on the device may disturb."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def capturing(
    graph: torch.cuda.CUDAGraph, stream: torch.cuda.Stream | None = None
) -> Iterator[None]:
    """Capture what is launched within the block; nothing is collected as garbage meanwhile.

    A map that is over refers to itself. Should the collector find it during a capture, the graphs
    of its steps would be destroyed on this thread, which breaks the capture off.

    Args:
        graph: What records.
        stream: Where it is captured; unless given, one of torch's own.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        # Other threads may go on meanwhile, such as that of autograd or that which watches NCCL.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            yield
    finally:
        if collects:
            gc.enable()
