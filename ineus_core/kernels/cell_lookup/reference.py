# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Look-up of the cells of many points, in plain torch."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def cells_at(
    points: Float[Tensor, "n 3"],
    cells: Bool[Tensor, "gx gy gz"],
    low_cell: tuple[int, int, int],
    cell_m: float,
) -> Bool[Tensor, " n"]:
    """Tell which points lie in set cells; see the door."""
    shape = torch.tensor(cells.shape, device=cells.device)
    cell = torch.floor(points / cell_m).long() - torch.tensor(low_cell, device=cells.device)
    inside = ((cell >= 0) & (cell < shape)).all(dim=1)
    x, y, z = cell.clamp(min=0).minimum(shape - 1).unbind(dim=1)
    return inside & cells[x, y, z]
