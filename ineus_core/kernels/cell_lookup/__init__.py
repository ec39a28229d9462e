# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Look-up of the cells of many points.

Versions: plain torch, numba in one pass, Triton in one launch.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest


def cells_at(
    points: Float[Tensor, "n 3"],
    cells: Bool[Tensor, "gx gy gz"],
    low_cell: tuple[int, int, int],
    cell_m: float,
) -> Bool[Tensor, " n"]:
    """Tell which points lie in set cells of a grid.

    Args:
        points: World.
        cells: The grid; a point outside of it is in no set cell.
        low_cell: Cell of the world at which the grid begins.
        cell_m: Side of a cell.
    """
    return fastest("cell_lookup", points.device).cells_at(points, cells, low_cell, cell_m)
