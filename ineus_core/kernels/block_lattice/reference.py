# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""World points of flat places in the lattices of blocks, in plain torch."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def lattice_points(
    places: Int[Tensor, " n"],
    origins: Int[Tensor, "b 3"],
    side: int,
    spacing: tuple[float, float],
    voxel_size_m: float,
) -> Float[Tensor, "n 3"]:
    """Return the points of places; see the door."""
    step, first = spacing
    block, rest = places // side**3, places % side**3
    place = torch.stack((rest // side**2, rest // side % side, rest % side), dim=-1)
    # Whole voxels and halves are exact in float32, so the one rounding is that of the product:
    # what two blocks share is the same number in both.
    return (origins[block].float() + (place * step + first)) * voxel_size_m
