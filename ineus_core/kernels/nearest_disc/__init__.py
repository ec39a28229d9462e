# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The nearest of many small discs to each point, looked up in a grid.

Versions: plain torch, numba, Triton in one launch.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest
from ineus_core.kernels.nearest_disc.reference import DiscGrid

__all__ = ["DiscGrid", "nearest_disc"]


def nearest_disc(
    points: Float[Tensor, "n 3"], grid: DiscGrid
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
    """Return the nearest disc of each point.

    Compared are the discs of the eight cells around a point.

    Args:
        points: Finite, world.
        grid: With at least one disc.

    Returns:
        Distance in m, unit direction away from the disc (on it: its normal), and whether the point
        is in front of it.
    """
    return fastest("nearest_disc", points.device).nearest_disc(points, grid)
