# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The protocol of Tanks and Temples on data in its layout, with figures by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from command import run_command
from protocol_meshes import mesh_of

from ineus_core.errors import SourceError
from ineus_core.evaluation import (
    evaluate_tanks,
    read_tanks_reference,
)
from ineus_core.evaluation.tanks_protocol import CropVolume, similarity_between
from ineus_core.meshing import moved_mesh, write_mesh
from ineus_core.types import Mesh

Capture = pytest.CaptureFixture[str]


def box_points(step: float = 0.01) -> np.ndarray:
    """Sample all over the surface of a box of 1 x 0.8 x 0.6 m."""
    box = trimesh.creation.box((1.0, 0.8, 0.6))
    points, _ = trimesh.sample.sample_surface_even(box, int(box.area / step**2), seed=0)
    return np.asarray(points)


def box_mesh() -> Mesh:
    box = trimesh.creation.box((1.0, 0.8, 0.6))
    return mesh_of(trimesh.Trimesh(box.vertices, box.faces, process=False))


def similarity(scale: float, angle: float, shift: tuple[float, float, float]) -> np.ndarray:
    move = trimesh.transformations.rotation_matrix(angle, (0.3, 1.0, -0.5))
    move[:3, :3] *= scale
    move[:3, 3] = shift
    return move


CENTRES = np.random.default_rng(3).uniform(-3, 3, (12, 3))


def write_tanks(folder: Path, colmap_from_truth: np.ndarray, low: float = -1.0) -> Path:
    """Write the box as Church, whose COLMAP model has other coordinates; cut below a height."""
    folder.mkdir(parents=True)
    trimesh.PointCloud(box_points()).export(folder / "Church.ply")
    polygon = [(-2, 0, -2), (2, 0, -2), (2, 0, 2), (-2, 0, 2)]
    volume = {
        "class_name": "SelectionPolygonVolume",
        "orthogonal_axis": "Y",
        "axis_min": low,
        "axis_max": 1.0,
        "bounding_polygon": polygon,
    }
    (folder / "Church.json").write_text(json.dumps(volume))
    np.savetxt(folder / "Church_trans.txt", np.linalg.inv(colmap_from_truth))
    lines = []
    for i, centre in enumerate(CENTRES):
        pose = np.eye(4)
        pose[:3, 3] = colmap_from_truth[:3, :3] @ centre + colmap_from_truth[:3, 3]
        lines += [f"{i} {i} 0", *(" ".join(map(repr, row)) for row in pose.tolist())]
    (folder / "Church_COLMAP_SfM.log").write_text("\n".join(lines) + "\n")
    return folder


def test_the_crop_volume_of_a_bent_polygon() -> None:
    # An L in x and z, from y = 0 to 2.
    corners = np.array([(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)], dtype=float)
    volume = CropVolume(1, 0.0, 2.0, corners)
    points = [
        (0.5, 1, 0.5),
        (0.5, 1, 2.5),
        (1.5, 1, 0.5),
        (1.5, 1, 2),
        (0.5, 2.1, 0.5),
        (-1, 1, 1),
    ]
    assert volume.holds(np.array(points, dtype=float)).tolist() == [True] * 3 + [False] * 3


def test_a_similarity_is_found_from_pairs_of_points() -> None:
    move = similarity(2.5, 1.1, (3.0, -2.0, 0.5))
    others = CENTRES @ move[:3, :3].T + move[:3, 3]
    np.testing.assert_allclose(similarity_between(CENTRES, others), move, atol=1e-9)
    # A mirror is no similarity: the rotation stays one.
    mirrored = similarity_between(CENTRES, others * (1, 1, -1))
    assert np.linalg.det(mirrored[:3, :3]) > 0


def test_the_true_surface_in_other_coordinates_has_all_right(tmp_path: Path) -> None:
    colmap_from_truth = similarity(3.0, 0.7, (1.0, 2.0, -1.0))
    reference = read_tanks_reference(
        write_tanks(tmp_path / "Church", colmap_from_truth), box_points()
    )
    # A published alignment that is off by a centimetre and half a degree is refined.
    off = similarity(1.01, np.radians(0.5), (0.01, 0.0, -0.005))
    mesh = moved_mesh(box_mesh(), colmap_from_truth @ off)
    metrics = evaluate_tanks(mesh, reference)
    assert metrics.tau_m == 0.025
    assert metrics.f_score > 0.99 and metrics.precision > 0.99 and metrics.recall > 0.99
    assert metrics.scale == pytest.approx(1 / 3.03, rel=3e-3)
    # In coordinates of its own, by the places of the cameras.
    own_from_truth = similarity(0.4, -1.3, (0.0, 5.0, 0.0))
    centres = CENTRES @ own_from_truth[:3, :3].T + own_from_truth[:3, 3]
    own = moved_mesh(box_mesh(), own_from_truth)
    assert evaluate_tanks(own, reference, centres).f_score > 0.99
    with pytest.raises(SourceError, match="11 frames, but the log of Church has 12"):
        evaluate_tanks(own, reference, centres[1:])


def test_missing_and_superfluous_surface_cost_recall_and_precision(tmp_path: Path) -> None:
    reference = read_tanks_reference(write_tanks(tmp_path / "Church", np.eye(4)), box_points())
    sides = 2 * (1.0 * 0.8 + 1.0 * 0.6 + 0.8 * 0.6)
    whole = box_mesh()
    # Without the two triangles of the face at z = -0.3.
    heights = whole.vertices[whole.triangles][:, :, 2]
    open_ = Mesh(
        whole.vertices,
        whole.triangles[(heights > -0.29).any(axis=1)],
        whole.normals,
        whole.colours,
    )
    metrics = evaluate_tanks(open_, reference)
    assert metrics.precision > 0.99
    assert metrics.recall == pytest.approx(1 - 0.8 / sides, abs=0.03)
    # A wall of 1 x 0.8 m through the middle: only its rim lies within 2.5 cm of the surface.
    extra = trimesh.util.concatenate(
        [
            trimesh.Trimesh(whole.vertices, whole.triangles, process=False),
            trimesh.Trimesh(
                [(-0.5, -0.4, 0), (0.5, -0.4, 0), (0.5, 0.4, 0), (-0.5, 0.4, 0)],
                [(0, 1, 2), (0, 2, 3)],
                process=False,
            ),
        ]
    )
    metrics = evaluate_tanks(mesh_of(extra), reference)
    wrong = 0.95 * 0.75
    assert metrics.precision == pytest.approx(1 - wrong / (sides + 0.8), abs=0.03)
    assert metrics.recall > 0.99


def test_both_are_cut_to_the_volume(tmp_path: Path) -> None:
    reference = read_tanks_reference(
        write_tanks(tmp_path / "Church", np.eye(4), 0.1), box_points()
    )
    metrics = evaluate_tanks(box_mesh(), reference)
    assert metrics.f_score > 0.98
    # What is below y = 0.1 is no point of either: a face of 0.6 m² and 0.3 of 3.2 m² remain.
    whole = (1.0 * 0.6 + 0.3 * 3.2) / 0.0125**2
    assert metrics.reference_points < 1.6 * whole
    assert "volume of Church" in metrics.culling


def test_a_mesh_against_the_published_files_of_a_scene(tmp_path: Path, capsys: Capture) -> None:
    folder = write_tanks(tmp_path / "Church", np.eye(4))
    file = write_mesh(box_mesh(), tmp_path / "mesh.ply")
    words = ("--protocol", "tanks-and-temples", "--reference", folder)
    result = run_command(capsys, "eval", file, *words, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["f_score"] > 0.99
    shown = run_command(capsys, "eval", file, *words).stdout
    assert "Church, tau 25 mm" in shown and "culling: published volume" in shown


def test_what_is_wrong_with_a_scene_is_said(tmp_path: Path, capsys: Capture) -> None:
    folder = write_tanks(tmp_path / "Church", np.eye(4))
    points = box_points()
    with pytest.raises(SourceError, match="unknown scene; expected one of Barn"):
        read_tanks_reference(tmp_path, points)
    log = folder / "Church_COLMAP_SfM.log"
    log.write_text(log.read_text() + "0 0 0\n")
    with pytest.raises(SourceError, match="61 lines; expected five"):
        read_tanks_reference(folder, points)
    (folder / "Church.json").write_text('{"orthogonal_axis": "Q"}')
    log.write_text("\n".join(log.read_text().splitlines()[:-1]))
    with pytest.raises(SourceError, match=r"Church\.json: not the volume"):
        read_tanks_reference(folder, points)
    (folder / "Church_trans.txt").write_text("1 0 0 0\n")
    with pytest.raises(SourceError, match=r"matrix of shape \(1, 4\)"):
        read_tanks_reference(folder, points)
    (folder / "Church_trans.txt").unlink()
    with pytest.raises(SourceError, match="Church_trans"):
        read_tanks_reference(folder, points)
