# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where a depth sensor has looked, in cells as fine as voxels; elsewhere a surface is invented.

Between the edge of a thing and what lies behind it is a wedge that no ray reaches. A field closes
it smoothly with a web that no sensor has measured. Where rays had no return, nothing is known
against a surface, so all that lies on their way counts as observed.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ineus_core.kernels.cell_lookup import cells_at
from ineus_core.kernels.observed_mask import mark_observed

_PARTS = 2
"""Cells along the side of a cell of the occupancy grid, which by default is two voxels wide."""


class ObservedMask:
    """The cells of a grid that depth images have observed.

    Args:
        shape: Of the occupancy grid that these cells divide.
        low_cell: Its first cell in the world.
        cell_m: Side of a cell of it.
        device: Where the cells lie.
    """

    def __init__(
        self, shape: list[int], low_cell: list[int], cell_m: float, device: torch.device
    ) -> None:
        """Nothing is observed."""
        self.cell_m, self._device = cell_m / _PARTS, device
        self._lie_over(shape, low_cell)

    def empty(self) -> "ObservedMask":
        """Return a mask of the same cells in which nothing is observed."""
        shape = [n // _PARTS for n in self.cells.shape]
        low = [n // _PARTS for n in self._low_cell]
        return ObservedMask(shape, low, _PARTS * self.cell_m, self._device)

    def _lie_over(self, shape: list[int], low_cell: list[int]) -> None:
        fine = [_PARTS * n for n in shape]
        self.cells = torch.zeros(fine, dtype=torch.bool, device=self._device)
        self._low_cell = [_PARTS * low for low in low_cell]
        self._low_cell_there = torch.tensor(self._low_cell).to(self._device)

    def grow(self, shape: list[int], low_cell: list[int]) -> None:
        """Become the cells of a larger grid that holds the old one."""
        old, old_low = self.cells, self._low_cell
        self._lie_over(shape, low_cell)
        begin = [was - now for was, now in zip(old_low, self._low_cell, strict=True)]
        region = tuple(slice(b, b + n) for b, n in zip(begin, old.shape, strict=True))
        self.cells[region] = old

    def add(
        self,
        origin: Float[Tensor, " 3"],
        directions: Float[Tensor, "rays 3"],
        range_m: Float[Tensor, " rays"],
        reach_m: float,
        spread: float,
        longest_m: float,
    ) -> None:
        """Take in the rays of a depth image.

        Args:
            range_m: Below 0 where there is no return; -inf where not even that is known.
            reach_m: A return counts for the cells that are so near, along each axis; at least
                half a cell.
            spread: The same by the range of a return, where that is more.
            longest_m: Up to where a ray without a return would have had one.
        """
        per_m = 1.0 / self.cell_m
        # No way through the grid is longer.
        diagonal = sum(n * n for n in self.cells.shape) ** 0.5
        origin_cells, range_cells = origin * per_m - self._low_cell_there, range_m * per_m
        reach, longest = max(0.5, reach_m * per_m), min(longest_m * per_m, diagonal)
        mark_observed(self.cells, origin_cells, directions, range_cells, reach, spread, longest)

    def at(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        """Tell which points lie in observed cells."""
        x, y, z = self._low_cell
        return cells_at(points, self.cells, (x, y, z), self.cell_m)

    def packed(self) -> UInt8[Tensor, " bytes"]:
        """Return eight cells a byte, on the host."""
        return torch.from_numpy(np.packbits(self.cells.cpu().numpy()))

    def unpack(self, packed: UInt8[Tensor, " bytes"]) -> None:
        """Become what `packed` was made of, for a grid of the same shape."""
        bits = np.unpackbits(packed.numpy(), count=self.cells.numel()).astype(bool)
        self.cells.copy_(torch.from_numpy(bits).view(self.cells.shape))
