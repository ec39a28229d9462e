# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""World points of flat places in the lattices of blocks.

Versions: plain torch, Triton in one launch.
"""

from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.dispatch import fastest


def lattice_points(
    places: Int[Tensor, " n"],
    origins: Int[Tensor, "b 3"],
    side: int,
    spacing: tuple[float, float],
    voxel_size_m: float,
) -> Float[Tensor, "n 3"]:
    """Return the points of places [block, x, y, z] that are counted through all blocks, world.

    Equal corners of two blocks are equal points, to the last bit.

    Args:
        places: Flat indices, z fastest.
        origins: First corner of each block in voxels.
        side: Places along each axis of a block.
        spacing: Voxels from place to place, and from the first corner to the first place.
        voxel_size_m: Side of a voxel.
    """
    operator = fastest("block_lattice", places.device)
    return operator.lattice_points(places, origins, side, spacing, voxel_size_m)
