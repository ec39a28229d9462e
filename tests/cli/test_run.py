# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run`, `render` and `mesh` as a user meets them: what they leave, and what they refuse."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
from bag_making import MS, START_NS, BagMaker, make_frame
from command import CommandResult
from folder_making import make_posed_images, replace_line, write_depth

from ineus_core.cli import main
from ineus_core.meshing import read_mesh

Ineus = Callable[..., CommandResult]

TINY = """
field: {levels: 5, log2_entries: 13, hidden: 16, extent_m: 16.0}
training: {rays_per_step: 128}
keyframes: {capacity: 8}
meshing: {voxel_size_m: 0.1, min_component_triangles: 8}
pipeline: {steps_per_tick: 2, refine_steps: 4, report_rate_hz: 10.0}
source: {synthetic: {frames: 8, width_px: 64, height_px: 48}}
device: cpu
"""

KEYS: dict[str, type | set[str]] = {
    "frames_in": int,
    "frames_used": int,
    "frames_dropped": int,
    "keyframes": int,
    "steps": int,
    "samples_per_second": float,
    "rays_per_second": float,
    "stream_s": float,
    "wall_s": float,
    "staleness_ms": {"p50", "p95"},
    "mesh": {"vertices", "triangles", "updates", "voxel_size_m"},
    "memory": {"peak_rss_mb", "peak_gpu_mb"},
    "held_out": {"psnr", "ssim", "depth_l1_m", "frames"},
    "input": dict,
    "chosen": {"kind", "settings"},
    "curve": list,
    "config": dict,
    "versions": dict,
    "device": str,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def done(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run."""
    out = tmp_path_factory.mktemp("run") / "out"
    words = [
        "run",
        "synthetic:room",
        "--out",
        out,
        "--config",
        tiny,
        "--steps",
        60,
        "--hold-out",
        4,
    ]
    assert main([str(word) for word in words]) == 0
    return out


def test_a_run_leaves_the_files_of_the_interface(done: Path) -> None:
    names = {path.name for path in done.iterdir()}
    assert names == {
        "mesh.ply",
        "checkpoint",
        "report.json",
        "report.html",
        "renders",
        "trajectory.tum",
    }
    header = (done / "mesh.ply").read_bytes()[:400].decode("ascii", "replace")
    assert header.startswith("ply\nformat binary_little_endian 1.0")
    mesh = read_mesh(done / "mesh.ply")
    assert len(mesh.triangles) > 500
    assert len(np.unique(mesh.colours, axis=0)) > 10
    assert len(list((done / "renders").glob("*_rgb.png"))) == 2
    page = (done / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<svg" in page
    assert "data:image/jpeg;base64," in page


def test_the_report_has_every_key_of_the_interface(done: Path) -> None:
    report = json.loads((done / "report.json").read_text())
    for key, kind in KEYS.items():
        if isinstance(kind, set):
            assert kind <= report[key].keys(), key
        else:
            assert isinstance(report[key], kind), key
    assert (report["frames_in"], report["frames_used"], report["steps"]) == (6, 6, 60)
    assert report["held_out"]["frames"] == 2
    assert report["config"]["meshing"]["voxel_size_m"] == 0.1
    assert {"stream_s", "wall_s", "step", "total"} <= report["curve"][-1].keys()


def test_a_run_can_go_on_from_its_checkpoint(
    ineus: Ineus, done: Path, tiny: Path, tmp_path: Path
) -> None:
    words = ("--config", tiny, "--steps", 20, "--resume", done / "checkpoint")
    result = ineus("run", "synthetic:room", "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["steps"] == 60 + 20
    # `--steps` are those of this run, as its table says.
    assert report["steps_before"] == 60
    assert "20 steps (after 60 of the checkpoint)" in " ".join(result.stdout.split())


def test_a_run_can_begin_with_the_field_of_another(
    ineus: Ineus, done: Path, tiny: Path, tmp_path: Path
) -> None:
    words = ["--config", tiny, "--steps", "20", "--resume-weights", done / "checkpoint"]
    # Frames of another size: nothing but the field is taken over.
    words += ["--set", "source.synthetic.width_px=80"]
    result = ineus("run", "synthetic:room", "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["steps"] == 20


@pytest.mark.parametrize(
    ("words", "exit_code", "expected"),
    [
        (["nowhere"], 1, ["nowhere", "no such file"]),
        (["EMPTY"], 1, ["folder is empty"]),
        (["synthetic:room", "--source", "rosbak"], 2, ["rosbak", "rosbag"]),
        (["synthetic:castle"], 1, ["castle", "room"]),
        (["synthetic:room", "--set", "meshing.voxel_sise_m=1"], 2, ["meshing.voxel_size_m"]),
        (["synthetic:room", "--set", "seed=x"], 2, ["seed", "'x'", "integer"]),
        (["synthetic:room", "--config", "none.yaml"], 2, ["none.yaml", "No such file"]),
        (["synthetic:room", "--device", "cuda:99"], 2, ["cuda:99"]),
        (["synthetic:room", "--steps", "0"], 2, ["--steps"]),
        (["synthetic:room", "--steps", "9", "--seconds", "9"], 2, ["--steps", "--seconds"]),
        (["synthetic:room", "--hold-out", "1"], 2, ["--hold-out"]),
        (["synthetic:room", "--resume", "nowhere"], 1, ["nowhere", "state.json"]),
        (["synthetic:room", "--resume-weights", "nowhere"], 1, ["nowhere", "state.json"]),
        (["synthetic:room", "--resume", "a", "--resume-weights", "b"], 2, ["at most one"]),
        (["synthetic:room", "--max-frames", "-1"], 2, ["--max-frames"]),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(
    ineus: Ineus, tmp_path: Path, words: list[str], exit_code: int, expected: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    words = [str(tmp_path / "empty") if word == "EMPTY" else word for word in words]
    ineus("run", *words, "--out", tmp_path / "out").assert_fails(exit_code, *expected)
    assert not (tmp_path / "out").exists()


def bag(path: Path, leave_out: str = "", frames: int = 3, **changes: Any) -> Path:
    with BagMaker(path) as writer:
        for index in range(frames):
            frame = make_frame(index)
            stamp_ns = frame.stamp_ns
            if leave_out != "camera_info":
                writer.info("/camera/camera_info", stamp_ns)
            if leave_out != "poses":
                at = frame.world_from_camera.copy()
                at[0, 3] = changes.get("x", at[0, 3])
                writer.pose("/pose", stamp_ns, at)
            writer.image("/camera/image", stamp_ns, frame.rgb)
            writer.depth("/camera/depth", stamp_ns, changes.get("depth_m", frame.depth_m))
    return path


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: bag(p, "poses"), ["no poses"]),
        (lambda p: bag(p, "camera_info"), ["no camera_info"]),
        (lambda p: bag(p, frames=0), ["no topic"]),
        (lambda p: bag(p, depth_m=np.ones((6, 8), np.float32)), ["8 x 6", "16 x 12"]),
        (lambda p: bag(p, x=np.nan), ["/pose", "nan"]),
    ],
)
def test_bags_that_cannot_be_used(
    ineus: Ineus, tiny: Path, tmp_path: Path, make: Callable[[Path], Path], expected: list[str]
) -> None:
    path = make(tmp_path / "bag")
    result = ineus("run", path, "--out", tmp_path / "out", "--config", tiny)
    result.assert_fails(1, *expected)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_truncated_bag(ineus: Ineus, tiny: Path, tmp_path: Path, part: float) -> None:
    folder = bag(tmp_path / "bag", frames=20)
    (file,) = folder.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    ineus("run", file, "--out", tmp_path / "out", "--config", tiny).assert_fails(1, file.name)
    assert not (tmp_path / "out").exists()


def test_a_pose_that_comes_after_all_images(ineus: Ineus, tiny: Path, tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as writer:
        writer.info("/camera/camera_info", START_NS)
        writer.image("/camera/image", START_NS, make_frame(0).rgb)
        writer.pose("/pose", START_NS + 500 * MS, np.eye(4))
    result = ineus("run", tmp_path / "bag", "--out", tmp_path / "out", "--config", tiny)
    result.assert_fails(1, "no_pose")


def spoil_pose(folder: Path) -> None:
    replace_line(folder / "poses.txt", 3, "000001 0.1 " + "nan " * 12)


def scale_pose(folder: Path) -> None:
    replace_line(folder / "poses.txt", 3, "000001 0.1 2 0 0 0 0 2 0 0 0 0 2 0")


def shrink_depth(folder: Path) -> None:
    write_depth(folder / "depth" / "000001.png", (1000,), (3, 8))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_pose, ["poses.txt, line 3"]),
        (scale_pose, ["poses.txt, line 3", "not rigid"]),
        (shrink_depth, ["000001.png", "8 x 3", "8 x 6"]),
        (lambda folder: (folder / "images" / "000002.png").unlink(), ["000002"]),
        (lambda folder: (folder / "intrinsics.json").write_text("{"), ["intrinsics.json"]),
        (lambda folder: (folder / "images" / "000001.png").write_bytes(b"no"), ["000001.png"]),
    ],
)
def test_folders_that_cannot_be_used(
    ineus: Ineus, tiny: Path, tmp_path: Path, spoil: Callable[[Path], Any], expected: list[str]
) -> None:
    folder = make_posed_images(tmp_path / "data")
    spoil(folder)
    result = ineus("run", folder, "--out", tmp_path / "out", "--config", tiny)
    result.assert_fails(1, *expected)
    assert not (tmp_path / "out").exists()


def test_an_out_below_a_file_is_refused_before_the_work(
    ineus: Ineus, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = ineus("run", "synthetic:room", "--out", tmp_path / "file" / "out", "--config", tiny)
    result.assert_fails(2, "file", "expected a folder")


def test_a_full_disk_leaves_the_result_of_an_older_run(
    ineus: Ineus, tiny: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(done, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = ineus("run", "synthetic:room", "--out", out, "--config", tiny, "--steps", 4)
    result.assert_fails(1, "mesh.ply", "does not fit")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_mesh_at_another_resolution(ineus: Ineus, done: Path, tmp_path: Path) -> None:
    counts, areas_m2 = [], []
    for voxel_m, name in ((0.2, "coarse.obj"), (0.1, "fine.ply")):
        result = ineus("mesh", done, "--voxel-size", voxel_m, "--out", tmp_path / "m" / name)
        assert result.exit_code == 0, result.stderr
        mesh = read_mesh(tmp_path / "m" / name)
        counts.append(len(mesh.triangles))
        areas_m2.append(trimesh.Trimesh(mesh.vertices, mesh.triangles).area)
    assert 2 * counts[0] < counts[1]
    # Triangles are larger, not fewer for holes.
    assert areas_m2[0] > 0.85 * areas_m2[1]


@pytest.mark.parametrize(
    ("words", "exit_code", "expected"),
    [
        (["nowhere", "--out", "m.ply"], 1, ["nowhere"]),
        (["DONE", "--out", "m.stl"], 2, ["m.stl", ".ply"]),
        (["DONE", "--out", "m.ply", "--texture", "64"], 2, ["m.ply", ".obj, .glb", "texture"]),
        (["DONE", "--out", "m.ply", "--voxel-size", "0"], 2, ["--voxel-size"]),
        (["DONE", "--out", "m.ply", "--device", "cuda:99"], 2, ["cuda:99"]),
    ],
)
def test_meshes_that_cannot_be_made(
    ineus: Ineus,
    done: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    exit_code: int,
    expected: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(done / "checkpoint") if word == "DONE" else word for word in words]
    ineus("mesh", *words).assert_fails(exit_code, *expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["--spiral", "--spheric"])
def test_a_path_between_the_views_that_were_taken(
    ineus: Ineus, done: Path, tmp_path: Path, path: str
) -> None:
    words = (path, "--frames", 3, "--width", 32, "--video", "--out", tmp_path / "views")
    assert ineus("render", done, *words).exit_code == 0
    assert len(list((tmp_path / "views").glob("*_normal.png"))) == 3
    assert (tmp_path / "views" / "video.mp4").stat().st_size > 0


def test_an_orbit_with_a_video(ineus: Ineus, done: Path, tmp_path: Path) -> None:
    words = ("--orbit", "--frames", 3, "--width", 33, "--video", "--out", tmp_path / "views")
    result = ineus("render", done / "checkpoint", *words)
    assert result.exit_code == 0, result.stderr
    names = {path.name for path in (tmp_path / "views").iterdir()}
    views = {f"{i:04d}_{kind}.png" for i in range(3) for kind in ("rgb", "depth_mm", "normal")}
    assert names == views | {"video.mp4"}
    depth_mm = cv2.imread(str(tmp_path / "views" / "0000_depth_mm.png"), cv2.IMREAD_UNCHANGED)
    assert depth_mm.dtype == np.uint16
    assert depth_mm.shape == (25, 33)
    assert (depth_mm > 0).mean() > 0.3
    video = cv2.VideoCapture(str(tmp_path / "views" / "video.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 3
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (98, 24)


def test_views_at_given_poses_through_another_camera(
    ineus: Ineus, done: Path, tmp_path: Path
) -> None:
    poses = tmp_path / "poses.txt"
    poses.write_text("# name stamp\nfirst 0.0 0 0 1 0 -1 0 0 0 0 -1 0 1.3\n")
    camera = {"width": 20, "height": 10, "fx": 10, "fy": 10, "cx": 9.5, "cy": 4.5}
    (tmp_path / "intrinsics.json").write_text(json.dumps(camera))
    words = ("--poses", poses, "--intrinsics", tmp_path / "intrinsics.json")
    result = ineus("render", done, *words, "--out", tmp_path / "views")
    assert result.exit_code == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "views").iterdir())
    assert names == ["first_depth_mm.png", "first_normal.png", "first_rgb.png"]
    assert cv2.imread(str(tmp_path / "views" / "first_rgb.png")).shape == (10, 20, 3)


@pytest.mark.parametrize(
    ("words", "exit_code", "expected"),
    [
        (["DONE"], 2, ["--poses", "--orbit"]),
        (["DONE", "--orbit", "--poses", "p.txt"], 2, ["--poses", "--orbit"]),
        (["DONE", "--poses", "nowhere.txt"], 1, ["nowhere.txt"]),
        (["DONE", "--orbit", "--intrinsics", "nowhere.json"], 1, ["nowhere.json"]),
        (["DONE", "--orbit", "--up", "w"], 2, ["--up", "'w'"]),
        (["DONE", "--orbit", "--width", "0"], 2, ["--width"]),
        (["nowhere", "--orbit"], 1, ["nowhere"]),
    ],
)
def test_views_that_cannot_be_rendered(
    ineus: Ineus,
    done: Path,
    tmp_path: Path,
    words: list[str],
    exit_code: int,
    expected: list[str],
) -> None:
    words = [str(done) if word == "DONE" else word for word in words]
    ineus("render", *words, "--out", tmp_path / "v").assert_fails(exit_code, *expected)
    assert not (tmp_path / "v").exists()


def test_a_checkpoint_without_a_configuration(ineus: Ineus, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "checkpoint", tmp_path / "c")
    meta = json.loads((tmp_path / "c" / "state.json").read_text())
    for config in (None, {"field": {"colour": "blue"}}):
        changed = {**meta, "config": config}
        (tmp_path / "c" / "state.json").write_text(json.dumps(changed))
        result = ineus("mesh", tmp_path / "c", "--out", tmp_path / "m.ply")
        result.assert_fails(1, "does not hold what it should")


def test_what_is_not_there_is_found_before_torch_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys; from ineus_core.cli import main; "
        "codes = [main([*words, 'nosuch.mcap', *more]) for words, more in ("
        "(['run'], ['--out', sys.argv[1]]), "
        "(['run', '--source', 'rosbag'], ['--out', sys.argv[1]]), "
        "(['check'], []), (['bag', 'info'], []), (['bag', 'make'], [sys.argv[1]]), "
        "(['colmap'], ['--out', sys.argv[1]]), (['eval'], ['--reference', 'a.ply']))]; "
        "codes += [main(['run', 'synthetic:room', '--out', '/proc/run'])]; "
        "print(codes, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 1, 1, 1, 1, 1, 1, 2] False\n"
    *missing, unwritable = done.stderr.splitlines()
    assert set(missing) == {"ineus: error: nosuch.mcap: no such file or folder"}
    assert "/proc/run: /proc cannot be written" in unwritable
    assert not (tmp_path / "out").exists()
