# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching cubes: its table, cases worked out by hand, closed surfaces, and scikit-image."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage import measure
from torch import Tensor

from ineus_core.kernels.marching_cubes import BlockTriangles, marching_cubes
from ineus_core.kernels.marching_cubes.tables import CASES, triangle_table, triangles_of_case


def everywhere(sdf: Tensor) -> Tensor:
    """No cell left out."""
    b, k = sdf.shape[:2]
    return torch.ones((b, k - 1, k - 1, k - 1), dtype=torch.bool)


def block_of(surfaces: BlockTriangles, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of one block."""
    vertices = surfaces.vertices.split(surfaces.vertices_per_block.tolist())[block]
    triangles = surfaces.triangles.split(surfaces.triangles_per_block.tolist())[block]
    return vertices.double().numpy(), triangles.numpy()


def area_and_volume(vertices: np.ndarray, triangles: np.ndarray) -> tuple[float, float]:
    """Area, and the volume inside of a closed surface (signed tetrahedra)."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    cross = np.cross(b - a, c - a)
    return 0.5 * np.linalg.norm(cross, axis=1).sum(), (a * np.cross(b, c)).sum() / 6


def directed_edges(triangles: np.ndarray) -> Counter[tuple[int, int]]:
    """How often each edge is walked in each direction."""
    return Counter(map(tuple, np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])))


def assert_closed_manifold(triangles: np.ndarray) -> None:
    """Every edge is walked once in each direction: two triangles, with the same outside."""
    edges = directed_edges(triangles)
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)


def smooth_noise(seed: int, k: int = 24, blocks: int = 1) -> np.ndarray:
    """Return a random smooth field that is positive on the border of each block."""
    noise = np.random.default_rng(seed).normal(size=(blocks, k, k, k))
    noise = np.stack([gaussian_filter(one, 2.5) for one in noise])
    noise /= noise.std()
    border = np.ones((k, k, k), dtype=bool)
    border[1:-1, 1:-1, 1:-1] = False
    noise[:, border] = np.abs(noise[:, border]) + 0.5
    return noise.astype(np.float32)


def test_empty_and_full_cells_have_no_triangles() -> None:
    """Without a change of sign there is no surface."""
    assert triangles_of_case(0) == triangles_of_case(255) == ()
    assert all(triangles_of_case(case) for case in range(1, 255))


def test_table_uses_exactly_the_crossed_edges() -> None:
    """An edge carries a vertex exactly when its ends have different signs."""
    starts = [(0, 0), (1, 0), (0, 1), (1, 1)]
    for case in range(CASES):
        crossed = set()
        for axis in range(3):
            first, second = (other for other in range(3) if other != axis)
            for place, (u, v) in enumerate(starts):
                start = (u << first) + (v << second)
                if (case >> start & 1) != (case >> (start + (1 << axis)) & 1):
                    crossed.add(4 * axis + place)
        assert {edge for triangle in triangles_of_case(case) for edge in triangle} == crossed


def test_table_has_at_most_five_triangles_a_cell() -> None:
    """The longest loop has seven corners."""
    assert triangle_table().shape == (CASES, 5, 3)


def test_one_inside_corner_gives_the_triangle_worked_out_by_hand() -> None:
    """Corner -1 among +3: crossings at a quarter of the three edges, normal along (1, 1, 1)."""
    sdf = torch.full((1, 2, 2, 2), 3.0)
    sdf[0, 0, 0, 0] = -1.0
    vertices, triangles = block_of(marching_cubes(sdf, everywhere(sdf)), 0)
    assert len(triangles) == 1
    corners = vertices[triangles[0]]
    expected = {(0.25, 0.0, 0.0), (0.0, 0.25, 0.0), (0.0, 0.0, 0.25)}
    assert {tuple(corner) for corner in corners} == expected
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    np.testing.assert_allclose(normal, np.full(3, 0.0625))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_plane_is_where_it_was_put_and_faces_free_space(axis: int) -> None:
    """Sdf = coordinate - 1.3 over 3 x 3 x 3 cells: area 9, all vertices at 1.3, normals +axis."""
    coordinate = torch.arange(4.0).reshape([-1 if i == axis else 1 for i in range(3)])
    sdf = (coordinate - 1.3).expand(4, 4, 4)[None]
    vertices, triangles = block_of(marching_cubes(sdf, everywhere(sdf)), 0)
    assert vertices.shape == (16, 3)
    assert triangles.shape == (18, 3)
    np.testing.assert_allclose(vertices[:, axis], 1.3, atol=1e-6)
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    np.testing.assert_allclose(0.5 * np.cross(b - a, c - a).sum(axis=0), 9 * np.eye(3)[axis])


def test_sphere_has_its_area_and_volume() -> None:
    """Radius 10 cells: errors fall with the square of the cell, here under 1 %."""
    axes = torch.meshgrid(*[torch.arange(25.0) - 12.2] * 3, indexing="ij")
    sdf = (torch.stack(axes).norm(dim=0) - 10)[None]
    vertices, triangles = block_of(marching_cubes(sdf, everywhere(sdf)), 0)
    assert_closed_manifold(triangles)
    area, volume = area_and_volume(vertices, triangles)
    assert area == pytest.approx(4 * np.pi * 100, rel=1e-2)
    assert volume == pytest.approx(4 / 3 * np.pi * 1000, rel=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_surfaces_of_white_noise_close(seed: int) -> None:
    """Noise has every ambiguous pattern, so faces that disagreed would leave holes."""
    sdf = torch.randn((2, 9, 9, 9), generator=torch.Generator().manual_seed(seed))
    for axis in (1, 2, 3):
        sdf.select(axis, 0)[:] = sdf.select(axis, 8)[:] = 1.0
    surfaces = marching_cubes(sdf, everywhere(sdf))
    for block in range(2):
        assert_closed_manifold(block_of(surfaces, block)[1])


def test_samples_of_exactly_zero_close_too() -> None:
    """Zero counts as free; the vertices around such a corner stay apart."""
    sdf = torch.randint(-1, 2, (1, 9, 9, 9), generator=torch.Generator().manual_seed(0)).float()
    for axis in (1, 2, 3):
        sdf.select(axis, 0)[:] = sdf.select(axis, 8)[:] = 1.0
    vertices, triangles = block_of(marching_cubes(sdf, everywhere(sdf)), 0)
    assert_closed_manifold(triangles)
    assert len(np.unique(vertices, axis=0)) == len(vertices)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_image_on_smooth_fields(seed: int) -> None:
    """Same surface: area, volume, and every vertex of the one on a vertex of the other."""
    field = smooth_noise(seed)
    sdf = torch.from_numpy(field)
    vertices, triangles = block_of(marching_cubes(sdf, everywhere(sdf)), 0)
    assert_closed_manifold(triangles)
    theirs, their_triangles, _, _ = measure.marching_cubes(field[0], 0.0)
    area, volume = area_and_volume(vertices, triangles)
    their_area, their_volume = area_and_volume(theirs.astype(np.float64), their_triangles)
    assert area == pytest.approx(their_area, rel=5e-3)
    assert volume == pytest.approx(abs(their_volume), rel=5e-3)
    assert cKDTree(theirs).query(vertices)[0].max() < 2e-3
    # Lewiner's method adds a vertex inside of some ambiguous cells; those have no partner.
    assert np.quantile(cKDTree(vertices).query(theirs)[0], 0.99) < 2e-3


def test_a_batch_equals_its_blocks_one_by_one() -> None:
    """Blocks do not know each other; an empty one between them stays empty."""
    sdf = torch.from_numpy(smooth_noise(7, k=10, blocks=3))
    sdf[1] = 1.0
    together = marching_cubes(sdf, everywhere(sdf))
    for block in range(3):
        alone = marching_cubes(sdf[block : block + 1], everywhere(sdf[:1]))
        for ours, expected in zip(block_of(together, block), block_of(alone, 0), strict=True):
            np.testing.assert_array_equal(ours, expected)
    assert together.triangles_per_block[1] == 0


def test_neighbouring_blocks_share_their_vertices_bit_for_bit() -> None:
    """A field cut in two at a common plane of samples welds to the surface of the whole."""
    field = torch.from_numpy(smooth_noise(3, k=17))
    halves = torch.stack((field[0, :9], field[0, 8:]))
    parts = []
    for half in halves:
        padded = torch.ones((1, 17, 17, 17))
        padded[0, :9] = half
        valid = torch.zeros((1, 16, 16, 16), dtype=torch.bool)
        valid[:, :8] = True
        parts.append(block_of(marching_cubes(padded, valid), 0))
    shifted = parts[1][0] + (8, 0, 0)
    vertices, index = np.unique(
        np.concatenate((parts[0][0], shifted)), axis=0, return_inverse=True
    )
    triangles = index.reshape(-1)[np.concatenate((parts[0][1], parts[1][1] + len(parts[0][0])))]
    assert_closed_manifold(triangles)
    whole = block_of(marching_cubes(field, everywhere(field)), 0)
    assert len(vertices) == len(whole[0])
    assert area_and_volume(vertices, triangles)[1] == pytest.approx(area_and_volume(*whole)[1])


def test_cells_that_are_not_valid_give_nothing() -> None:
    """Of the 9 cells that a plane crosses, the one left out is missing."""
    sdf = (torch.arange(4.0) - 1.3).reshape(-1, 1, 1).expand(4, 4, 4)[None]
    valid = everywhere(sdf)
    valid[0, 1, 1, 1] = False
    vertices, triangles = block_of(marching_cubes(sdf, valid), 0)
    assert area_and_volume(vertices, triangles)[0] == pytest.approx(8.0)
    nothing = marching_cubes(sdf, torch.zeros_like(valid))
    assert nothing.vertices.shape == nothing.triangles.shape == (0, 3)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_samples_that_are_not_finite_give_no_surface(poison: float) -> None:
    """The cells around a poisoned sample are left out; the others stay."""
    sdf = (torch.arange(4.0) - 1.3).reshape(-1, 1, 1).repeat(1, 4, 4)[None]
    sdf[0, 0, 0, 0] = sdf[0, 2, 3, 3] = poison
    vertices, triangles = block_of(marching_cubes(sdf, everywhere(sdf)), 0)
    assert np.isfinite(vertices).all()
    assert area_and_volume(vertices, triangles)[0] == pytest.approx(8.0)


def test_no_blocks_and_wrong_shapes() -> None:
    """No block gives nothing; shapes that do not belong together are refused with their value."""
    nothing = marching_cubes(torch.ones((0, 5, 5, 5)), torch.ones((0, 4, 4, 4), dtype=torch.bool))
    assert nothing.triangles.shape == (0, 3)
    assert nothing.vertices_per_block.shape == (0,)
    with pytest.raises(ValueError, match=r"\(1, 5, 5, 4\)"):
        marching_cubes(torch.ones((1, 5, 5, 4)), torch.ones((1, 4, 4, 4), dtype=torch.bool))
    with pytest.raises(ValueError, match="valid_cells"):
        marching_cubes(torch.ones((1, 5, 5, 5)), torch.ones((1, 5, 5, 5), dtype=torch.bool))
