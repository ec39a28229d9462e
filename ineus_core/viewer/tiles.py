# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The blocks of a mesh in tiles of several: a browser is slow with thousands of parts."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ineus_core.types import BlockIndex, Mesh, MeshBlock, MeshUpdate

TileIndex = tuple[int, int, int]
_BLOCKS_A_SIDE = 4
_EXTENT_STRIDE = 16


@dataclass(frozen=True)
class Extent:
    """The box around all vertices, as the map has them."""

    low: Float[np.ndarray, " 3"]
    high: Float[np.ndarray, " 3"]


class SurfaceTiles:
    """Holds the newest blocks, and which tiles have changed since they were taken.

    Blocks come from the thread that trains, which only puts them here; tiles are taken by
    another one. What is not taken in time is replaced by what is newer.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._tiles: dict[TileIndex, dict[BlockIndex, MeshBlock]] = {}
        # A dictionary, as a set that keeps an order: who waited longest goes first.
        self._changed: dict[TileIndex, None] = {}
        self._triangles = 0
        self.origin_m = (0.0, 0.0, 0.0)
        """World position that the blocks count from."""

    @property
    def triangles(self) -> int:
        """Triangles of all blocks."""
        return self._triangles

    def update(self, update: MeshUpdate) -> None:
        """Take over what changed."""
        # Blocks count from the origin: those of another one would lie elsewhere.
        if update.begins_anew or update.origin_m != self.origin_m:
            self.clear()
        with self._lock:
            self.origin_m = update.origin_m
            for block in update.upserts:
                tile = self._tiles.setdefault(_tile_of(block.index), {})
                self._triangles += _size(block) - _size(tile.get(block.index))
                tile[block.index] = block
            for index in update.removed:
                tile = self._tiles.get(_tile_of(index), {})
                self._triangles -= _size(tile.pop(index, None))
            for index in (*(block.index for block in update.upserts), *update.removed):
                self._changed.setdefault(_tile_of(index))

    def clear(self) -> None:
        """Forget all blocks; every tile that was there becomes empty."""
        with self._lock:
            self._changed |= dict.fromkeys(self._tiles)
            self._tiles.clear()
            self._triangles = 0

    def touch_all(self) -> None:
        """Count every tile as changed."""
        with self._lock:
            self._changed |= dict.fromkeys(self._tiles)

    def take(self, most_triangles: int) -> dict[TileIndex, Mesh]:
        """Take the tiles that have waited longest, one at least; those gone have no triangles.

        Args:
            most_triangles: How many triangles they may have together.
        """
        taken: dict[TileIndex, list[MeshBlock]] = {}
        with self._lock:
            while self._changed:
                index = next(iter(self._changed))
                blocks = list(self._tiles.get(index, {}).values())
                most_triangles -= sum(map(_size, blocks))
                if taken and most_triangles < 0:
                    break
                del self._changed[index]
                taken[index] = blocks
        # Outside of the lock, as it takes long.
        return {index: joined(block.mesh for block in blocks) for index, blocks in taken.items()}

    def extent(self) -> Extent | None:
        """Return the box around nearly all vertices; None while there are none."""
        with self._lock:
            blocks = [block for tile in self._tiles.values() for block in tile.values()]
        if not blocks:
            return None
        # Some vertices of each block tell enough, and small pieces far away must not count.
        points = np.concatenate([block.mesh.vertices[::_EXTENT_STRIDE] for block in blocks])
        low, high = np.quantile(points, (0.01, 0.99), axis=0)
        return Extent(low, high)

    def mesh(self) -> Mesh:
        """Return all blocks as one mesh."""
        with self._lock:
            blocks = [block for tile in self._tiles.values() for block in tile.values()]
        return joined(block.mesh for block in blocks)


def joined(meshes: Iterable[Mesh]) -> Mesh:
    """Put triangles into one mesh, whose vertices stay apart."""
    parts = list(meshes)
    first = np.cumsum([0, *(len(mesh.vertices) for mesh in parts)])[:-1]
    triangles = [mesh.triangles + start for mesh, start in zip(parts, first, strict=True)]
    # In front of each list: of no parts at all there is nothing to concatenate.
    nothing = np.zeros((0, 3), np.float32)
    return Mesh(
        np.concatenate([nothing, *(mesh.vertices for mesh in parts)]),
        np.concatenate([np.zeros((0, 3), np.int32), *triangles]).astype(np.int32),
        np.concatenate([nothing, *(mesh.normals for mesh in parts)]),
        np.concatenate([np.zeros((0, 3), np.uint8), *(mesh.colours for mesh in parts)]),
    )


def _tile_of(block: BlockIndex) -> TileIndex:
    x, y, z = (number // _BLOCKS_A_SIDE for number in block)
    return x, y, z


def _size(block: MeshBlock | None) -> int:
    return 0 if block is None else len(block.mesh.triangles)
