# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The protocol of neural SLAM on rendered rooms: rooms that are boxes, with figures by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sequence_formats as formats
import trimesh
from command import run_command
from protocol_meshes import mesh_of

from ineus_core.errors import SourceError
from ineus_core.evaluation import (
    ReplicaReference,
    evaluate_replica,
    read_replica_reference,
    read_virtual_poses,
)
from ineus_core.evaluation.mesh_culling import seen_triangles, with_triangles
from ineus_core.evaluation.virtual_views import virtual_views
from ineus_core.geometry import look_at
from ineus_core.meshing import write_mesh
from ineus_core.types import Camera, Mesh

pytest.importorskip("open3d")

Capture = pytest.CaptureFixture[str]
CAMERA = Camera(160, 120, 60.0, 60.0, 80.0, 60.0)
"""Wide: the tangent of half its angle is 4/3 across and 1 up."""
SIDES_M = (4.0, 3.0, 2.5)


def room(sides_m: tuple[float, ...] = SIDES_M, at: tuple[float, ...] = (0, 0, 0)) -> Mesh:
    """Make a box, its middle at the origin, with triangles of at most a tenth of its length."""
    box = trimesh.creation.box(sides_m, trimesh.transformations.translation_matrix(at))
    return mesh_of(box.subdivide_to_size(0.1 * max(sides_m)))


def looking(*ahead: float, at: tuple[float, ...] = (0, 0, 0)) -> np.ndarray:
    up = (0.0, 1.0, 0.0) if ahead[2] else (0.0, 0.0, 1.0)
    return look_at(np.array(at, float), np.array(at, float) + ahead, np.array(up))


# Twice each, as every second pose culls.
AROUND = [
    looking(*sign * np.eye(3)[axis]) for axis in range(3) for sign in (1, -1) for _ in range(2)
]


def joined(*meshes: Mesh) -> Mesh:
    firsts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    triangles = [mesh.triangles + first for mesh, first in zip(meshes, firsts, strict=False)]
    rows = (
        np.concatenate([getattr(mesh, name) for mesh in meshes])
        for name in ("vertices", "normals", "colours")
    )
    vertices, normals, colours = rows
    return Mesh(vertices, np.concatenate(triangles).astype(np.int32), normals, colours)


def shifted(mesh: Mesh, *by_m: float) -> Mesh:
    return replace(mesh, vertices=mesh.vertices + np.array(by_m, np.float32))


def test_what_lies_outside_of_a_room_is_culled_and_all_of_its_walls_stay() -> None:
    inside, outside = room(), room((5.0, 4.0, 3.5))
    seen = seen_triangles(joined(inside, outside), CAMERA, AROUND)
    assert seen[: len(inside.triangles)].all()
    assert not seen[len(inside.triangles) :].any()


def plate(x: float, half_m: float, at_y: float = 0.0) -> Mesh:
    """Make an upright square across the x axis, two triangles of which share its middle."""
    square = ((-1, -1), (1, -1), (1, 1), (-1, 1), (0, 0))
    corners = [(x, at_y + half_m * y, half_m * z) for y, z in square]
    return mesh_of(trimesh.Trimesh(corners, [(0, 1, 4), (2, 3, 4)], process=False))


def test_a_virtual_camera_adds_what_is_hidden_but_nothing_beside_the_pictures() -> None:
    # In front, hidden behind that, and behind the camera.
    things = joined(plate(1.0, 0.5), plate(2.0, 0.5), plate(-1.0, 0.5))
    ahead = looking(1, 0, 0)
    assert seen_triangles(things, CAMERA, [ahead]).tolist() == [True, True] + 4 * [False]
    between, back = looking(1, 0, 0, at=(1.2, 0, 0)), looking(-1, 0, 0)
    seen = seen_triangles(things, CAMERA, [ahead], [between, back])
    assert seen.tolist() == 4 * [True] + 2 * [False]
    # 2 cm behind the surface that hides it counts as that surface, 4 cm does not.
    close = joined(plate(1.0, 0.5), plate(1.02, 0.4), plate(1.04, 0.4))
    assert seen_triangles(close, CAMERA, [ahead]).tolist() == 4 * [True] + 2 * [False]


def test_a_surface_farther_than_ten_metres_is_not_seen() -> None:
    things = joined(plate(9.9, 0.5, -1.0), plate(10.1, 0.5, 1.0))
    assert seen_triangles(things, CAMERA, [looking(1, 0, 0)]).tolist() == 2 * [True] + 2 * [False]


def test_triangles_are_left_out_with_their_vertices() -> None:
    mesh = joined(plate(1.0, 0.5), plate(2.0, 0.25))
    kept = with_triangles(mesh, np.array([False, False, True, True]))
    assert np.array_equal(kept.vertices, plate(2.0, 0.25).vertices)
    assert np.array_equal(kept.triangles, plate(2.0, 0.25).triangles)


def test_figures_of_a_room_that_is_shifted_by_hand() -> None:
    sides_m = (0.4, 0.3, 0.25)
    truth = room(sides_m)
    metrics = evaluate_replica(
        shifted(truth, 0.015, 0, 0), ReplicaReference(truth, view_poses=[]), CAMERA, AROUND,
        aligns=False,
    )  # fmt: skip
    # The two walls across x are off by 1.5 cm, the other four by what lies between samples: half
    # of 1 / root of their density, and at their ends by up to 1.5 cm, 0.75 in the mean.
    across, all_of_it = 2 * 0.3 * 0.25, 2 * (0.3 * 0.25 + 0.4 * 0.3 + 0.4 * 0.25)
    between_m = 0.5 * np.sqrt(all_of_it / 200_000)
    ends = 0.015 / 0.4
    along_m = (1 - ends) * between_m + ends * 0.0075
    mean_m = (across * 0.015 + (all_of_it - across) * along_m) / all_of_it
    assert metrics.accuracy_m == pytest.approx(mean_m, abs=2e-4)
    assert metrics.completion_m == pytest.approx(mean_m, abs=2e-4)
    assert metrics.completion_ratio == 1
    # Of the ends a third is farther than 1 cm; of the wall that lies within the true room a rim of
    # 1 cm is nearer to the walls around it.
    rim = across / 2 - (0.3 - 0.02) * (0.25 - 0.02)
    near = ((all_of_it - across) * (1 - ends / 3) + rim) / all_of_it
    assert (metrics.precision, metrics.recall) == pytest.approx((near, near), abs=0.005)
    assert metrics.f_score == pytest.approx(near, abs=0.005)
    assert np.isnan(metrics.depth_l1_m)
    assert metrics.to_json()["depth_l1_m"] is None


# 0.8 m before a wall 0.67 m to each side are in view, and so nothing but the wall.
VIEWS = [looking(1, 0, 0, at=(1.2, 0, 0)), looking(-1, 0, 0, at=(-1.2, 0, 0)),
         looking(0, 1, 0, at=(0, 0.7, 0))]  # fmt: skip


def test_depth_of_views_and_alignment_by_hand() -> None:
    truth = room()
    reference = ReplicaReference(truth, is_culled=True, view_poses=VIEWS)
    mesh = shifted(truth, 0.015, 0, 0)
    as_it_lies = evaluate_replica(mesh, reference, CAMERA, AROUND, aligns=False)
    # Two views see a wall that is 1.5 cm nearer or farther, the third one that slides along.
    assert as_it_lies.depth_l1_m == pytest.approx(0.01, abs=1e-5)
    assert (as_it_lies.views, as_it_lies.aligned_by_m) == (3, 0)
    aligned = evaluate_replica(mesh, reference, CAMERA, AROUND)
    assert aligned.depth_l1_m == pytest.approx(0, abs=1e-5)
    assert aligned.aligned_by_m == pytest.approx(0.015, abs=1e-5)
    assert "6 poses" in aligned.culling and "no virtual views" in aligned.culling


def test_a_wall_that_is_missing_is_off_by_all_of_its_depth() -> None:
    truth = room()
    wall = (truth.vertices[truth.triangles][:, :, 0] > 1.99).all(axis=1)
    open_room = with_triangles(truth, ~wall)
    reference = ReplicaReference(truth, is_culled=True, view_poses=VIEWS)
    metrics = evaluate_replica(open_room, reference, CAMERA, AROUND)
    assert metrics.depth_l1_m == pytest.approx(0.8 / 3, abs=1e-5)
    # Of the wall a rim of 5 cm is near to the others.
    across, all_of_it = 3.0 * 2.5, 2 * (3.0 * 2.5 + 4.0 * 3.0 + 4.0 * 2.5)
    lost = 2.9 * 2.4 / all_of_it
    assert metrics.completion_ratio == pytest.approx(1 - lost, abs=0.003)
    assert metrics.completion_ratio > 1 - across / all_of_it


def test_without_any_surface_nothing_is_complete() -> None:
    empty = with_triangles(room(), np.zeros(len(room().triangles), dtype=bool))
    reference = ReplicaReference(room(), is_culled=True, view_poses=VIEWS)
    metrics = evaluate_replica(empty, reference, CAMERA, AROUND)
    assert (metrics.completion_ratio, metrics.f_score) == (0, 0)
    assert metrics.to_json()["completion_m"] is None
    # 0.8 m in all views.
    assert metrics.depth_l1_m == pytest.approx(0.8, abs=1e-5)


def test_drawn_views_lie_in_the_room_and_hold_no_unseen_point() -> None:
    hidden = np.array([(1.9, y, z) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    poses = virtual_views(room(), hidden, CAMERA, 40, seed=1)
    assert len(poses) == 40
    at = np.array([pose[:3, 3] for pose in poses])
    # The shortest side, which is upright, to 0.3 of its length and raised by 0.4 m.
    assert (np.abs(at[:, :2]) <= 0.35 * np.array(SIDES_M[:2]) + 1e-9).all()
    assert (np.abs(at[:, 2] - 0.4) <= 0.15 * SIDES_M[2] + 1e-9).all()
    for pose in poses:
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
        # Upright: the picture's columns point down, none of its rows up or down.
        assert pose[2, 1] < 0 and pose[2, 0] == pytest.approx(0, abs=1e-12)
        in_camera = (hidden - pose[:3, 3]) @ pose[:3, :3]
        beside = np.abs(in_camera[:, :2]) >= in_camera[:, 2:] * np.array((80 / 60, 1.0))
        assert (beside.any(axis=1) | (in_camera[:, 2] <= 0)).all()


def test_views_are_given_up_where_an_unseen_point_is_everywhere() -> None:
    around = 0.01 * np.random.default_rng(0).normal(size=(3000, 3)) + (0, 0, 0.4)
    everywhere = np.concatenate((around, np.random.default_rng(1).uniform(-9, 9, (9000, 3))))
    assert virtual_views(room(), everywhere, CAMERA, 2, seed=0) == []


def write_published(folder: Path) -> Path:
    """Write what Co-SLAM publishes of a scene."""
    write_mesh(room(), folder / "gt_mesh_cull_virt_cams.ply")
    np.save(folder / "gt_pc_unseen.npy", np.array([(9.0, 9.0, 9.0)]))
    np.savez(folder / "sampled_poses_1000.npz", poses=np.array(VIEWS))
    (folder / "virtual_cameras").mkdir()
    for number in (10, 9):
        np.savetxt(
            folder / "virtual_cameras" / f"{number}.txt", looking(1, 0, 0, at=(number, 0, 0))
        )
    return folder


def test_published_data_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    reference = read_replica_reference(write_published(tmp_path), room())
    assert reference.is_culled
    assert [pose[0, 3] for pose in reference.virtual_poses] == [9, 10]
    assert reference.view_poses is not None
    assert np.allclose(reference.view_poses, VIEWS)
    assert np.array_equal(reference.unseen, [(9.0, 9.0, 9.0)])
    (tmp_path / "virtual_cameras" / "9.txt").write_text("1 2 3\n")
    with pytest.raises(SourceError, match=r"9\.txt.*4 x 4"):
        read_virtual_poses(tmp_path / "virtual_cameras")
    np.save(tmp_path / "gt_pc_unseen.npy", np.zeros(4))
    with pytest.raises(SourceError, match=r"gt_pc_unseen"):
        read_replica_reference(tmp_path, room())


def test_the_command_on_the_layout_of_nice_slam(tmp_path: Path, capsys: Capture) -> None:
    frames = formats.write_replica(tmp_path)
    published = write_published(tmp_path / "eval")
    mesh = write_mesh(shifted(room(), 0, 0.015, 0), tmp_path / "mesh.ply")
    line = ("eval", mesh, "--protocol", "replica", "--frames", frames, "--reference", published)
    figures = json.loads(run_command(capsys, *line, "--json").stdout)
    assert figures["views"] == 3
    assert figures["aligned_by_m"] == pytest.approx(0.015, abs=1e-4)
    # A few frames see a part of it, and that is right.
    assert figures["precision"] > 0.99
    assert figures["recall"] < 0.5
    shown = run_command(capsys, *line).stdout
    assert "depth l1" in shown and "culling: frusta of" in shown and "2 virtual views" in shown


def test_the_command_names_what_it_lacks(tmp_path: Path, capsys: Capture) -> None:
    mesh = write_mesh(room(), tmp_path / "mesh.ply")
    result = run_command(capsys, "eval", mesh, "--protocol", "replica")
    assert result.exit_code and "--frames" in result.stderr
    frames = formats.write_replica(tmp_path)
    result = run_command(capsys, "eval", mesh, "--protocol", "replica", "--frames", frames)
    assert result.exit_code and "--reference" in result.stderr
