# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run` with the files of settings of the seed, from folders in the formats they are for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import scene_formats as formats
from command import run_command

SEED = Path(__file__).parents[2] / "config" / "seed"
SMALL = (
    "field.levels=6", "field.log2_entries=12", "field.hidden=16", "background.levels=4",
    "background.log2_entries=10", "background.samples=8", "background.cells=16",
    "training.rays_per_step=64", "training.samples_per_step=1024", "occupancy.max_steps=64",
    "keyframes.capacity=16", "keyframes.memory_mb=64", "meshing.voxel_size_m=0.1",
    "occupancy.cell_m=0.1", "source.dtu.downscale=1",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("neus-blender", formats.write_blender),
        ("nerf-blender", formats.write_blender),
        ("neus-dtu-wmask", formats.write_dtu),
        ("neus-dtu", formats.write_dtu),
        ("neuralangelo-dtu-wmask", formats.write_dtu),
    ],
)
def test_a_run_from_a_folder(
    name: str,
    write: Callable[[Path], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, out = write(tmp_path / "data"), tmp_path / "out"
    words = [word for setting in SMALL for word in ("--set", setting)]
    words += ["--steps", "6", "--device", "cpu", "--hold-out", "4"]
    file = SEED / f"{name}.yaml"
    result = run_command(capsys, "run", folder, "--config", file, "--out", out, *words)
    assert result.exit_code == 0, result.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["steps"] == 6
    assert report["held_out"]["psnr"] > 3
    assert report["counters"].get("steps_rolled_back", 0) == 0
