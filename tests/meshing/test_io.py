# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Mesh files: what is written comes back, and a failed write leaves the old file."""

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from ineus_core.errors import CapacityError, ConfigError, SourceError
from ineus_core.meshing import moved_mesh, read_mesh, read_reference, write_mesh
from ineus_core.types import Mesh


@pytest.fixture
def tetrahedron() -> Mesh:
    """Four corners, four triangles, each vertex of its own colour."""
    vertices = np.array(((0, 0, 0), (1, 0, 0), (0, 2, 0), (0, 0, 3)), dtype=np.float32)
    normals = vertices - vertices.mean(axis=0)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    triangles = np.array(((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)), dtype=np.int32)
    colours = np.array(((255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 8, 7)), dtype=np.uint8)
    return Mesh(vertices, triangles, normals, colours)


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".PLY"])
def test_what_is_written_comes_back(tetrahedron: Mesh, tmp_path: Path, suffix: str) -> None:
    """Positions, triangles, normals and colours, in their order."""
    path = write_mesh(tetrahedron, tmp_path / "new folder" / f"mesh{suffix}")
    back = read_mesh(path)
    np.testing.assert_allclose(back.vertices, tetrahedron.vertices, atol=1e-6)
    np.testing.assert_array_equal(back.triangles, tetrahedron.triangles)
    np.testing.assert_allclose(back.normals, tetrahedron.normals, atol=1e-3)
    np.testing.assert_array_equal(back.colours, tetrahedron.colours)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_ply_is_binary_little_endian_with_a_record_of_27_bytes(
    tetrahedron: Mesh, tmp_path: Path
) -> None:
    """Six floats and three bytes a vertex, one byte and three ints a triangle."""
    content = write_mesh(tetrahedron, tmp_path / "mesh.ply").read_bytes()
    header, body = content.split(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\n")
    assert len(body) == 4 * 27 + 4 * 13
    assert np.frombuffer(body[27:39], "<f4").tolist() == [1, 0, 0]
    assert np.frombuffer(body[-12:], "<i4").tolist() == [0, 3, 2]


def test_an_empty_mesh_can_be_written(tmp_path: Path) -> None:
    """A run that saw nothing still leaves a valid file; reading it names the lack."""
    nothing = np.zeros((0, 3), dtype=np.float32)
    mesh = Mesh(nothing, nothing.astype(np.int32), nothing, nothing.astype(np.uint8))
    path = write_mesh(mesh, tmp_path / "mesh.ply")
    with pytest.raises(SourceError, match=r"mesh\.ply"):
        read_mesh(path)


def test_unknown_suffix_names_the_known_ones(tetrahedron: Mesh, tmp_path: Path) -> None:
    """The error lists what would work, and nothing is written."""
    with pytest.raises(ConfigError, match=r"'\.stl'.*\.ply, \.obj, \.glb"):
        write_mesh(tetrahedron, tmp_path / "mesh.stl")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(
    tetrahedron: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new bytes go beside; when they do not fit, they are removed."""
    path = tmp_path / "mesh.ply"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CapacityError, match=r"mesh\.ply: does not fit"):
        write_mesh(tetrahedron, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tetrahedron: Mesh, tmp_path: Path) -> None:
    """A file where a folder is needed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_mesh(tetrahedron, tmp_path / "file" / "mesh.ply")


def test_references_are_meshes_or_points(tetrahedron: Mesh, tmp_path: Path) -> None:
    """A PLY with triangles, a PLY with points only, an array."""
    assert isinstance(read_reference(write_mesh(tetrahedron, tmp_path / "mesh.ply")), Mesh)
    points = tmp_path / "points.ply"
    points.write_text(
        "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
        "property float z\nend_header\n0 0 0\n1 2 3\n"
    )
    np.testing.assert_array_equal(read_reference(points), ((0, 0, 0), (1, 2, 3)))
    np.save(tmp_path / "points.npy", np.ones((5, 3), dtype=np.float32))
    np.testing.assert_array_equal(read_reference(tmp_path / "points.npy"), np.ones((5, 3)))


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


def array_file(header: str) -> bytes:
    """Make a .npy file of 12 bytes of data behind a header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(12)


@pytest.mark.parametrize(
    "name, content",
    [
        ("missing.ply", None),
        ("broken.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 9\n"),
        ("broken.npy", b"not numpy"),
        ("header.npy", array_file("{'descr': '<f4', 'fortran_order': False, 'shape': (3, (")),
        ("nested.npy", array_file("(" * 300)),
        ("names.npy", array_file("{'descr': '<f4', 'shape': (3, 3)}")),
        ("claim.npy", array_file(HEADER.format("<f4", (10**13, 3)))),
        ("larger.npy", array_file(HEADER.format("<f4", (2**63, 3)))),
        ("negative.npy", array_file(HEADER.format("<f4", (-1, 3)))),
        ("words.npy", array_file(HEADER.format("<U1", (1, 3)))),
        ("mesh.xyzzy", b"?"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Whatever the parser stumbles over, the message has the path."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        read_reference(tmp_path / name)


def test_points_of_another_shape_are_refused(tmp_path: Path) -> None:
    """The shape is in the message."""
    np.save(tmp_path / "points.npy", np.ones((5, 2)))
    with pytest.raises(SourceError, match=r"\(5, 2\)"):
        read_reference(tmp_path / "points.npy")


FAR_M = np.array((500_000.25, 5_000_000.125, 100.0))


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb"])
def test_far_from_the_origin_a_file_holds_what_single_precision_cannot(
    tetrahedron: Mesh, tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At UTM coordinates single precision has steps of half a metre."""
    far = dataclasses.replace(tetrahedron, vertices=tetrahedron.vertices + FAR_M)
    back = read_mesh(write_mesh(far, tmp_path / f"mesh{suffix}"))
    assert back.vertices.dtype == np.float64
    np.testing.assert_allclose(back.vertices, far.vertices, atol=1e-6)
    np.testing.assert_array_equal(back.triangles, far.triangles)
    np.testing.assert_allclose(back.colours, far.colours)
    warned = [record.getMessage() for record in caplog.records]
    assert len(warned) == (suffix == ".glb")
    assert not warned or "single precision only" in warned[0]


def test_far_ply_says_double(tetrahedron: Mesh, tmp_path: Path) -> None:
    """Three doubles, three floats and three bytes a vertex."""
    far = dataclasses.replace(tetrahedron, vertices=tetrahedron.vertices + FAR_M)
    content = write_mesh(far, tmp_path / "mesh.ply").read_bytes()
    header, body = content.split(b"end_header\n")
    assert b"property double x\nproperty double y\nproperty double z\nproperty float nx" in header
    assert len(body) == 4 * 39 + 4 * 13
    assert np.frombuffer(body[39:63], "<f8").tolist() == [500_001.25, 5_000_000.125, 100.0]


def test_a_mesh_is_moved_to_far_coordinates_in_double_precision(tetrahedron: Mesh) -> None:
    """The unit of a data set may be another than the metre, as millimetres are."""
    to_utm = np.eye(4)
    to_utm[:3, 3] = FAR_M
    far = moved_mesh(tetrahedron, to_utm)
    np.testing.assert_array_equal(far.vertices, tetrahedron.vertices + FAR_M)
    back = moved_mesh(far, np.linalg.inv(to_utm))
    assert back.vertices.dtype == np.float32
    np.testing.assert_allclose(back.vertices, tetrahedron.vertices, atol=1e-8)
    millimetres = np.diag((1000.0, 1000.0, 1000.0, 1.0))
    millimetres[:3, 3] = 5000.0
    assert moved_mesh(tetrahedron, millimetres).vertices.dtype == np.float32
