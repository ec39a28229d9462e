# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A run without any surface is an error that names the reason, and all is written all the same."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import CommandResult

from ineus_core.meshing import read_mesh

Ineus = Callable[..., CommandResult]
TINY = """
field: {levels: 5, log2_entries: 13, hidden: 16, extent_m: 16.0}
training: {rays_per_step: 128}
keyframes: {capacity: 8}
meshing: {voxel_size_m: 0.1, min_component_triangles: 8}
pipeline: {steps_per_tick: 2, refine_steps: 4}
source: {synthetic: {frames: 8, width_px: 64, height_px: 48}}
device: cpu
"""


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("source.depth_factor=1000", ("depth.max_m", "source.depth_factor=0.001")),
        ("source.depth_factor=0.0001", ("depth.min_m", "source.depth_factor=1000")),
        ("meshing.min_component_triangles=100000", ("meshing.min_component_triangles, 100000",)),
    ],
)
def test_a_run_without_surface_is_an_error(
    ineus: Ineus, tmp_path: Path, setting: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    out = tmp_path / "out"
    options = ("--config", tmp_path / "tiny.yaml", "--set", setting)
    result = ineus("run", "synthetic:room", "--out", out, *options)
    assert result.exit_code == 1
    last = result.stderr.strip().splitlines()[-1]
    assert "no surface came out" in last and all(word in last for word in words), last
    assert json.loads((out / "report.json").read_text())["mesh"]["triangles"] == 0


def test_all_is_written_when_views_cannot_be_measured(
    ineus: Ineus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such view")

    monkeypatch.setattr("ineus_core.pipeline.offline.compare_view", fail)
    (tmp_path / "tiny.yaml").write_text(TINY)
    out = tmp_path / "out"
    result = ineus("run", "synthetic:room", "--out", out, "--config", tmp_path / "tiny.yaml")
    result.assert_fails(1, "all is written", "no such view")
    assert len(read_mesh(out / "mesh.ply").triangles)
    assert {"checkpoint", "report.html", "report.json"} <= {path.name for path in out.iterdir()}


def test_a_strict_run_ends_where_limits_cut_the_depth(ineus: Ineus, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    options = ("--config", tmp_path / "tiny.yaml", "--set", "depth.max_m=0.5", "--strict")
    result = ineus("run", "synthetic:room", "--out", tmp_path / "out", *options)
    result.assert_fails(1, "depth.max_m (0.5 m)", "--strict")


def test_a_scene_of_centimetres_comes_out_as_its_room_does(ineus: Ineus, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    factor = 0.024
    small = (
        f"source.depth_factor={factor}",
        f"source.poses.scale={factor}",
        f"source.scale={1 / factor}",
    )
    sizes = []
    for name, settings in (("room", ()), ("small", small)):
        out = tmp_path / name
        sets = [word for setting in settings for word in ("--set", setting)]
        options = ("--config", tmp_path / "tiny.yaml", *sets)
        result = ineus("run", "synthetic:room", "--out", out, *options)
        assert result.exit_code == 0, result.stderr
        vertices = read_mesh(out / "mesh.ply").vertices
        sizes.append(vertices.max(axis=0) - vertices.min(axis=0))
        path = np.loadtxt(out / "trajectory.tum")
        sizes.append(np.linalg.norm(np.diff(path[:, 1:4], axis=0), axis=1).sum())
    np.testing.assert_allclose(sizes[2], factor * sizes[0], rtol=0.05)
    assert sizes[3] == pytest.approx(factor * sizes[1], rel=0.05)
