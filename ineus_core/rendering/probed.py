# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where a depth sensor has looked, in cells as fine as voxels; elsewhere a surface is invented.

Between the edge of a thing and what lies behind it is a wedge that no ray reaches. A field closes
it smoothly with a web that no sensor has measured. Where rays had no return, nothing is known
against a surface, so all that lies on their way counts as probed.
"""

from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ineus_core.kernels import probe_torch

_PARTS = 2
"""Cells along the side of a cell of the occupancy grid, which by default is two voxels wide."""


class ProbedCells:
    """The cells of a grid that depth images have probed.

    Args:
        shape: Of the occupancy grid that these cells divide.
        device: Where the cells lie.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        """Nothing is probed."""
        fine = [_PARTS * n for n in shape]
        self.cells = torch.zeros(fine, dtype=torch.bool, device=device)
        self._probe = _operator(device)

    def add(
        self,
        origin_cells: Float[Tensor, " 3"],
        directions: Float[Tensor, "rays 3"],
        range_cells: Float[Tensor, " rays"],
        reach_cells: float,
        spread: float,
        longest_cells: float,
    ) -> None:
        """Take in the rays of a depth image, all lengths in cells of the occupancy grid.

        Args:
            range_cells: Below 0 where there is no return.
            reach_cells: A return counts for the cells that are so near, along each axis.
            spread: The same by the range of a return, where that is more.
            longest_cells: Up to where a ray without a return would have had one.
        """
        fine = float(_PARTS)
        diagonal = sum(n * n for n in self.cells.shape) ** 0.5
        self._probe(
            self.cells, origin_cells * fine, directions, range_cells * fine, reach_cells * fine,
            spread, min(longest_cells * fine, diagonal),
        )  # fmt: skip

    def grow(self, shape: list[int], shift: list[int]) -> None:
        """Become the cells of a larger grid, in which the old one begins at cell `shift`."""
        old = self.cells
        fine = [_PARTS * n for n in shape]
        self.cells = torch.zeros(fine, dtype=torch.bool, device=old.device)
        begin = [_PARTS * s for s in shift]
        region = tuple(slice(b, b + n) for b, n in zip(begin, old.shape, strict=True))
        self.cells[region] = old

    def at(
        self, points: Float[Tensor, "n 3"], low_cell: tuple[int, ...], cell_m: float
    ) -> Bool[Tensor, " n"]:
        """Whether points lie in probed cells.

        Args:
            low_cell: First cell of the occupancy grid in the world.
            cell_m: Side of a cell of the occupancy grid.
        """
        x, y, z = (_PARTS * low for low in low_cell)
        return cells_at(points, self.cells, (x, y, z), cell_m / _PARTS)

    def packed(self) -> UInt8[Tensor, " bytes"]:
        """Eight cells a byte, on the host."""
        return torch.from_numpy(np.packbits(self.cells.cpu().numpy()))

    def unpack(self, packed: UInt8[Tensor, " bytes"]) -> None:
        """Become what `packed` was made of, for a grid of the same shape."""
        bits = np.unpackbits(packed.numpy(), count=self.cells.numel()).astype(bool)
        self.cells.copy_(torch.from_numpy(bits).view(self.cells.shape))


def cells_at(
    points: Float[Tensor, "n 3"],
    cells: Bool[Tensor, "gx gy gz"],
    low_cell: tuple[int, int, int],
    cell_m: float,
) -> Bool[Tensor, " n"]:
    """Whether points lie in set cells of a grid that begins at cell `low_cell` of the world."""
    if cells.device.type == "cuda" and find_spec("triton") is not None:
        from ineus_core.kernels import cells_triton

        return cells_triton.cells_at(points, cells, low_cell, cell_m)
    shape = torch.tensor(cells.shape, device=cells.device)
    cell = torch.floor(points / cell_m).long() - torch.tensor(low_cell, device=cells.device)
    inside = ((cell >= 0) & (cell < shape)).all(dim=1)
    x, y, z = cell.clamp(min=0).minimum(shape - 1).unbind(dim=1)
    return inside & cells[x, y, z]


def _operator(device: torch.device):  # type: ignore[no-untyped-def]
    """The fastest operator there is on a device."""
    if device.type == "cpu" and find_spec("numba") is not None:
        from ineus_core.kernels import probe_numba

        return probe_numba.probe
    if device.type == "cuda" and find_spec("triton") is not None:
        from ineus_core.kernels import probe_triton

        return probe_triton.probe
    return probe_torch.probe
