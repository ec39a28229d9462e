# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Memory of the cells of a grid that grows, if wanted with room to do so in its place."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ineus_core.kernels.host_copy import write_to

_LEAST_CELLS = 1 << 24
_TIMES = 4
"""Room, in cells and by the cells that are there."""


class CellStorage:
    """One value of each kind for each cell.

    A captured step reads the cells at their place, and their number on the device, so that it
    holds as long as they find room where they are.

    Args:
        fills: By name, what a new cell has; its type is that of the values.
        shape: Cells along each axis.
        most_cells: That the grid may ever have.
        has_room: Set memory aside for more cells.
        device: Where the cells lie.
    """

    def __init__(
        self,
        fills: Mapping[str, Shaped[Tensor, ""]],
        shape: Sequence[int],
        most_cells: int,
        has_room: bool,
        device: torch.device,
    ) -> None:
        """Allocate new cells."""
        self._fills, self._most_cells, self._device = fills, most_cells, device
        self._has_room = has_room
        self.sizes: Int[Tensor, " 3"] = torch.zeros(3, dtype=torch.int32, device=device)
        """Cells along each axis, on the device, always in the same place."""
        self._flat: dict[str, Tensor] = {}
        self._lay_out(shape)

    @property
    def place(self) -> tuple[int, ...]:
        """Where the cells lie; as long as it is the same, what was captured of them holds."""
        return tuple(flat.data_ptr() for flat in self._flat.values())

    def flat(self, name: str) -> Shaped[Tensor, " capacity"]:
        """Return the values of one kind, and behind them the room for more."""
        return self._flat[name]

    def cells(self, name: str) -> Shaped[Tensor, "gx gy gz"]:
        """Return the values of one kind."""
        return self._flat[name][: int(np.prod(self._shape))].view(self._shape)

    def grow(self, shape: Sequence[int], begin: Sequence[int]) -> None:
        """Become a larger grid.

        Args:
            shape: Cells along each axis.
            begin: Where in it the first of the old cells lies.
        """
        # A copy, as the new layout lies over the old one.
        old = {name: self.cells(name).clone() for name in self._fills}
        region = tuple(slice(b, b + n) for b, n in zip(begin, self._shape, strict=True))
        self._lay_out(shape)
        for name, values in old.items():
            self.cells(name)[region] = values

    def _lay_out(self, shape: Sequence[int]) -> None:
        """Fill cells of a shape with the values of new ones; they move if there is no room."""
        self._shape = tuple(shape)
        cells = int(np.prod(self._shape))
        if not self._flat or cells > len(next(iter(self._flat.values()))):
            room = self._room_for(cells)
            self._flat = {
                name: torch.empty(room, dtype=fill.dtype, device=self._device)
                for name, fill in self._fills.items()
            }
        for name, fill in self._fills.items():
            # Only the cells: nobody reads the room behind them.
            self.cells(name).fill_(fill.item())
        write_to(self.sizes, np.array(self._shape, dtype=np.int32))

    def _room_for(self, cells: int) -> int:
        if not self._has_room:
            return cells
        return max(cells, min(max(_LEAST_CELLS, _TIMES * cells), self._most_cells))
