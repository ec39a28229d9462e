# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Distances between squares and points whose figures can be worked out by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ineus_core.errors import ConfigError
from ineus_core.evaluation import CullingView, evaluate_mesh, sample_surface
from ineus_core.types import Camera, Mesh


def square(z: float = 0.0, width: float = 1.0, left: float = 0.0) -> Mesh:
    """Make two triangles in a plane of constant z, 1 m deep, facing up."""
    corners = ((left, 0, z), (left + width, 0, z), (left + width, 1, z), (left, 1, z))
    return Mesh(
        np.array(corners, dtype=np.float32),
        np.array(((0, 1, 2), (0, 2, 3)), dtype=np.int32),
        np.tile(np.array((0, 0, 1), dtype=np.float32), (4, 1)),
        np.full((4, 3), 128, dtype=np.uint8),
    )


def joined(a: Mesh, b: Mesh) -> Mesh:
    """Join both surfaces."""
    return Mesh(
        np.concatenate((a.vertices, b.vertices)),
        np.concatenate((a.triangles, b.triangles + np.int32(len(a.vertices)))),
        np.concatenate((a.normals, b.normals)),
        np.concatenate((a.colours, b.colours)),
    )


def nothing() -> Mesh:
    """Make a mesh of no triangles."""
    none = np.zeros((0, 3), dtype=np.float32)
    return Mesh(none, none.astype(np.int32), none, none.astype(np.uint8))


def test_a_shifted_plane_is_its_shift_away() -> None:
    """3 cm apart: nothing within 2 cm, everything within 5 cm, both distances 3 cm."""
    metrics = evaluate_mesh(square(0.03), square(), (0.02, 0.05), samples=40_000)
    # Nearest samples lie up to a spacing (5 mm) aside: sqrt(0.03² + 0.003²) is 0.5 % more.
    assert metrics.accuracy_m == pytest.approx(0.03, rel=0.01)
    assert metrics.completeness_m == pytest.approx(0.03, rel=0.01)
    assert metrics.chamfer_m == pytest.approx(0.03, rel=0.01)
    assert metrics.precision == {0.02: 0.0, 0.05: 1.0}
    assert metrics.recall == {0.02: 0.0, 0.05: 1.0}
    assert metrics.f_score == {0.02: 0.0, 0.05: 1.0}
    assert metrics.normal_consistency == pytest.approx(1.0)
    assert metrics.culling == "none"
    assert metrics.sample_spacing_m == pytest.approx(0.005)


def test_half_a_plane_is_precise_but_not_complete() -> None:
    """Half the reference plus a strip of the threshold: recall 0.55, F = 2 * 0.55 / 1.55."""
    metrics = evaluate_mesh(square(width=0.5), square(), (0.05,), samples=40_000)
    assert metrics.precision[0.05] == 1.0
    assert metrics.recall[0.05] == pytest.approx(0.55, abs=0.01)
    assert metrics.f_score[0.05] == pytest.approx(1.1 / 1.55, abs=0.01)
    # Distance grows evenly from 0 to 0.5 m over the missing half: 0.25 / 2.
    assert metrics.completeness_m == pytest.approx(0.125, rel=0.02)


def test_a_ghost_costs_precision_unless_the_box_culls_it() -> None:
    """A second plane 1 m above: half the area is wrong; it lies outside of the reference's box."""
    ours = joined(square(), square(z=1.0))
    strict = evaluate_mesh(ours, square(), (0.05,), samples=20_000)
    assert strict.precision[0.05] == pytest.approx(0.5, abs=0.01)
    assert strict.accuracy_m == pytest.approx(0.5, abs=0.01)
    boxed = evaluate_mesh(ours, square(), (0.05,), culling="box", samples=20_000)
    assert boxed.precision[0.05] == 1.0
    assert boxed.culling == "box"
    assert boxed.samples == pytest.approx(10_000, rel=0.02)


def test_normals_are_compared_without_their_sign() -> None:
    """A plane turned over agrees; a plane at right angles does not."""
    turned = replace(square(), triangles=square().triangles[:, ::-1].copy())
    assert evaluate_mesh(turned, square(), (0.05,), samples=1000).normal_consistency == 1.0
    upright = replace(square(), vertices=square().vertices[:, [2, 0, 1]].copy())
    metrics = evaluate_mesh(upright, square(), (0.05,), samples=1000)
    assert metrics.normal_consistency == pytest.approx(0.0, abs=1e-9)


def test_points_are_a_reference_without_normals() -> None:
    """Four points 0.1 m under the corners: recall by the threshold, normals unknown."""
    points = square(-0.1).vertices.astype(np.float64)
    metrics = evaluate_mesh(square(), points, (0.05, 0.15), samples=40_000)
    assert metrics.recall == {0.05: 0.0, 0.15: 1.0}
    assert metrics.completeness_m == pytest.approx(0.1, rel=0.01)
    # Within 0.15 of a point: quarter discs of radius sqrt(0.15² - 0.1²), so pi r² in all.
    assert metrics.precision[0.15] == pytest.approx(math.pi * 0.0125, abs=0.005)
    assert math.isnan(metrics.normal_consistency)
    assert metrics.to_json()["normal_consistency"] is None
    assert metrics.reference_samples == 4


def test_json_has_the_names_of_the_interface() -> None:
    """One object that any JSON reader takes."""
    record = evaluate_mesh(square(), square(), (0.05, 0.1), samples=100).to_json()
    assert {
        "accuracy_m",
        "completeness_m",
        "chamfer_m",
        "precision",
        "recall",
        "f_score",
        "normal_consistency",
        "culling",
    } <= set(record)
    assert list(record["f_score"]) == ["0.05", "0.1"]
    json.dumps(record, allow_nan=False)


def test_an_empty_mesh_has_recall_zero_and_no_distances() -> None:
    """Nothing reconstructed is a result, not a crash."""
    metrics = evaluate_mesh(nothing(), square(), (0.05,), samples=100)
    assert metrics.f_score == metrics.recall == metrics.precision == {0.05: 0.0}
    assert metrics.to_json()["accuracy_m"] is None
    assert metrics.to_json()["completeness_m"] is None


def test_what_makes_no_sense_is_refused() -> None:
    """No reference surface, no threshold, a negative one, frusta without views."""
    with pytest.raises(ConfigError, match="reference"):
        evaluate_mesh(square(), nothing())
    with pytest.raises(ConfigError, match="reference"):
        evaluate_mesh(square(), np.zeros((0, 3)))
    for thresholds in ((), (0.0,), (-0.1, 0.2), (float("nan"),)):
        with pytest.raises(ConfigError, match="thresholds"):
            evaluate_mesh(square(), square(), thresholds)
    with pytest.raises(ConfigError, match="no views"):
        evaluate_mesh(square(), square(), (0.05,), culling="frusta")


def view_down(depth_m: float | None) -> CullingView:
    """From 1 m above the middle of the square, 100 pixels a metre: sees 0.5 m to each side."""
    world_from_camera = np.diag((1.0, -1.0, -1.0, 1.0))
    world_from_camera[:3, 3] = (0.5, 0.5, 1.0)
    depth = None if depth_m is None else np.full((50, 50), depth_m, dtype=np.float32)
    return CullingView(Camera(50, 50, 100, 100, 25, 25), world_from_camera, depth)


def test_frusta_keep_what_is_in_the_image() -> None:
    """At 1 m, 50 pixels of 1 cm: a quarter of the square on both sides."""
    metrics = evaluate_mesh(
        square(), square(), (0.05,), culling="frusta", views=[view_down(None)], samples=20_000
    )
    assert metrics.samples == pytest.approx(5000, rel=0.03)
    assert metrics.reference_samples == pytest.approx(5000, rel=0.03)
    assert metrics.culling == "frusta"


def test_occlusion_hides_what_is_behind_the_measured_depth() -> None:
    """A plane 0.3 m under the floor that was seen counts by frusta alone, not with occlusion."""
    ours = joined(square(), square(z=-0.3))
    views = [view_down(1.0)]
    common = {"views": views, "samples": 20_000}
    by_frusta = evaluate_mesh(ours, square(), (0.05,), "frusta", **common)  # type: ignore[arg-type]
    assert by_frusta.precision[0.05] < 0.45
    hidden = evaluate_mesh(ours, square(), (0.05,), "frusta+occlusion", **common)  # type: ignore[arg-type]
    assert hidden.precision[0.05] == 1.0
    with pytest.raises(ConfigError, match="no depth"):
        evaluate_mesh(ours, square(), (0.05,), "frusta+occlusion", views=[view_down(None)])


def test_distances_are_taken_to_points_as_dense_as_the_threshold_asks() -> None:
    """1 cm on 1 m²: points 5 mm apart, so two draws of one plane are 2.5 mm apart on average."""
    metrics = evaluate_mesh(square(), square(), (0.01,), samples=1000)
    assert metrics.samples == metrics.reference_samples == 1000
    assert metrics.sample_spacing_m == pytest.approx(0.005)
    assert metrics.accuracy_m < 0.003
    assert metrics.f_score[0.01] == 1.0


def test_samples_follow_the_area_and_the_seed() -> None:
    """A triangle of three quarters of the area gets three quarters of the points, on its plane."""
    mesh = joined(square(width=3.0), square(z=1.0))
    points = sample_surface(mesh, 4000, seed=3)
    assert (points.positions[:, 2] == 0).sum() == pytest.approx(3000, abs=1)
    assert points.positions[:, 0].max() <= 3.0
    np.testing.assert_allclose(points.normals, np.tile((0.0, 0.0, 1.0), (4000, 1)))
    again = sample_surface(mesh, 4000, seed=3)
    np.testing.assert_array_equal(points.positions, again.positions)
    middle = points.positions[points.positions[:, 2] == 0].mean(axis=0)
    np.testing.assert_allclose(middle, (1.5, 0.5, 0), atol=0.03)
