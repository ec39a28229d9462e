# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The protocol of DTU on data in its layout, with figures by hand, and what its command lacks."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from command import run_command
from protocol_meshes import mesh_of, plate
from scipy.io import savemat

from ineus_core.errors import SourceError
from ineus_core.evaluation import (
    DtuReference,
    MaskView,
    evaluate_dtu,
    read_dtu_reference,
)
from ineus_core.evaluation.dtu_protocol import culled_by_masks, mesh_points
from ineus_core.kernels.thinning import thinned
from ineus_core.meshing import write_mesh
from ineus_core.types import Camera

Capture = pytest.CaptureFixture[str]


def lattice(z: float, side: float = 20.0, step: float = 0.25) -> np.ndarray:
    line = np.arange(0, side + step / 2, step)
    x, y = np.meshgrid(line, line)
    return np.stack((x.ravel(), y.ravel(), np.full(x.size, z)), axis=1)


def dtu_reference(**parts: object) -> DtuReference:
    """Make a scan at z = 0, observed in cells of 2 mm from (-10, -10, -10) to (30, 30, 30)."""
    given = {
        "points": lattice(0.0),
        "observed": np.ones((21, 21, 21), dtype=bool),
        "box_mm": np.array([[-10.0] * 3, [30.0] * 3]),
        "cell_mm": 2.0,
        "plane": np.array((0.0, 0.0, 1.0, 5.0)),
    }
    return DtuReference(**{**given, **parts})  # type: ignore[arg-type]


def test_points_of_a_triangle_by_hand() -> None:
    mesh = mesh_of(trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)], process=False))
    # Legs of 1 and a density of 0.5 make steps of 0.5: of their middles one lies inside.
    expected = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0.25, 0.25, 0)]
    np.testing.assert_allclose(mesh_points(mesh, 0.5), expected)
    flat = mesh_of(trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(0, 1, 2)], process=False))
    assert len(mesh_points(flat, 0.5)) == 3


def test_points_of_a_mesh_are_as_dense_as_asked_for() -> None:
    assert len(mesh_points(plate(0.0), 0.2)) == pytest.approx(100 * 100, rel=0.03)


@pytest.mark.parametrize("count", [0, 1, 400])
def test_thinning_is_the_greedy_one(count: int) -> None:
    points = np.random.default_rng(1).random((count, 3))
    stays = np.ones(count, dtype=bool)
    for i in range(count):
        if stays[i]:
            near = np.linalg.norm(points - points[i], axis=1) <= 0.1
            stays[i + 1 :] &= ~near[i + 1 :]
    assert np.array_equal(thinned(points, 0.1), stays)
    assert count < 2 or 0 < stays.sum() < count


def test_a_plate_three_millimetres_above_a_scan() -> None:
    metrics = evaluate_dtu(plate(3.0), dtu_reference())
    # Up to 0.18 mm aside: sqrt(9 + 0.02) is 0.1 % more.
    assert metrics.accuracy_mm == pytest.approx(3.0, rel=3e-3)
    assert metrics.completeness_mm == pytest.approx(3.0, rel=3e-3)
    assert metrics.overall_mm == pytest.approx(3.0, rel=3e-3)
    assert metrics.reference_points == 81 * 81
    # Of a lattice of 0.2 mm, points at that distance go: of a random order 0.36 stay, at least.
    assert 0.36 * 10_000 < metrics.points < 0.6 * 10_000
    assert "mesh: none" in metrics.culling


def test_outliers_count_for_neither_distance() -> None:
    both = trimesh.util.concatenate(
        [trimesh.Trimesh(m.vertices, m.triangles) for m in (plate(1.0), plate(25.0))]
    )
    metrics = evaluate_dtu(mesh_of(both), dtu_reference())
    # The second plate is 25 mm from the scan, more than the 20 that count.
    assert metrics.accuracy_mm == pytest.approx(1.0, rel=0.02)
    assert metrics.completeness_mm == pytest.approx(1.0, rel=0.02)


def test_only_what_was_observed_is_compared_with_the_scan() -> None:
    observed = np.ones((21, 21, 21), dtype=bool)
    # x beyond 10 mm, where cell 10 begins at 9, has not been seen.
    observed[10:] = False
    wedge = mesh_of(
        trimesh.Trimesh(
            [(0, 0, 2), (20, 0, 2), (20, 20, 2), (0, 20, 2), (12, 0, 6), (20, 0, 6), (20, 20, 6)],
            [(0, 1, 2), (0, 2, 3), (4, 5, 6)],
            process=False,
        )
    )
    everywhere = evaluate_dtu(wedge, dtu_reference())
    seen = evaluate_dtu(wedge, dtu_reference(observed=observed))
    assert seen.accuracy_mm == pytest.approx(2.0, rel=0.01)
    assert everywhere.accuracy_mm > 2.2
    # Completeness takes the unmasked points.
    assert seen.completeness_mm == everywhere.completeness_mm == pytest.approx(2.0, rel=0.01)


def test_the_scan_of_the_table_does_not_count() -> None:
    with_table = np.concatenate((lattice(0.0), lattice(-8.0)))
    metrics = evaluate_dtu(plate(1.0), dtu_reference(points=with_table))
    assert metrics.reference_points == 81 * 81
    assert metrics.completeness_mm == pytest.approx(1.0, rel=0.02)


def test_nothing_to_compare_is_no_number() -> None:
    metrics = evaluate_dtu(plate(1.0, left=500.0), dtu_reference())
    assert metrics.to_json()["accuracy_mm"] is None
    assert metrics.points == 0


def test_masks_cut_what_lies_beside_them_in_any_picture() -> None:
    # From 100 mm above, 10 px to the millimetre; the left half of the plate is object.
    camera = Camera(400, 400, 1000.0, 1000.0, 200.0, 200.0)
    pose = np.diag((1.0, -1.0, -1.0, 1.0))
    pose[:3, 3] = (10, 10, 100)
    inside = np.zeros((400, 400), dtype=bool)
    inside[:, :200] = True
    line = np.linspace(0, 20, 41)
    x, y = np.meshgrid(line, line)
    grid = np.arange(41 * 41).reshape(41, 41)
    a, b, c, d = (
        grid[:-1, :-1].ravel(),
        grid[:-1, 1:].ravel(),
        grid[1:, 1:].ravel(),
        grid[1:, :-1].ravel(),
    )
    faces = np.concatenate((np.stack((a, b, c), axis=1), np.stack((a, c, d), axis=1)))
    vertices = np.stack((x.ravel(), y.ravel(), np.zeros(x.size)), axis=1)
    mesh = mesh_of(trimesh.Trimesh(vertices, faces, process=False))
    kept = culled_by_masks(mesh, [MaskView(camera, pose, inside)])
    # 24 px are 2.4 mm: the last vertices within 12.4 mm are at 12 mm.
    assert kept.vertices[:, 0].max() == pytest.approx(12.0)
    assert kept.vertices[:, 0].min() == 0.0
    # A picture that does not show it says nothing.
    away = pose.copy()
    away[0, 3] = 1000.0
    assert len(culled_by_masks(mesh, [MaskView(camera, away, inside)]).vertices) == 41 * 41
    cut = evaluate_dtu(mesh, dtu_reference(), [MaskView(camera, pose, inside)])
    assert "masks of 1 pictures" in cut.culling
    assert cut.accuracy_mm < 0.2 < cut.completeness_mm


def write_dtu(folder: Path) -> Path:
    reference = dtu_reference()
    (folder / "Points" / "stl").mkdir(parents=True)
    (folder / "ObsMask").mkdir()
    trimesh.PointCloud(reference.points).export(folder / "Points" / "stl" / "stl024_total.ply")
    mask = {"ObsMask": reference.observed.astype(np.uint8), "BB": reference.box_mm, "Res": 2.0}
    savemat(folder / "ObsMask" / "ObsMask24_10.mat", mask)
    savemat(folder / "ObsMask" / "Plane24.mat", {"P": reference.plane[:, None]})
    return folder


def test_a_mesh_against_the_published_files_of_dtu(tmp_path: Path, capsys: Capture) -> None:
    folder = write_dtu(tmp_path / "MVS Data")
    file = write_mesh(plate(3.0), tmp_path / "mesh.ply")
    words = ("--protocol", "dtu", "--reference", folder, "--scan", "24")
    result = run_command(capsys, "eval", file, *words, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["overall_mm"] == pytest.approx(3.0, rel=3e-3)
    shown = run_command(capsys, "eval", file, *words)
    assert "overall 3.00" in shown.stdout and "observability mask" in shown.stdout


def test_what_is_wrong_with_the_files_of_dtu_is_said(tmp_path: Path) -> None:
    folder = write_dtu(tmp_path)
    points = lattice(0.0)
    with pytest.raises(SourceError, match=r"ObsMask25_10\.mat: no such file"):
        read_dtu_reference(folder, 25, points)
    savemat(folder / "ObsMask" / "Plane24.mat", {"Q": np.zeros(4)})
    with pytest.raises(SourceError, match=r"Plane24\.mat: no P"):
        read_dtu_reference(folder, 24, points)
    savemat(folder / "ObsMask" / "Plane24.mat", {"P": np.zeros(3)})
    with pytest.raises(SourceError, match=r"P of \(3,\)"):
        read_dtu_reference(folder, 24, points)
    (folder / "ObsMask" / "Plane24.mat").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="MATLAB"):
        read_dtu_reference(folder, 24, points)


@pytest.mark.parametrize(
    ("words", "exit_code", "expected"),
    [
        (("--protocol", "eth3d", "--reference", "."), 2, "'eth3d': expected one of none, dtu"),
        (("--protocol", "dtu"), 2, "needs --reference"),
        (("--protocol", "dtu", "--reference", "."), 2, "needs --scan"),
        (("--protocol", "dtu", "--reference", "nowhere", "--scan", "1"), 1, "no such folder"),
        (("--protocol", "dtu", "--reference", ".", "--scan", "1"), 1, "stl001_total.ply"),
    ],
)
def test_what_a_protocol_lacks_is_said_in_a_line(
    tmp_path: Path, capsys: Capture, words: tuple[str, ...], exit_code: int, expected: str
) -> None:
    file = write_mesh(plate(0.0), tmp_path / "mesh.ply")
    result = run_command(capsys, "eval", file, *words)
    assert result.exit_code == exit_code
    assert expected in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
