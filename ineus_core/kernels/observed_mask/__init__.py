# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cells that the rays of a depth image have observed.

Versions: plain torch, numba, Triton in one launch.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest


def mark_observed(
    cells: Bool[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    reach_cells: float,
    spread: float,
    longest_cells: float,
) -> None:
    """Set in place the cells around returns, and those that rays without a return go through.

    Args:
        cells: The grid.
        origin_cells: Camera in units of cells from the lowest corner.
        directions: Unit length.
        range_cells: Below 0 where there is no return; -inf where not even that is known.
        reach_cells: Least half side of the cube around a return whose cells are set.
        spread: Half side by range, where that is more: rays drift apart. At most 3 cells.
        longest_cells: How far a ray without a return goes.
    """
    fastest("observed_mask", cells.device).mark_observed(
        cells, origin_cells, directions, range_cells, reach_cells, spread, longest_cells
    )
