# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus eval` as a user and a script meet it."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import run_command
from tiny_scene import CPU, tiny_config

from ineus_core.meshing import write_mesh
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import open_source
from ineus_core.types import Mesh

Capture = pytest.CaptureFixture[str]


def floor(z: float) -> Mesh:
    """Make a square metre at a height."""
    return Mesh(
        np.array(((0, 0, z), (1, 0, z), (1, 1, z), (0, 1, z)), dtype=np.float32),
        np.array(((0, 1, 2), (0, 2, 3)), dtype=np.int32),
        np.tile(np.array((0, 0, 1), dtype=np.float32), (4, 1)),
        np.full((4, 3), 128, dtype=np.uint8),
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a folder of a run with a mesh 2 cm above its reference."""
    write_mesh(floor(0.02), tmp_path / "run" / "mesh.ply")
    write_mesh(floor(0.0), tmp_path / "reference.ply")
    np.save(tmp_path / "reference.npy", np.random.default_rng(0).random((5000, 3)) * (1, 1, 0))
    return tmp_path / "run"


def test_a_mesh_at_utm_coordinates_is_compared_there(tmp_path: Path, capsys: Capture) -> None:
    """Single precision has steps of half a metre there."""
    far_m = np.array((500_000.3, 5_000_000.7, 100.0))
    for name, height_m in (("mesh", 0.02), ("reference", 0.0)):
        mesh = floor(height_m)
        write_mesh(replace(mesh, vertices=mesh.vertices + far_m), tmp_path / f"{name}.ply")
    points = np.random.default_rng(0).random((5000, 3)) * (1, 1, 0)
    np.save(tmp_path / "reference.npy", points + far_m)
    for name in ("reference.ply", "reference.npy"):
        reference = tmp_path / name
        result = run_command(
            capsys, "eval", tmp_path / "mesh.ply", "--reference", reference, "--json"
        )
        figures = json.loads(result.stdout)
        assert figures["accuracy_m"] == pytest.approx(0.02, abs=0.002)
        assert figures["f_score"]["0.025"] > 0.95


@pytest.mark.parametrize("name", ["reference.ply", "reference.npy"])
def test_json_is_one_object(run: Path, capsys: Capture, name: str) -> None:
    """Thresholds are keys; the culling is stated."""
    reference = run.parent / name
    result = run_command(
        capsys,
        "eval",
        run,
        "--reference",
        reference,
        "--threshold",
        0.01,
        "--threshold",
        0.05,
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["f_score"] == {"0.01": 0.0, "0.05": 1.0}
    assert figures["accuracy_m"] == pytest.approx(0.02, abs=0.002)
    assert figures["culling"] == "none"


def test_the_table_shows_centimetres_and_per_cent(run: Path, capsys: Capture) -> None:
    """A mesh file works as well as a folder."""
    reference = run.parent / "reference.ply"
    result = run_command(
        capsys, "eval", run / "mesh.ply", "--reference", reference, "--culling", "box"
    )
    assert result.exit_code == 0, result.stderr
    assert "culling: box" in result.stdout
    assert "f-score at 5 cm, %" in result.stdout
    assert "100.0" in result.stdout
    assert "2.00" in result.stdout


def test_what_is_missing_or_wrong_is_named(run: Path, capsys: Capture) -> None:
    """Exit code 1 for files, 2 for usage; one line, no traceback."""
    reference = run.parent / "reference.ply"
    cases: list[tuple[int, list[object], list[str]]] = [
        (1, [run / "nothing.ply", "--reference", reference], ["nothing.ply"]),
        (1, [run.parent, "--reference", reference], ["mesh.ply"]),
        (1, [run, "--reference", run / "absent.ply"], ["absent.ply"]),
        (2, [run, "--reference", reference, "--culling", "hull"], ["hull", "frusta+occlusion"]),
        (2, [run, "--reference", reference, "--culling", "frusta"], ["--frames"]),
        (2, [run, "--reference", reference, "--reference-fusion"], ["--frames"]),
        (2, [run, "--reference", reference, "--threshold", "-1"], ["-1"]),
        (2, [run], ["--reference", "--hold-out"]),
        (2, [run, "--hold-out", 3], ["--frames"]),
    ]
    for exit_code, arguments, words in cases:
        run_command(capsys, "eval", *arguments).assert_fails(exit_code, *words)  # type: ignore[arg-type]


def write_frames(folder: Path) -> Path:
    """Three images of the floor from 1 m above its middle, each side 0.6 m, 1.5 m and 0.6 m."""
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    intrinsics = {
        "width": 60, "height": 60, "fx": 100.0, "fy": 100.0, "cx": 29.5, "cy": 29.5,
        "depth_scale": 1000.0, "distortion": [0, 0, 0, 0, 0],
    }  # fmt: skip
    (folder / "intrinsics.json").write_text(json.dumps(intrinsics))
    poses = []
    for i, x in enumerate((0.4, 0.5, 0.6)):
        cv2.imwrite(str(folder / f"images/{i:06d}.jpg"), np.full((60, 60, 3), 90, dtype=np.uint8))
        depth = np.full((60, 60), 1000, dtype=np.uint16)
        cv2.imwrite(str(folder / f"depth/{i:06d}.png"), depth)
        poses.append(f"{i:06d} {i / 10} 1 0 0 {x} 0 -1 0 0.5 0 0 -1 1.0")
    (folder / "poses.txt").write_text("\n".join(poses) + "\n")
    return folder


def test_the_reference_fusion_stands_beside_ours(run: Path, capsys: Capture) -> None:
    """Frames of the floor, fused by Open3D: all right, where ours is 2 cm too high."""
    pytest.importorskip("open3d")
    frames = write_frames(run.parent / "frames")
    result = run_command(
        capsys,
        *("eval", run, "--reference", run.parent / "reference.ply", "--frames", frames),
        *("--reference-fusion", "--culling", "frusta+occlusion", "--threshold", 0.015, "--json"),
    )
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["culling"] == "frusta+occlusion"
    assert figures["f_score"] == {"0.015": 0.0}
    assert figures["reference_fusion"]["f_score"]["0.015"] > 0.95


def test_frames_alone_are_no_reference(run: Path, capsys: Capture) -> None:
    """The built-in scenes know their true surface; a folder of frames does not."""
    frames = write_frames(run.parent / "frames")
    run_command(capsys, "eval", run, "--reference", frames).assert_fails(1, "true surface")


def test_views_of_a_checkpoint_are_compared_with_frames(run: Path, capsys: Capture) -> None:
    """A wall of one colour is soon learnt; every second of three frames is one."""
    frames = write_frames(run.parent / "frames")
    reconstructor = Reconstructor(tiny_config(meshing={"voxel_size_m": 0.03}), CPU)
    for frame in open_source(frames):
        reconstructor.add_frame(frame)
    for _ in range(60):
        reconstructor.step()
    reconstructor.save(run / "checkpoint")
    words = ("eval", run, "--frames", frames, "--hold-out", 2, "--device", "cpu")
    result = run_command(capsys, *words, "--json")
    assert result.exit_code == 0, result.stderr
    held_out = json.loads(result.stdout)["held_out"]
    assert (held_out["frames"], held_out["width_px"]) == (1, 60)
    assert held_out["psnr"] > 15
    assert held_out["depth_l1_m"] < 0.1
    result = run_command(capsys, *words, "--reference", run.parent / "reference.ply")
    assert "1 frames at 60 px width: PSNR" in result.stdout and "culling: none" in result.stdout
    result = run_command(capsys, "eval", run, "--frames", frames, "--hold-out", 4)
    result.assert_fails(1, "held out")
