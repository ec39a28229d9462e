# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Welding and removal of crumbs, on meshes of a few triangles."""

import numpy as np

from ineus_core.meshing import moved_mesh, remove_small_components, weld
from ineus_core.types import Mesh, MeshBlock


def block(x: float, shift: float = 0.0) -> MeshBlock:
    """Make a unit square of two triangles from x to x + 1 in the plane z = 0."""
    corners = np.array(((x, 0, 0), (x + 1, 0, 0), (x + 1, 1, 0), (x, 1, 0)), dtype=np.float32)
    return MeshBlock(
        (int(x), 0, 0),
        Mesh(
            corners + np.float32(shift),
            np.array(((0, 1, 2), (0, 2, 3)), dtype=np.int32),
            np.tile(np.array((0, 0, 1), dtype=np.float32), (4, 1)),
            np.full((4, 3), int(x), dtype=np.uint8),
        ),
    )


def test_squares_side_by_side_share_two_vertices() -> None:
    """4 + 4 - 2 vertices; the shared ones keep the first colour."""
    mesh = weld([block(0), block(1)])
    assert mesh.vertices.shape == (6, 3)
    np.testing.assert_array_equal(mesh.triangles, ((0, 1, 2), (0, 2, 3), (1, 4, 5), (1, 5, 2)))
    np.testing.assert_array_equal(mesh.colours[:, 0], (0, 0, 0, 0, 1, 1))
    assert mesh.vertices.dtype == np.float32
    assert mesh.triangles.dtype == np.int32


def test_tolerance_decides_what_is_the_same_place() -> None:
    """Squares 1e-4 apart weld at 1e-3 and stay apart at 1e-6."""
    assert len(weld([block(0), block(1, shift=1e-4)], tolerance_m=1e-3).vertices) == 6
    assert len(weld([block(0), block(1, shift=1e-4)]).vertices) == 8


def test_triangles_that_fold_are_dropped() -> None:
    """At a tolerance of 4 m all corners are one place."""
    assert weld([block(0)], tolerance_m=4.0).triangles.shape == (0, 3)


def test_nothing_welds_to_nothing() -> None:
    """No block, or blocks without triangles."""
    empty = weld([])
    assert empty.vertices.shape == empty.normals.shape == empty.colours.shape == (0, 3)
    again = weld([MeshBlock((0, 0, 0), empty)])
    assert again.triangles.shape == (0, 3)
    assert remove_small_components(again, 5).triangles.shape == (0, 3)


def test_small_pieces_go_with_their_vertices() -> None:
    """Two squares joined (4 triangles) and one apart (2 triangles)."""
    mesh = weld([block(5), block(0), block(1)])
    kept = remove_small_components(mesh, 3)
    assert kept.vertices.shape == (6, 3)
    assert kept.triangles.shape == (4, 3)
    assert kept.vertices[:, 0].max() == 2
    np.testing.assert_array_equal(kept.vertices[kept.triangles[0]], block(0).mesh.vertices[:3])
    assert len(remove_small_components(mesh, 2).triangles) == 6
    assert len(remove_small_components(mesh, 5).triangles) == 0


def test_a_mesh_in_other_coordinates() -> None:
    """Turned by 90 degrees about x, twice as large, one further along y."""
    other = np.eye(4)
    other[:3, :3] = 2.0 * np.array(((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    other[1, 3] = 1.0
    mesh = moved_mesh(block(0).mesh, other)
    np.testing.assert_allclose(mesh.vertices, ((0, 1, 0), (2, 1, 0), (2, 1, 2), (0, 1, 2)))
    np.testing.assert_allclose(mesh.normals, np.tile((0.0, -1.0, 0.0), (4, 1)), atol=1e-7)
    np.testing.assert_array_equal(mesh.triangles, ((0, 1, 2), (0, 2, 3)))


def test_a_mirror_turns_triangles_so_that_they_still_face_their_normals() -> None:
    mesh = moved_mesh(block(0).mesh, np.diag((1.0, 1.0, -1.0, 1.0)))
    a, b, c = mesh.vertices[mesh.triangles[0]]
    np.testing.assert_allclose(np.cross(b - a, c - a), mesh.normals[0])
    np.testing.assert_allclose(mesh.normals[0], (0, 0, -1))
