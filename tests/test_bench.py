# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus bench`: the formulas by hand, and every figure of a small run."""

import json
from collections.abc import Callable

import pytest
import torch
from command import CommandResult

from ineus_core.bench import measure, work
from ineus_core.bench.costs import Cost, StepSize, stage_costs
from ineus_core.bench.timing import median_ms
from ineus_core.sources import SyntheticConfig

SIZE = StepSize(
    samples=10, rays=2, levels=4, entries=5, hidden=8, outputs=3, parameters=100, touched=20
)
STAGES = ("draw", "place", "encode", "heads", "composite", "loss", "backward", "optimiser")


def test_costs_by_hand() -> None:
    costs = stage_costs(SIZE)
    # 10 points of 12 bytes, 8 + 24 channels in half, and a table of 5 entries of 4 bytes.
    assert costs["encode"] == Cost(10 * (12 + 16 + 48) + 20)
    # 8 hidden from 11 inputs, both ways, 3 outputs; 8 channels times 3 axes of the Jacobian.
    assert costs["sdf head"].flops == 2 * 10 * (2 * 8 * 11 + 8 * 3 + 3 * 8)
    assert costs["colour head"].flops == 2 * 10 * (8 * 22 + 64 + 24)
    assert costs["colour head backward"].flops == 3 * costs["colour head"].flops
    assert costs["optimiser"] == Cost(4 * 100 + 30 * 20)


def test_large_tables_are_moved_by_what_is_read() -> None:
    large = StepSize(**{**vars(SIZE), "entries": 10**9})
    assert stage_costs(large)["encode"].nbytes == 10 * (12 + 16 + 48) + 8 * 4 * 4 * 10


def test_median_of_calls() -> None:
    calls: list[int] = []
    assert median_ms(lambda: calls.append(1), torch.device("cpu"), repeats=3, calls=4) >= 0
    assert len(calls) == 12


@pytest.fixture
def tiny_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes of few pixels and steps of few samples."""
    few = (
        "field.levels=4",
        "field.log2_entries=12",
        "training.rays_per_step=64",
        "training.samples_per_step=2048",
        "meshing.voxel_size_m=0.2",
    )
    views = SyntheticConfig(scene="object", frames=3, width_px=20, height_px=20, depth=False)
    walk = SyntheticConfig(frames=4, width_px=32, height_px=24)
    tiny = (
        work.Work(work.OBJECT_NAME, views, (*work._OBJECT, *few), 2, 5),
        work.Work(work.ROOM_NAME, walk, few, 2, 5),
    )
    monkeypatch.setattr(measure, "built_in_work", lambda device: tiny)


@pytest.mark.usefixtures("tiny_work")
def test_every_figure_is_there(ineus: Callable[..., CommandResult]) -> None:
    result = ineus("bench", "--device", "cpu", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert set(figures["steps"]) == {work.OBJECT_NAME, work.ROOM_NAME}
    for step in figures["steps"].values():
        assert tuple(step["stages"]) == STAGES
        assert all(stage["ms"] > 0 for stage in step["stages"].values())
        assert 0 < step["samples"] <= 2048
        assert step["samples_per_second"] > 0
    assert min(figures["ceilings"].values()) > 0
    assert figures["mesh"]["full_ms"] > 0 < figures["mesh"]["dirty_ms"]
    assert figures["render"]["ms"] > 0 < figures["ingest_ms"]
    assert {"device", "torch", "python", "date"} <= set(figures["machine"])


@pytest.mark.usefixtures("tiny_work")
def test_tables_are_for_people(ineus: Callable[..., CommandResult]) -> None:
    result = ineus("bench", "--device", "cpu", "--set", "training.rays_per_step=32")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith("room, RGB-D: 32 rays")]
    assert [line for line in lines if "whole step" in line]
    assert max(map(len, lines)) < 140


def test_a_wrong_setting_is_an_error(ineus: Callable[..., CommandResult]) -> None:
    result = ineus("bench", "--set", "training.rays=3")
    assert result.exit_code == 2
    assert "training.rays" in result.stderr


@pytest.mark.gpu
@pytest.mark.slow
def test_stages_of_a_gpu_have_shares() -> None:
    figures = measure.run_bench(torch.device("cuda"))
    for step in figures["steps"].values():
        stages = step["stages"]
        assert 0 < stages["encode"]["copy_share"] < 1
        assert 0 < stages["optimiser"]["copy_share"] < 1
        assert 0 < stages["sdf head backward"]["matrix_share"] < 1
        assert min(stage["ms"] for stage in stages.values()) > 0
