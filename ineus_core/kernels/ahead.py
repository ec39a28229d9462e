# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Triton kernels compiled before they are launched, all at once: one after another takes long."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Launch:
    """A kernel, and the types and constants that it is compiled for."""

    kernel: Any
    specialization: str
    """As Triton writes it down."""


def noted_launches(work: Callable[[], object]) -> list[Launch]:
    """Do some work, but launch none of its kernels that have yet to be compiled; return those.

    What they would have written is left as it was, so nothing of the work may depend on it but
    values. Other threads must launch none meanwhile.
    """
    from triton import knobs

    found: dict[tuple[int, str], Launch] = {}

    def note(*, key: str, fn: Any, compile: dict[str, Any], **_: Any) -> bool:
        launch = Launch(fn.jit_function, compile["specialization_data"])
        found[id(fn.jit_function), key] = launch
        # True: do not compile, and so do not launch.
        return True

    before = knobs.runtime.jit_cache_hook
    knobs.runtime.jit_cache_hook = note
    try:
        work()
    finally:
        knobs.runtime.jit_cache_hook = before
    return list(found.values())


def compile_all(launches: Sequence[Launch], device: torch.device) -> None:
    """Compile kernels for a device on all cores; those that are kept on disk are only loaded."""

    def compile_one(launch: Launch) -> None:
        with torch.cuda.device(device):
            launch.kernel.preload(launch.specialization)

    # Most of a compilation runs outside of the interpreter's lock: in LLVM and the assembler.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(compile_one, launches))
