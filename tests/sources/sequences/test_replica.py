# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of Replica in the layout of NICE-SLAM."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from folder_making import pose, write_colour, write_depth

from ineus_core.errors import SourceError
from ineus_core.sources import open_source, reference_mesh, source_kind


def make_replica(folder: Path, frames: int = 3) -> Path:
    (folder / "results").mkdir(parents=True)
    for i in range(frames):
        write_colour(folder / "results" / f"frame{i:06d}.jpg", i)
        write_depth(folder / "results" / f"depth{i:06d}.png", (6553, 13107, 100))
    np.savetxt(folder / "traj.txt", np.stack([pose(i).reshape(-1) for i in range(frames)]))
    return folder


def test_frames(tmp_path: Path) -> None:
    folder = make_replica(tmp_path / "room0")
    assert source_kind(folder) == "replica"
    frames = list(open_source(folder))
    assert [frame.stamp_ns for frame in frames] == [0, 100_000_000, 200_000_000]
    assert np.allclose(frames[2].world_from_camera, pose(2))
    assert np.allclose(frames[0].depth_m[0, :4], (1, 2, 0.0153, 0), atol=1e-3)
    camera = frames[0].camera
    assert (camera.fx, camera.cx, camera.cy) == (600.0, 600.0, 340.0)


def test_camera_file_beside_the_folder_and_surplus_pictures(tmp_path: Path) -> None:
    folder = make_replica(tmp_path / "room0")
    numbers = {"fx": 7.0, "fy": 7.5, "cx": 3.5, "cy": 2.5, "scale": 1000.0}
    (tmp_path / "cam_params.json").write_text(json.dumps({"camera": numbers}))
    write_colour(folder / "results" / "frame000003.jpg", 3)
    source = open_source(folder)
    frame = next(iter(source))
    assert (frame.camera.fx, frame.camera.fy, frame.camera.cx) == (7.0, 7.5, 4.0)
    assert frame.depth_m[0, 0] == pytest.approx(6.553)
    assert source.dropped == {"no_pose": 1}
    del numbers["scale"]
    (tmp_path / "cam_params.json").write_text(json.dumps({"camera": numbers}))
    with pytest.raises(SourceError, match=r"cam_params.json: camera: no 'scale'"):
        open_source(folder)


def test_ground_truth_beside_the_folder(tmp_path: Path) -> None:
    folder = make_replica(tmp_path / "room0")
    assert reference_mesh(open_source(folder)) is None
    trimesh.creation.box().export(tmp_path / "room0_mesh.ply")
    mesh = reference_mesh(open_source(folder))
    assert mesh is not None
    assert len(mesh.triangles) == 12
    assert mesh.colours.shape == (8, 3)


def test_bad_trajectories(tmp_path: Path) -> None:
    folder = make_replica(tmp_path / "room0")
    lines = (folder / "traj.txt").read_text().splitlines()
    (folder / "traj.txt").write_text("\n".join([*lines, lines[0]]))
    with pytest.raises(SourceError, match=r"frame000003.jpg: no such file, though"):
        open_source(folder)
    (folder / "traj.txt").write_text("1 2 3\n")
    with pytest.raises(SourceError, match=r"traj.txt, line 1: 3 numbers; expected 16"):
        open_source(folder)
    (folder / "traj.txt").write_text("\n")
    with pytest.raises(SourceError, match=r"traj.txt: no poses"):
        open_source(folder)
