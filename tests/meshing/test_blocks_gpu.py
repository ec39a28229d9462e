# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Extraction on a GPU against that on a CPU, and the blocks that cells touch."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from ineus_core.geometry import blocks_touched
from ineus_core.meshing import BlockMesher, MeshingConfig, blocks_of_cells, weld
from ineus_core.types import Mesh

BLOCKS = [(x, y, z) for x, y, z in product((-1, 0), repeat=3)]


def sphere(points: Tensor) -> Tensor:
    centre = torch.tensor((0.013, -0.021, 0.008), device=points.device)
    return (points - centre).norm(dim=-1) - 0.5


def colour(points: Tensor, normals: Tensor) -> Tensor:
    return 0.5 + 0.5 * normals


def half_space(points: Tensor) -> Tensor:
    return points[:, 0] < 0.22


def mesh_on(device: str, **changes: float) -> Mesh:
    config = MeshingConfig.model_validate({"voxel_size_m": 0.04, "block_size_vox": 16} | changes)
    found = BlockMesher(config).extract(
        sphere, colour, BLOCKS, half_space, torch.device(device), is_pointwise=True
    )
    assert [block.index for block in found] == BLOCKS
    return weld(found)


@pytest.mark.gpu
@pytest.mark.parametrize("changes", [{}, {"max_slope": 0.0}, {"blocks_per_batch": 3}])
def test_matches_the_cpu(changes: dict[str, float]) -> None:
    ours, twin = mesh_on("cuda", **changes), mesh_on("cpu", **changes)
    # Welded alike: so the blocks meet without a crack.
    assert len(ours.vertices) == len(twin.vertices)
    assert len(ours.triangles) == len(twin.triangles)
    order, twin_order = (np.lexsort(mesh.vertices.round(3).T) for mesh in (ours, twin))
    np.testing.assert_allclose(ours.vertices[order], twin.vertices[twin_order], atol=2e-3)
    outwards = ours.vertices / np.linalg.norm(ours.vertices, axis=1, keepdims=True)
    assert ((ours.normals * outwards).sum(1) > 0.99).all()
    assert np.abs(ours.colours - 255 * (0.5 + 0.5 * ours.normals)).max() < 1


@pytest.mark.gpu
def test_no_block_and_no_surface() -> None:
    mesher = BlockMesher(MeshingConfig(voxel_size_m=0.025))
    device = torch.device("cuda")
    assert mesher.extract(sphere, colour, [], half_space, device, is_pointwise=True) == []
    (far,) = mesher.extract(sphere, colour, [(9, 9, 9)], half_space, device, is_pointwise=True)
    assert len(far.mesh.triangles) == 0


def test_blocks_of_cells_are_those_of_the_host(device: torch.device) -> None:
    points = torch.randn((500, 3)) * 3
    expected = blocks_touched(points.numpy(), 0.049, 0.8)
    assert blocks_of_cells(points.to(device), 0.049, 0.8) == expected
    assert blocks_of_cells(points[:0].to(device), 0.049, 0.8) == []
