# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The blocks whose mesh is out of date, in the order in which they became so."""

import itertools
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.geometry import blocks_touched
from ineus_core.kernels.occupancy import BlockFlags
from ineus_core.types import BlockIndex


class DirtyBlocks:
    """Marked by points on the host, or by a kernel without anybody waiting until they are taken.

    Args:
        block_m: Side of a block.
        margin_m: A block this near to a point is marked too, as its border cells may be touched.
        device: Where kernels mark.
    """

    def __init__(self, block_m: float, margin_m: float, device: torch.device) -> None:
        """Begin with nothing dirty."""
        self._block_m, self._margin_m, self._device = block_m, margin_m, device
        # A dict keeps the order in which blocks became dirty.
        self._blocks: dict[BlockIndex, None] = {}
        self._flags: BlockFlags | None = None
        self._images = 0

    def __len__(self) -> int:
        """Return the number of dirty blocks; waits for the device."""
        self._fetch()
        return len(self._blocks)

    @property
    def known(self) -> int:
        """Dirty blocks that the host knows of; what a kernel marked since is not among them."""
        return len(self._blocks)

    def mark(self, points_m: Float[np.ndarray, "n 3"]) -> None:
        """Mark the blocks of surface points."""
        self.add(self.touched(points_m))

    def touched(self, points_m: Float[np.ndarray, "n 3"]) -> list[BlockIndex]:
        """Return the blocks that `mark` marks."""
        return list(blocks_touched(points_m, self._margin_m, self._block_m))

    def add(self, blocks: Iterable[BlockIndex]) -> None:
        """Mark blocks."""
        self._blocks.update(dict.fromkeys(blocks))

    def flags_over(self, aabb_m: Float[np.ndarray, "2 3"]) -> tuple[BlockFlags, int]:
        """Return a kernel's flags that cover a box, and the number of the image to mark with."""
        low = np.floor((aabb_m[0] - self._margin_m) / self._block_m).astype(int)
        high = np.floor((aabb_m[1] + self._margin_m) / self._block_m).astype(int)
        if self._flags is None or not _covers(self._flags, low, high):
            self._fetch()
            shape = (high - low + 1).tolist()
            flags = torch.zeros(shape, dtype=torch.int32, device=self._device)
            x, y, z = low.tolist()
            self._flags = BlockFlags(flags, (x, y, z), self._block_m, self._margin_m)
        self._images += 1
        return self._flags, self._images

    def take(self, limit: int) -> list[BlockIndex]:
        """Take the blocks that have been dirty for longest; they are clean then."""
        self._fetch()
        blocks = list(self._blocks)[:limit]
        for block in blocks:
            del self._blocks[block]
        return blocks

    def clear(self) -> None:
        """Make nothing dirty any more."""
        self._blocks.clear()
        if self._flags is not None:
            self._flags.flags.zero_()

    def _fetch(self) -> None:
        if self._flags is None or self._images == 0:
            return
        # The one wait: kernels have marked since the last time, and nobody has asked.
        flags = self._flags.flags.cpu().numpy().copy()
        self._flags.flags.zero_()
        self._images = 0
        found = np.argwhere(flags)
        # By the number of the image that marked them: those that wait longest come first.
        order = np.argsort(flags[tuple(found.T)], kind="stable")
        index = (found[order] + np.array(self._flags.low)).tolist()
        # What is dirty already keeps its place.
        for x, y, z in index:
            self._blocks.setdefault((x, y, z))


def blocks_of_cells(
    centres_m: Float[Tensor, "n 3"], reach_m: float, block_m: float
) -> list[BlockIndex]:
    """Do as `geometry.blocks_touched` on any device, for cubes smaller than a block."""
    if len(centres_m) == 0:
        return []
    ends = [((centres_m + reach) / block_m).floor().long() for reach in (-reach_m, reach_m)]
    low = ends[0].amin(dim=0)
    shape = (ends[1].amax(dim=0) - low + 1).tolist()
    is_touched = torch.zeros(shape, dtype=torch.bool, device=centres_m.device)
    (x0, y0, z0), (x1, y1, z1) = ((end - low).unbind(1) for end in ends)
    for x, y, z in itertools.product((x0, x1), (y0, y1), (z0, z1)):
        place = (x * shape[1] + y) * shape[2] + z
        is_touched.view(-1).index_fill_(0, place, True)
    return [(x, y, z) for x, y, z in (is_touched.nonzero() + low).tolist()]


def _covers(flags: BlockFlags, low: np.ndarray, high: np.ndarray) -> bool:
    first = np.array(flags.low)
    return bool((first <= low).all() and (high < first + np.array(flags.flags.shape)).all())
