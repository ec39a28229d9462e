# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Extraction by blocks: closed across blocks, only where observed, few evaluations."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from ineus_core.meshing import BlockMesher, MeshingConfig, weld
from ineus_core.types import BlockIndex, Mesh

CPU = torch.device("cpu")
RADIUS_M = 0.5
CENTRE_M = torch.tensor((0.013, -0.021, 0.008))


def sphere(points: Tensor) -> Tensor:
    """Return the distance to a sphere that crosses all eight blocks around the origin."""
    return (points - CENTRE_M).norm(dim=-1) - RADIUS_M


def colour_of_normal(points: Tensor, normals: Tensor) -> Tensor:
    """Red where the normal points to +x."""
    return (normals[:, [0, 0, 0]] * torch.tensor((1.0, 0.0, -1.0))).clamp(0, 1)


def everywhere(points: Tensor) -> Tensor:
    """Count all space as observed."""
    return torch.ones(len(points), dtype=torch.bool)


def blocks_around_origin() -> list[BlockIndex]:
    """Return the eight blocks that meet at the origin."""
    return [(x, y, z) for x, y, z in product((-1, 0), repeat=3)]


def mesher(**changes: float) -> BlockMesher:
    """Configure blocks of 16 cells of 4 cm, so that eight of them hold the sphere."""
    return BlockMesher(
        MeshingConfig.model_validate({"voxel_size_m": 0.04, "block_size_vox": 16} | changes)
    )


def sphere_mesh(**changes: float) -> Mesh:
    """Mesh the sphere out of eight blocks."""
    return weld(
        mesher(**changes).extract(
            sphere, colour_of_normal, blocks_around_origin(), everywhere, CPU
        )
    )


def assert_closed(mesh: Mesh) -> None:
    """Check that every edge is walked once in each direction."""
    directed = np.concatenate([mesh.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    edges = Counter(map(tuple, directed.tolist()))
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)


def volume(mesh: Mesh) -> float:
    """Volume inside, positive when the triangles face outward."""
    a, b, c = (mesh.vertices[mesh.triangles[:, i]].astype(np.float64) for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("max_slope", [0.0, 2.0])
@pytest.mark.parametrize("blocks_per_batch", [1, 3, 8])
def test_blocks_weld_to_a_closed_sphere(max_slope: float, blocks_per_batch: int) -> None:
    """Free space is outside, so the volume is positive; the error is that of 4 cm cells."""
    mesh = sphere_mesh(max_slope=max_slope, blocks_per_batch=blocks_per_batch)
    assert_closed(mesh)
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * RADIUS_M**3, rel=0.01)
    distance = np.linalg.norm(mesh.vertices - CENTRE_M.numpy(), axis=1) - RADIUS_M
    assert np.abs(distance).max() < 0.001


def test_two_blocks_share_the_vertices_of_their_face_bit_for_bit() -> None:
    """Extracted one at a time, the face x = 0 holds the same positions and normals twice."""
    left, right = (
        mesher().extract(sphere, colour_of_normal, [index], everywhere, CPU)[0].mesh
        for index in ((-1, 0, 0), (0, 0, 0))
    )
    rows = []
    for mesh in (left, right):
        face = mesh.vertices[:, 0] == 0
        rows.append(np.concatenate((mesh.vertices, mesh.normals), axis=1)[face])
        assert len(rows[-1]) > 10
    sort = [r[np.lexsort(r[:, :3].T)] for r in rows]
    np.testing.assert_array_equal(sort[0][:, :3], sort[1][:, :3])
    np.testing.assert_allclose(sort[0][:, 3:], sort[1][:, 3:], atol=1e-6)


def test_a_field_that_depends_on_its_batch_does_not_crack() -> None:
    """The last bits of a network depend on the batch; shared corners are evaluated once."""
    generator = torch.Generator().manual_seed(0)

    def shaky(points: Tensor) -> Tensor:
        return sphere(points) + 1e-3 * torch.randn(len(points), generator=generator)

    blocks = mesher(blocks_per_batch=2, max_slope=0).extract(
        shaky, colour_of_normal, blocks_around_origin(), everywhere, CPU
    )
    assert_closed(weld(blocks))


def test_a_field_that_is_trained_while_it_is_meshed_does_not_crack() -> None:
    """It shrinks by 2 mm in each pause, of eight blocks one after the other."""
    radius_m = RADIUS_M
    parts = mesher(blocks_per_batch=1).extract_in_parts(
        lambda points: (points - CENTRE_M).norm(dim=-1) - radius_m,
        colour_of_normal,
        blocks_around_origin(),
        everywhere,
        CPU,
    )
    for _ in range(7):
        next(parts)
        radius_m -= 0.002
    with pytest.raises(StopIteration) as end:
        next(parts)
    mesh = weld(end.value.value)
    assert_closed(mesh)
    distance_m = np.linalg.norm(mesh.vertices - CENTRE_M.numpy(), axis=1)
    assert distance_m.max() > 0.499 and distance_m.min() < 0.488


def test_normals_point_to_free_space_and_colours_follow_them() -> None:
    """The gradient of a sphere is radial, at block borders too."""
    mesh = sphere_mesh()
    radial = mesh.vertices - CENTRE_M.numpy()
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    assert (mesh.normals * radial).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    expected = np.clip(radial[:, [0, 0, 0]] * (1, 0, -1), 0, 1) * 255
    assert np.abs(mesh.colours - expected).max() < 8


def test_a_plane_inside_of_one_block_worked_out_by_hand() -> None:
    """Free space above z = 0.1 in a block of 4 cells of 5 cm: 0.2 x 0.2 m, 32 triangles, up."""
    block_mesher = BlockMesher(MeshingConfig(voxel_size_m=0.05, block_size_vox=4))
    (block,) = block_mesher.extract(
        lambda p: p[:, 2] - 0.11, colour_of_normal, [(0, 0, 0)], everywhere, CPU
    )
    assert block.index == (0, 0, 0)
    assert block.mesh.triangles.shape == (32, 3)
    np.testing.assert_allclose(block.mesh.vertices[:, 2], 0.11, atol=1e-6)
    np.testing.assert_allclose(block.mesh.normals, [[0, 0, 1]] * 25, atol=1e-6)
    a, b, c = (block.mesh.vertices[block.mesh.triangles[:, i]] for i in range(3))
    np.testing.assert_allclose(0.5 * np.cross(b - a, c - a).sum(axis=0), (0, 0, 0.04), atol=1e-6)


def test_only_observed_cells_give_triangles() -> None:
    """With x > 0 seen, the half sphere ends at the plane x = 0."""
    blocks = mesher().extract(
        sphere, colour_of_normal, blocks_around_origin(), lambda p: p[:, 0] > 0, CPU
    )
    for block in blocks:
        assert (len(block.mesh.triangles) > 0) == (block.index[0] == 0)
    mesh = weld(blocks)
    assert mesh.vertices[:, 0].min() == 0
    assert mesh.vertices[:, 0].max() > 0.5


def test_the_unobserved_is_never_evaluated() -> None:
    """Not even a point is asked for when nothing was seen."""

    def refuse(points: Tensor) -> Tensor:
        raise AssertionError("evaluated")

    def nowhere(points: Tensor) -> Tensor:
        return torch.zeros(len(points), dtype=torch.bool)

    blocks = mesher().extract(refuse, refuse, blocks_around_origin(), nowhere, CPU)  # type: ignore[arg-type]
    assert [block.index for block in blocks] == blocks_around_origin()
    assert all(block.mesh.triangles.shape == (0, 3) for block in blocks)
    assert mesher().extract(refuse, refuse, [], nowhere, CPU) == []  # type: ignore[arg-type]


def test_batches_stay_within_their_bound_and_skipping_saves_evaluations() -> None:
    """Eight blocks of 33^3 corners; far cells are settled by one sample for 64 of them."""
    counts: dict[float, int] = {}
    for max_slope in (0.0, 2.0):
        sizes: list[int] = []

        def counted(points: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(len(points))
            return sphere(points)

        fine = mesher(
            voxel_size_m=0.02, block_size_vox=32, max_slope=max_slope, points_per_batch=1000
        )
        fine.extract(counted, colour_of_normal, blocks_around_origin(), everywhere, CPU)
        assert max(sizes) <= 1000
        counts[max_slope] = sum(sizes)
    assert counts[0.0] < 8 * 33**3
    assert counts[2.0] < 0.6 * counts[0.0]


def test_samples_that_are_not_finite_leave_a_hole() -> None:
    """A field gone NaN in one octant keeps the rest, with finite normals and colours."""

    def poisoned(points: Tensor) -> Tensor:
        return torch.where((points > 0.1).all(dim=-1), torch.nan, sphere(points))

    blocks = mesher().extract(poisoned, colour_of_normal, blocks_around_origin(), everywhere, CPU)
    mesh = weld(blocks)
    assert len(mesh.triangles) > 1000
    assert np.isfinite(mesh.vertices).all()
    assert np.isfinite(mesh.normals).all()
    assert not (mesh.vertices > 0.12).all(axis=1).any()
