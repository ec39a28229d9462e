# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cells that the rays of a depth image have observed, in plain torch."""

import math
from itertools import product

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MOST_CELLS = 3.0
"""Bound of half the side of the cube around a return."""


def mark_observed(
    cells: Bool[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    reach_cells: float,
    spread: float,
    longest_cells: float,
) -> None:
    """Set cells in place; see the door."""
    returned = range_cells >= 0
    points = origin_cells + directions[returned] * range_cells[returned, None]
    half = (spread * range_cells[returned]).clamp(min=reach_cells, max=MOST_CELLS)[:, None]
    low, high = torch.floor(points - half).long(), torch.floor(points + half).long()
    for offset in product(range(int((high - low).max()) + 1 if len(low) else 0), repeat=3):
        cell = low + torch.tensor(offset, device=cells.device)
        _set(cells, cell[(cell <= high).all(dim=1)])
    t = torch.arange(0.5, max(longest_cells, 0.5), 1.0, device=cells.device)
    lost = (range_cells < 0) & (range_cells > -math.inf)
    along = origin_cells + directions[lost][:, None] * t[:, None]
    _set(cells, torch.floor(along).long().view(-1, 3))


def _set(cells: Bool[Tensor, "gx gy gz"], index: Tensor) -> None:
    shape = torch.tensor(cells.shape, device=cells.device)
    inside = ((index >= 0) & (index < shape)).all(dim=1)
    x, y, z = index[inside].unbind(dim=1)
    cells[x, y, z] = True
