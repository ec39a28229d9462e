# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The feature transform: for each cell of a grid, the point of the surface that is nearest."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

NONE = -1
"""Seed of a cell that holds no point."""
_BESIDE = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
_ALL = (slice(None),) * 3


def nearest_points(
    seed: Int[Tensor, "gx gy gz"],
    points: Float[Tensor, "p 3"],
    low_m: Float[Tensor, " 3"],
    cell_m: float,
) -> Int[Tensor, "gx gy gz"]:
    """Find the seed nearest to the centre of each cell; at least one cell has one.

    Exact by the centres of the seeds' cells on a CPU, then put right by the true points; by
    jump flooding (Rong & Tan 2006) with the true points on a GPU.

    Args:
        seed: Index into `points` of the cell's own seed, or `NONE`.
        low_m: Lowest corner of the grid.
    """
    # In cells, so that the centre of a cell is its index.
    in_cells = (points - low_m) / cell_m - 0.5
    if seed.device.type == "cpu":
        flood = Flood(in_cells, _by_distance_transform(seed))
        flood.spread(1)
        return flood.nearest
    flood = Flood(in_cells, seed)
    flood.fill()
    return flood.nearest


def _by_distance_transform(seed: Int[Tensor, "gx gy gz"]) -> Int[Tensor, "gx gy gz"]:
    from scipy.ndimage import distance_transform_edt

    seeds = seed.numpy()
    place = distance_transform_edt(seeds == NONE, return_distances=False, return_indices=True)
    return torch.from_numpy(seeds[tuple(place)])


class Flood:
    """The nearest point of each cell as far as it is known, and how it becomes known around.

    Args:
        points: In units of cells from the centre of the lowest cell.
        nearest: To begin with, `NONE` where it is not known.
    """

    def __init__(self, points: Float[Tensor, "p 3"], nearest: Int[Tensor, "gx gy gz"]) -> None:
        """Work out the distances of what is known."""
        self._points = points
        self._axes = [
            torch.arange(n, dtype=torch.float32, device=points.device).view(
                [-1 if a == axis else 1 for a in range(3)]
            )
            for axis, n in enumerate(nearest.shape)
        ]
        self.nearest = nearest.clone()
        squares = self._squares(nearest, _ALL)
        self._square = torch.where(nearest == NONE, torch.inf, squares)

    def fill(self) -> None:
        """Carry what is known everywhere, by steps that halve.

        Six neighbours a step and two more steps are a fifth of the work of all neighbours, and
        leave less than a thousandth of the cells with a point that is not the nearest.
        """
        longest = 1 << (max(self.nearest.shape) - 1).bit_length() >> 1
        for step in (*(longest >> i for i in range(longest.bit_length())), 2, 1):
            self.spread(step)

    def spread(self, step: int) -> None:
        """Offer each cell what the six cells `step` away from it have found."""
        shape = self.nearest.shape
        for direction in _BESIDE:
            pairs = [_overlap(n, d * step) for n, d in zip(shape, direction, strict=True)]
            to, origin = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
            offered = self.nearest[origin]
            if offered.numel() == 0:
                continue
            square = self._squares(offered, to)
            better = (offered != NONE) & (square < self._square[to])
            self.nearest[to] = torch.where(better, offered, self.nearest[to])
            self._square[to] = torch.where(better, square, self._square[to])

    def _squares(
        self, index: Int[Tensor, "bx by bz"], box: tuple[slice, ...]
    ) -> Float[Tensor, "bx by bz"]:
        """Return squared distances of points from the centres of a box of cells."""
        points = self._points[index.clamp(min=0)]
        square = torch.zeros(index.shape, device=index.device)
        for axis in range(3):
            along = tuple(box[a] if a == axis else slice(None) for a in range(3))
            square += (points[..., axis] - self._axes[axis][along]) ** 2
        return square


def _overlap(n: int, shift: int) -> tuple[slice, slice]:
    """Slice cells along an axis that have a neighbour `shift` further, and these neighbours."""
    shift = int(np.clip(shift, -n, n))
    return slice(max(-shift, 0), n - max(shift, 0)), slice(max(shift, 0), n - max(-shift, 0))
