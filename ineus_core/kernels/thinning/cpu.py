# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Thinning of points, compiled at run time by numba: no two that stay are neighbours."""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape


def thinned(points: Float[np.ndarray, "n 3"], radius: float) -> Bool[np.ndarray, " n"]:
    """Tell which points stay; see the door."""
    expect_shape("points", points, (-1, 3))
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    cells = np.floor((points - points.min(axis=0)) / radius).astype(np.int64)
    # A margin of one cell on every side, so that neighbours have keys of their own.
    size = cells.max(axis=0) + 3
    keys = ((cells[:, 0] + 1) * size[1] + cells[:, 1] + 1) * size[2] + cells[:, 2] + 1
    order = np.argsort(keys, kind="stable")
    unique, first = np.unique(keys[order], return_index=True)
    first = np.append(first, len(points))
    # Cells are as wide as the radius: all that is near a point is in the 27 around it.
    offsets = np.array(
        [
            (x * size[1] + y) * size[2] + z
            for x in (-1, 0, 1)
            for y in (-1, 0, 1)
            for z in (-1, 0, 1)
        ]
    )
    stays = np.ones(len(points), dtype=np.bool_)
    call = (plain(points, np.float64), keys, order, unique, first, offsets)
    _thin(*call, float(radius) ** 2, stays)
    return stays


@jit()
def _thin(points, keys, order, unique, first, offsets, radius_squared, stays):  # type: ignore[no-untyped-def]
    for i in range(len(points)):
        if not stays[i]:
            continue
        for offset in offsets:
            cell = np.searchsorted(unique, keys[i] + offset)
            if cell == len(unique) or unique[cell] != keys[i] + offset:
                continue
            for at in range(first[cell], first[cell + 1]):
                j = order[at]
                # Earlier ones have had their turn: they stay, or are gone.
                if j <= i:
                    continue
                dx = points[i, 0] - points[j, 0]
                dy = points[i, 1] - points[j, 1]
                dz = points[i, 2] - points[j, 2]
                if dx * dx + dy * dy + dz * dz <= radius_squared:
                    stays[j] = False
