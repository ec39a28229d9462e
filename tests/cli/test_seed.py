# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run` with the files of settings of the seed, from folders in the formats they are for."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scene_formats as formats
from command import run_command

from ineus_core.meshing import read_mesh

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
    if name == "nerf-blender":
        # After six steps a density is nowhere thick enough for a surface.
        result.assert_fails(1, "no surface came out")
    else:
        assert result.exit_code == 0, result.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["steps"] == 6
    assert report["held_out"]["psnr"] > 3
    assert report["counters"].get("steps_rolled_back", 0) == 0


def test_meshes_lie_in_the_coordinates_of_the_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scan whose sphere has 250 units around (10, -20, 600): so does the mesh."""
    folder, out = formats.write_dtu(tmp_path / "data"), tmp_path / "out"
    settings = [*SMALL, "field.init=object", "training.background=white"]
    words = [word for setting in settings for word in ("--set", setting)]
    run_command(capsys, "run", folder, "--out", out, "--steps", "4", "--device", "cpu", *words)
    report = json.loads((out / "report.json").read_text())
    np.testing.assert_allclose(report["dataset_from_world"], formats.similarity(), atol=1e-9)
    mesh = read_mesh(out / "mesh.ply")
    # After four steps it is still about the first sphere, of half the half side of 1.5.
    radius = np.linalg.norm(mesh.vertices - formats.similarity()[:3, 3], axis=1)
    assert 100 < np.median(radius) < 300
    again = tmp_path / "again.ply"
    assert run_command(capsys, "mesh", out, "--out", again, "--device", "cpu").exit_code == 0
    box, box_again = (np.quantile(m.vertices, (0.1, 0.9), 0) for m in (mesh, read_mesh(again)))
    np.testing.assert_allclose(box, box_again, atol=25)
    # Cameras are taken there too: they see the mesh from where it is.
    files = ("--reference", again, "--frames", folder)
    words = ["--culling", "frusta", "--threshold", "25", "--json"]
    result = run_command(capsys, "eval", out, *files, *words)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["samples"] > 0.9 * 200_000
    assert figures["f_score"]["25"] > 0.9
