# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Triton kernels compiled before they are launched, all at once: one after another takes long.

Other processes do it, as most of a compilation holds the interpreter's lock. They touch no device:
they are told which one it is for, and leave what they compiled in Triton's folder on disk.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from ineus_core.cores import core_count
from ineus_core.errors import IneusError

_MOST_PROCESSES = 16
_FEWEST_ELSEWHERE = 4


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
        # A kernel that is launched often is noted once.
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


def compile_all(launches: Sequence[Launch], processes: int | None = None) -> None:
    """Have kernels ready to be launched: from disk, or compiled by as many processes as cores."""
    from ineus_core.kernels.gpu_assembler import use_sound_assembler

    # As the other processes do, or what they compile would not be found.
    use_sound_assembler()
    missing = [launch for launch in launches if not _load(launch)]
    # A process needs seconds before it begins, a kernel here and there about one.
    if len(missing) >= _FEWEST_ELSEWHERE:
        _compile_on_disk(missing, processes or min(core_count(), _MOST_PROCESSES))
    for launch in missing:
        _prepare(launch)


def _load(launch: Launch) -> bool:
    """Have a kernel ready to be launched if it is on disk; False if it is not."""
    from triton.runtime import _async_compile

    disk = _Disk(launch.kernel.fn.__name__)
    # The way by which Triton asks somebody else to compile; that one is told the kernel's key.
    before = _async_compile.active_mode.set(disk)
    try:
        launch.kernel.preload(launch.specialization)
    finally:
        _async_compile.active_mode.reset(before)
    return disk.has_it


class _Disk:
    """Stands for who compiles: loads what was compiled before, and does nothing else."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.has_it = False

    def submit(
        self, key: str, compile: Callable[[], Any], finalize: Callable[[Any], object]
    ) -> None:
        from triton.runtime.cache import get_cache_manager

        folder = get_cache_manager(hashlib.sha256(key.encode()).hexdigest())
        # Triton cuts the name off as well.
        metadata = f"{self._name[:150]}.json"
        self.has_it = metadata in (folder.get_group(metadata) or {})
        if self.has_it:
            finalize(compile())


def _prepare(launch: Launch) -> None:
    """Have a kernel ready to be launched: from disk, or compiled here and now."""
    launch.kernel.preload(launch.specialization)


def _compile_on_disk(launches: Sequence[Launch], processes: int) -> None:
    """Let other processes compile kernels, each some of them."""
    from triton.runtime.driver import driver

    target = driver.active.get_current_target()
    device = [target.backend, target.arch, target.warp_size]
    named = [[x.kernel.module, x.kernel.fn.__name__, x.specialization] for x in launches]
    # Theirs is the same code, also where this process has found it in a way of its own.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    children = []
    for first in range(min(processes, len(named))):
        # A process of its own instead of a fork: CUDA does not survive one.
        words = [sys.executable, "-m", __name__]
        child = subprocess.Popen(words, stdin=subprocess.PIPE, text=True, env=environment)
        assert child.stdin is not None
        child.stdin.write(json.dumps({"device": device, "kernels": named[first::processes]}))
        # The end of what is asked for; a child reads until then.
        child.stdin.close()
        children.append(child)
    ends = [child.wait() for child in children]
    if any(ends):
        raise IneusError("a process that compiles kernels has failed; see above")


class _Elsewhere:
    """Stands for the driver of a device that another process has."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def get_current_target(self) -> Any:
        return self._target

    def get_current_device(self) -> int:
        return 0


def main() -> None:
    """Compile what is asked for on the standard input."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    from ineus_core.kernels.gpu_assembler import use_sound_assembler

    use_sound_assembler()
    asked = SimpleNamespace(**json.load(sys.stdin))
    driver.set_active(_Elsewhere(GPUTarget(*asked.device)))  # type: ignore[arg-type]
    for module, name, specialization in asked.kernels:
        _prepare(Launch(getattr(import_module(module), name), specialization))


if __name__ == "__main__":
    main()
