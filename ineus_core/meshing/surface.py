# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The surface as it was last meshed: its blocks, those that are out of date, and its updates."""

import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.geometry import blocks_touched
from ineus_core.meshing.blocks import (
    BlockMesher,
    ColourFunction,
    MeshingConfig,
    ObservedFunction,
)
from ineus_core.meshing.clean import remove_small_components, weld
from ineus_core.meshing.dirty import DirtyBlocks, blocks_of_cells
from ineus_core.meshing.samples import SdfFunction
from ineus_core.timing import InParts, at_once
from ineus_core.types import BlockIndex, Mesh, MeshBlock, MeshUpdate

_BLOCKS_PER_UPDATE = {"cpu": 48, "cuda": 4096}
_LEAST_IN_TIME, _FIRST_IN_TIME = {"cpu": 4, "cuda": 16}, {"cpu": 8, "cuda": 128}
"""Blocks of an update that is to take a given time: at least, and before any was timed."""
_MOST_GROWTH = 4
"""Times the blocks of one update that the next one may have."""


class Surface:
    """Holds every block that has triangles, and which blocks have changed since they were meshed.

    Args:
        config: With the size of the voxels resolved.
        device: Where the field lies.
        now_s: The clock that meshing is timed by.
    """

    def __init__(
        self,
        config: MeshingConfig,
        device: torch.device,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin with nothing meshed, and nothing dirty."""
        self.config, self.device, self._now_s = config, device, now_s
        self._block_took_s: float | None = None
        self._renewed = 0
        self._mesher = BlockMesher(config)
        self.dirty = DirtyBlocks(config.block_size_m, 2 * config.voxel_size_m, device)
        self.blocks: dict[BlockIndex, MeshBlock] = {}

    def take_dirty(self, within_s: float | None = None) -> list[BlockIndex]:
        """Take the blocks that have been dirty for longest, as many as an update may have.

        Args:
            within_s: Time that the update may take, by what blocks took before.
        """
        limit = self.config.blocks_per_update or _BLOCKS_PER_UPDATE[self.device.type]
        if within_s is not None:
            in_time = _FIRST_IN_TIME[self.device.type]
            if self._block_took_s is not None:
                least = _LEAST_IN_TIME[self.device.type]
                # Blocks without surface take no time, and those that follow may all have some.
                most = _MOST_GROWTH * self._renewed
                in_time = max(least, min(most, int(within_s / self._block_took_s)))
            limit = min(limit, in_time)
        return self.dirty.take(limit)

    def blocks_with_surface(
        self, centres: Float[Tensor, "n 3"], cell_m: float
    ) -> list[BlockIndex]:
        """List blocks that cells touch which may hold surface, and those that have been meshed."""
        block_m = self.config.block_size_m
        # A little less than the cell, which would else touch the blocks that it only abuts.
        reach_m = 0.499 * cell_m
        if self.device.type == "cuda" and cell_m < block_m:
            found = blocks_of_cells(centres, reach_m, block_m)
        else:
            found = blocks_touched(centres.cpu().numpy(), reach_m, block_m)
        # Those that have been meshed too, as they may have lost their surface.
        return sorted(set(found) | set(self.blocks))

    def renew(
        self,
        blocks: list[BlockIndex],
        sdf_fn: SdfFunction,
        colour_fn: ColourFunction,
        observed_fn: ObservedFunction,
        is_pointwise: bool,
        stamp_ns: int,
    ) -> MeshUpdate:
        """Mesh blocks anew: those with triangles now, and those that have lost theirs.

        Args:
            sdf_fn: This and what follows as of `BlockMesher.extract`.
            stamp_ns: Of the newest frame.
        """
        begin_s = self._now_s()
        update = at_once(
            self.renew_in_parts(blocks, sdf_fn, colour_fn, observed_fn, is_pointwise, stamp_ns)
        )
        if blocks:
            # What an update takes whatever its size is counted too, so that few blocks seem slow:
            # the number grows until the time is filled.
            self._renewed = len(blocks)
            self._block_took_s = max((self._now_s() - begin_s) / len(blocks), 1e-9)
        return update

    def renew_in_parts(
        self,
        blocks: list[BlockIndex],
        sdf_fn: SdfFunction,
        colour_fn: ColourFunction,
        observed_fn: ObservedFunction,
        is_pointwise: bool,
        stamp_ns: int,
    ) -> InParts[MeshUpdate]:
        """Mesh blocks as `renew` does, with pauses; until the end the surface is as it was."""
        found = yield from self._mesher.extract_in_parts(
            sdf_fn, colour_fn, blocks, observed_fn, self.device, is_pointwise
        )
        upserts, removed = [], []
        for block in found:
            if len(block.mesh.triangles):
                self.blocks[block.index] = block
                upserts.append(block)
            elif self.blocks.pop(block.index, None) is not None:
                removed.append(block.index)
        return MeshUpdate(stamp_ns, tuple(upserts), tuple(removed))

    def mesh(self) -> Mesh:
        """Return all blocks, welded and without small components."""
        return remove_small_components(
            weld(self.blocks.values()), self.config.min_component_triangles
        )
