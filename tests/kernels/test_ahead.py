# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels compiled by other processes, for a GPU that need not be there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

triton = pytest.importorskip("triton")


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Let Triton believe in a GPU of compute capability 9.0, and compile into an empty folder."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    from ineus_core.kernels.ahead import _Elsewhere

    class Driver(_Elsewhere):
        def get_current_stream(self, device: int) -> int:
            return 0

    if triton.knobs.runtime.interpret:
        pytest.skip("nothing is compiled for the interpreter")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    before = driver._active
    driver.set_active(Driver(GPUTarget("cuda", 90, 32)))
    yield tmp_path
    driver._active = before


def test_what_is_noted_is_compiled_elsewhere_and_found_on_disk(hopper: Path) -> None:
    from ineus_core.kernels.ahead import _compile_on_disk, compile_all, noted_launches
    from ineus_core.kernels.block_lattice.gpu import lattice_points
    from ineus_core.kernels.cell_lookup.gpu import cells_at

    def work(n: int, side: int) -> None:
        places, origins = torch.zeros(n, dtype=torch.int64), torch.zeros((2, 3), dtype=torch.int32)
        points = lattice_points(places, origins, side, (1.0, 0.0), 0.1).contiguous()
        cells_at(points, torch.ones((side, 3, 2), dtype=torch.bool), (side, 0, 0), 0.1)

    compiled: list[str] = []

    def note(*, fn: Any, **_: Any) -> None:
        compiled.append(fn.name)

    launches = noted_launches(lambda: work(32, 4))
    assert len(launches) == 2
    # Nothing was compiled, and other sizes call for nothing else.
    assert not list(hopper.iterdir())
    assert noted_launches(lambda: work(7, 1)) == launches == noted_launches(lambda: work(77, 5))
    _compile_on_disk(launches, processes=2)
    folders = set(hopper.iterdir())
    assert len(folders) >= 2
    triton.knobs.runtime.jit_post_compile_hook = note
    try:
        compile_all(launches)
    finally:
        triton.knobs.runtime.jit_post_compile_hook = None
    assert len(compiled) == 2
    assert set(hopper.iterdir()) == folders, "it was all on disk"
