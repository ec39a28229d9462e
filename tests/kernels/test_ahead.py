# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels compiled by other processes, for a GPU that need not be there."""

from pathlib import Path
from typing import Any

import pytest
import torch

triton = pytest.importorskip("triton")


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


def test_other_processes_compile_only_what_is_not_on_disk_and_only_many(
    hopper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ineus_core.kernels import ahead
    from ineus_core.kernels.block_lattice.gpu import lattice_points

    def work(*dtypes: torch.dtype) -> None:
        # Of types that nothing else has: kernels that are loaded would be launched.
        places, origins = torch.zeros(9, dtype=torch.int16), torch.zeros((2, 3))
        for dtype in dtypes:
            lattice_points(places, origins.to(dtype), 4, (1.0, 0.0), 0.1)

    asked: list[int] = []
    monkeypatch.setattr(ahead, "_compile_on_disk", lambda left, _: asked.append(len(left)))
    monkeypatch.setattr(ahead, "_FEWEST_ELSEWHERE", 2)
    two, third = torch.int16, torch.int8
    launches = ahead.noted_launches(lambda: work(two, torch.uint8))
    assert len(launches) == 2
    ahead.compile_all(launches)
    assert asked == [2]
    ahead.compile_all(launches)
    assert asked == [2], "both are on disk"
    more = ahead.noted_launches(lambda: work(third))
    ahead.compile_all([*launches, *more])
    assert asked == [2], "one is compiled at once, here"
    assert all(ahead._load(launch) for launch in (*launches, *more))
