# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Signed distances at corners of blocks: in bounded batches, those that blocks share once."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

SdfFunction = Callable[[Tensor], Tensor]

# Three of them and a sign fill 64 bits.
_KEY_BITS = 21
_KEY_OFFSET = 1 << (_KEY_BITS - 1)


def in_batches(
    function: Callable[..., Tensor], batch: int, *arguments: Shaped[Tensor, "n 3"]
) -> Shaped[Tensor, "n ..."]:
    """Call a function of points on at most `batch` rows at a time and join what it returns."""
    pieces = [function(*rows) for rows in zip(*(a.split(batch) for a in arguments), strict=True)]
    return torch.cat(pieces) if len(pieces) != 1 else pieces[0]


class LatticeSampler:
    """Evaluates the field at integer corners of the world's lattice of voxels.

    Two evaluations of one point may differ in the last bit where the batches differ, and a surface
    that passes there would crack. So a corner that blocks share is evaluated once and remembered.

    Args:
        sdf_fn: Signed distances at world points.
        batch: Largest number of points of a call of `sdf_fn`.
    """

    def __init__(self, sdf_fn: SdfFunction, voxel_size_m: float, batch: int, device: torch.device):
        self._sdf_fn = sdf_fn
        self._voxel_size_m = voxel_size_m
        self.batch = batch
        self._known_keys = torch.empty(0, dtype=torch.int64, device=device)
        self._known_values = torch.empty(0, device=device)

    def points(self, lattice: Shaped[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Return world points of lattice coordinates; in doubles, equal corners stay equal."""
        return (lattice.double() * self._voxel_size_m).float()

    def evaluate(self, lattice: Shaped[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Evaluate the distance at lattice coordinates, and remember none."""
        if len(lattice) == 0:
            return self._known_values[:0]
        return in_batches(
            lambda rows: self._sdf_fn(self.points(rows)).float(), self.batch, lattice
        )

    def evaluate_shared(self, lattice: Int[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Evaluate the distance at corners that may come again, from other blocks."""
        keys, index = torch.unique(_pack(lattice), return_inverse=True)
        place, known = self._find(keys)
        values = torch.empty(len(keys), device=lattice.device)
        values[known] = self._known_values[place[known]]
        values[~known] = self.evaluate(_unpack(keys[~known]))
        self._remember(keys[~known], values[~known])
        return values[index]

    def _find(self, keys: Int[Tensor, " n"]) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
        if len(self._known_keys) == 0:
            return torch.zeros_like(keys), torch.zeros_like(keys, dtype=torch.bool)
        place = torch.searchsorted(self._known_keys, keys).clamp(max=len(self._known_keys) - 1)
        return place, self._known_keys[place] == keys

    def _remember(self, keys: Int[Tensor, " n"], values: Float[Tensor, " n"]) -> None:
        self._known_keys, order = torch.cat((self._known_keys, keys)).sort()
        self._known_values = torch.cat((self._known_values, values))[order]


def _pack(lattice: Int[Tensor, "n 3"]) -> Int[Tensor, " n"]:
    x, y, z = (lattice + _KEY_OFFSET).unbind(-1)
    # One number a corner, which can be sorted and searched; a million voxels each way are enough.
    return (x << 2 * _KEY_BITS) | (y << _KEY_BITS) | z


def _unpack(keys: Int[Tensor, " n"]) -> Int[Tensor, "n 3"]:
    mask = (1 << _KEY_BITS) - 1
    columns = (keys >> 2 * _KEY_BITS, keys >> _KEY_BITS & mask, keys & mask)
    return torch.stack(columns, dim=-1) - _KEY_OFFSET
