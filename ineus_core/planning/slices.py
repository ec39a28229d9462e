# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Horizontal slices of the map as images: free, occupied or unknown, and distances."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int8
from torch import Tensor

FREE, OCCUPIED, UNKNOWN = 0, 100, -1
"""The values of a nav_msgs/OccupancyGrid."""
_WITHIN = 1e-4
"""Share of a cell by which a height may miss its border, for rounding."""


@dataclass(frozen=True)
class OccupancySlice:
    """What is known of the columns between two heights, on the host."""

    origin_m: tuple[float, float]
    """Lowest corner, x and y, world."""
    cell_m: float
    cells: Int8[np.ndarray, "ny nx"]
    """`FREE`, `OCCUPIED` or `UNKNOWN`; a row has one y."""


@dataclass(frozen=True)
class EsdfSlice:
    """Signed distances at one height, at the centres of cells, on the host."""

    origin_m: tuple[float, float]
    cell_m: float
    z_m: float
    distance_m: Float[np.ndarray, "ny nx"]
    observed: Bool[np.ndarray, "ny nx"]


def occupancy_slice(
    log_odds: Int8[Tensor, "gx gy gz"],
    low_m: Float[Tensor, " 3"],
    cell_m: float,
    z_min_m: float,
    z_max_m: float,
) -> OccupancySlice:
    """Project the cells between two heights: occupied if one is, else free if one is.

    Args:
        log_odds: Above 0 where there is surface, below 0 where it is free, 0 where unknown.
        low_m: Lowest corner of the grid.
    """
    x_m, y_m, low_z_m = low_m.tolist()
    first = max(0, math.floor((z_min_m - low_z_m) / cell_m + _WITHIN))
    last = min(log_odds.shape[2], math.ceil((z_max_m - low_z_m) / cell_m - _WITHIN))
    band = log_odds[:, :, first : max(first, last)]
    state = torch.full(log_odds.shape[:2], UNKNOWN, dtype=torch.int8, device=log_odds.device)
    # First free, then occupied, which wins.
    state[(band < 0).any(dim=2)] = FREE
    state[(band > 0).any(dim=2)] = OCCUPIED
    return OccupancySlice((x_m, y_m), cell_m, state.T.contiguous().cpu().numpy())


def slice_centres(
    shape: tuple[int, int], low_m: Float[Tensor, " 3"], cell_m: float, z_m: float
) -> Float[Tensor, "n 3"]:
    """List the centres of the cells of a slice, x fastest.

    Args:
        shape: Cells along x and y.
    """
    ys, xs = torch.meshgrid(
        torch.arange(shape[1], device=low_m.device) + 0.5,
        torch.arange(shape[0], device=low_m.device) + 0.5,
        indexing="ij",
    )
    plane = torch.stack((xs, ys), dim=-1).reshape(-1, 2) * cell_m + low_m[:2]
    return torch.nn.functional.pad(plane, (0, 1), value=z_m)
