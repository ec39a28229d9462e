# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching cubes on a GPU against the torch twin: the same triangles in the same order."""

import pytest
import torch

from ineus_core.kernels.marching_cubes import reference as marching_cubes_torch

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(("blocks", "k"), [(1, 2), (3, 6), (2, 33), (5, 17)])
@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_matches_torch(blocks: int, k: int, share: float) -> None:
    from ineus_core.kernels.marching_cubes import gpu as marching_cubes_triton

    sdf = torch.randn((blocks, k, k, k), device="cuda")
    sdf[torch.rand(sdf.shape, device="cuda") < 0.05] = torch.nan
    sdf[torch.rand(sdf.shape, device="cuda") < 0.02] = torch.inf
    valid = torch.rand((blocks, k - 1, k - 1, k - 1), device="cuda") < share
    ours = marching_cubes_triton.marching_cubes(sdf, valid)
    twin = marching_cubes_torch.marching_cubes(sdf, valid)
    assert ours.vertices_per_block.tolist() == twin.vertices_per_block.tolist()
    assert ours.triangles_per_block.tolist() == twin.triangles_per_block.tolist()
    assert torch.equal(ours.triangles.long(), twin.triangles)
    assert torch.allclose(ours.vertices, twin.vertices, rtol=0, atol=1e-6)


def test_no_blocks() -> None:
    from ineus_core.kernels.marching_cubes import gpu as marching_cubes_triton

    sdf = torch.zeros((0, 5, 5, 5), device="cuda")
    empty = marching_cubes_triton.marching_cubes(sdf, sdf[:, 1:, 1:, 1:] > 0)
    assert len(empty.vertices) == len(empty.triangles) == 0
