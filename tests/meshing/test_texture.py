# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Textures: each point of the surface finds its colour in the picture, and in the files."""

import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.meshing import atlas, textured, write_textured_mesh
from ineus_core.types import Mesh, TexturedMesh

SIDE_PX = 256
FAR_M = np.array((500_000.0, 4_000_000.0, 0.0))


def ball(offset_m: np.ndarray | float = 0.0) -> Mesh:
    """Return a ball of 1 m in 1280 triangles; nothing of it lies flat."""
    solid = trimesh.creation.icosphere(subdivisions=3)
    vertices = np.asarray(solid.vertices, dtype=np.float32)
    colours = np.zeros((len(vertices), 3), dtype=np.uint8)
    return Mesh(vertices + offset_m, solid.faces.astype(np.int32), vertices, colours)


def colours_of(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Tell the place of a point by its colour."""
    assert points.shape == normals.shape
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    return place_colours(points)


def place_colours(points: np.ndarray) -> np.ndarray:
    return ((points + 1.0) * 127.5).clip(0, 255).astype(np.uint8)


def points_on(made: TexturedMesh) -> tuple[np.ndarray, np.ndarray]:
    """Return points all over the triangles, corners and edges too, and their places."""
    parts = np.array(((1, 0, 0), (0.5, 0.5, 0), (0, 0.2, 0.8), (1 / 3, 1 / 3, 1 / 3)))
    vertices, uv = made.mesh.vertices[made.mesh.triangles], made.uv[made.mesh.triangles]
    return np.concatenate(parts @ vertices), np.concatenate(parts @ uv)


@pytest.fixture(scope="module")
def made() -> TexturedMesh:
    pytest.importorskip("xatlas", reason="needs xatlas: pip install 'ineus_ros[texture]'")
    return textured(ball(), SIDE_PX, colours_of)


def looked_up(made: TexturedMesh, uv: np.ndarray) -> np.ndarray:
    """Return what a viewer shows at places: linear between the four texels around each."""
    x, y = uv[:, 0] * SIDE_PX - 0.5, (1 - uv[:, 1]) * SIDE_PX - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    colour = np.zeros((len(uv), 3))
    for column in (left, left + 1):
        for row in (top, top + 1):
            weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
            texel = made.texture[row.clip(0, SIDE_PX - 1), column.clip(0, SIDE_PX - 1)]
            colour += weight[:, None] * texel
    return colour


def test_each_point_of_the_surface_has_its_colour_also_at_seams(made: TexturedMesh) -> None:
    """A texel is 2 cm wide, in which the colour changes by 3."""
    points, uv = points_on(made)
    off = np.abs(looked_up(made, uv) - place_colours(points))
    assert off.mean() < 1
    assert off.max() < 6


def test_the_surface_is_the_same(made: TexturedMesh) -> None:
    mesh = ball()
    np.testing.assert_array_equal(
        made.mesh.vertices[made.mesh.triangles], mesh.vertices[mesh.triangles]
    )


def test_what_winds_over_itself_is_laid_side_by_side() -> None:
    """Two turns of a ramp, which is seen from above everywhere, and in one piece."""
    pytest.importorskip("xatlas")
    turns, radii = np.linspace(0, 4 * np.pi, 200), np.linspace(0.3, 1.0, 12)
    angle, radius = (a.ravel() for a in np.meshgrid(turns, radii, indexing="ij"))
    vertices = np.stack((radius * np.cos(angle), radius * np.sin(angle), 0.05 * angle), axis=1)
    first = (np.arange(199)[:, None] * 12 + np.arange(11)).ravel()
    pieces = ((first, first + 1, first + 12), (first + 1, first + 13, first + 12))
    triangles = np.concatenate([np.stack(piece, axis=1) for piece in pieces]).astype(np.int32)
    up = np.tile(np.array((0, 0, 1), np.float32), (len(vertices), 1))
    ramp = Mesh(vertices.astype(np.float32), triangles, up, up.astype(np.uint8))
    made = textured(ramp, SIDE_PX, colours_of)
    points, uv = points_on(made)
    off = np.abs(looked_up(made, uv) - place_colours(points))
    assert off.mean() < 1
    # Where a turn is cut off, some texels show the other one.
    assert np.quantile(off, 0.99) < 6


def test_a_place_in_the_world_costs_no_precision() -> None:
    """At UTM coordinates, where single precision has steps of 0.5 m."""
    pytest.importorskip("xatlas")
    far = textured(ball(FAR_M), SIDE_PX, lambda p, n: colours_of(p - FAR_M, n))
    points, uv = points_on(far)
    off = np.abs(looked_up(far, uv) - place_colours(points - FAR_M))
    assert off.mean() < 1


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".OBJ"])
def test_files_hold_the_texture(made: TexturedMesh, tmp_path: Path, suffix: str) -> None:
    path = write_textured_mesh(made, tmp_path / f"ball{suffix}")
    beside = {".mtl", ".png"} if suffix.lower() == ".obj" else set()
    assert {file.suffix for file in tmp_path.iterdir()} == {suffix, *beside}
    loaded = trimesh.load_mesh(path, process=False)
    material = loaded.visual.material
    picture = material.baseColorTexture if suffix == ".glb" else material.image
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), made.texture)
    # trimesh may split or order vertices anew: what each triangle shows is what counts.
    for ours, read in ((made.mesh.vertices, loaded.vertices), (made.uv, loaded.visual.uv)):
        np.testing.assert_allclose(read[loaded.faces], ours[made.mesh.triangles], atol=1e-5)


def test_other_files_hold_none(made: TexturedMesh, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.ply', expected one of \.obj, \.glb for a texture"):
        write_textured_mesh(made, tmp_path / "ball.ply")


def test_without_xatlas_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xatlas", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ineus_ros\[texture\]'"):
        atlas.unfold(ball(), SIDE_PX)
