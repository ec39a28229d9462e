# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Points of lattices of blocks: by hand, shared corners, and the Triton version bit for bit."""

import pytest
import torch

from ineus_core.kernels.block_lattice import lattice_points, reference

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_places_by_hand() -> None:
    origins = torch.tensor([[0, 0, 0], [10, -20, 30]])
    # The second block's place x 1, y 2, z 0 of 3 a side.
    places = torch.tensor([0, 27 + 9 + 6])
    points = lattice_points(places, origins, 3, (2.0, 0.5), 0.1)
    torch.testing.assert_close(points, torch.tensor([[0.05] * 3, [1.25, -1.55, 3.05]]))


def test_a_corner_of_two_blocks_is_one_point() -> None:
    origins = torch.tensor([[0, 0, 0], [32, 0, 0]])
    places = torch.tensor([32 * 33 * 33 + 5, 33**3 + 5])
    first, second = lattice_points(places, origins, 33, (1.0, 0.0), 0.0371)
    assert torch.equal(first, second)


@pytest.mark.gpu
@pytest.mark.parametrize("spacing", [(1.0, 0.0), (4.0, 2.0)])
@pytest.mark.parametrize("n", [0, 1, 1023, 1025, 5000])
def test_triton_gives_the_same_numbers(n: int, spacing: tuple[float, float]) -> None:
    from ineus_core.kernels.block_lattice import gpu

    side = 9
    origins = torch.randint(-4000, 4000, (7, 3)).int()
    places = torch.randint(7 * side**3, (n,))
    got = gpu.lattice_points(places.to(GPU), origins.to(GPU), side, spacing, 0.0371)
    assert torch.equal(got.cpu(), reference.lattice_points(places, origins, side, spacing, 0.0371))
