# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid in plain torch: value and spatial Jacobian in one pass (Mueller et al. 2022).

Both are linear in the table, so losses on spatial gradients need no double backward.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.hash_grid.layout import HASH_PRIMES, HashGridLayout


def hash_grid(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
    """Interpolate all levels at points of the unit cube.

    Differentiable with respect to the table only; the Jacobian is per unit coordinate. Points
    outside the cube are taken as the nearest point of it.
    """
    points = points_unit.detach().clamp(0.0, 1.0)
    features, jacobians = [], []
    for level in range(layout.levels):
        index, weights = corner_weights(points, layout, level)
        corners = table[index]
        # Value and derivatives share the eight look-ups.
        features.append(torch.einsum("nc,ncf->nf", weights[:, 0], corners))
        jacobians.append(torch.einsum("nkc,ncf->nfk", weights[:, 1:], corners))
    return torch.cat(features, dim=1), torch.cat(jacobians, dim=1)


def hash_grid_value(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> Float[Tensor, "n channels"]:
    """Interpolate without the Jacobian."""
    points = points_unit.detach().clamp(0.0, 1.0)
    features = []
    for level in range(layout.levels):
        index, weights = corner_weights(points, layout, level)
        features.append(torch.einsum("nc,ncf->nf", weights[:, 0], table[index]))
    return torch.cat(features, dim=1)


def corner_weights(
    points: Float[Tensor, "n 3"], layout: HashGridLayout, level: int
) -> tuple[Int[Tensor, "n 8"], Float[Tensor, "n 4 8"]]:
    """Return table rows of the eight corners around points, their weights and derivatives."""
    resolution = layout.resolutions[level]
    scaled = points * resolution
    # The upper faces of the cube belong to the last cell, so that all eight corners exist.
    cell = scaled.floor().clamp(max=resolution - 1)
    fraction = scaled - cell
    bits = torch.tensor(
        [[(corner >> axis) & 1 for axis in range(3)] for corner in range(8)], device=points.device
    )
    corner = cell.long()[:, None, :] + bits
    near_far = torch.stack((1 - fraction, fraction), dim=-1)
    along = [near_far[:, axis][:, bits[:, axis]] for axis in range(3)]
    slope = [(2 * bits[:, axis] - 1).to(points.dtype) * resolution for axis in range(3)]
    weights = torch.stack(
        (
            along[0] * along[1] * along[2],
            slope[0] * along[1] * along[2],
            along[0] * slope[1] * along[2],
            along[0] * along[1] * slope[2],
        ),
        dim=1,
    )
    return _corner_rows(corner, layout, level), weights


def _corner_rows(
    corner: Int[Tensor, "n 8 3"], layout: HashGridLayout, level: int
) -> Int[Tensor, "n 8"]:
    stride = layout.resolutions[level] + 1
    if layout.is_dense[level]:
        row = corner[..., 0] + stride * (corner[..., 1] + stride * corner[..., 2])
    else:
        # The products exceed 32 bits, but the table size divides 2^32, so the lower bits are
        # those of uint32.
        mixed = [corner[..., axis] * HASH_PRIMES[axis] for axis in range(3)]
        row = (mixed[0] ^ mixed[1] ^ mixed[2]) & ((1 << layout.log2_entries) - 1)
    return row + layout.offsets[level]
