# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid for CPUs, compiled at run time by numba.

No corner is ever stored, so it runs at cache speed. Same signature and results as
`hash_grid.reference`. The backward gives each level to one thread, so that no two threads add to
one entry and the result does not depend on their number.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.hash_grid.layout import HashGridLayout
from ineus_core.kernels.jit import in_parallel, jit
from ineus_core.kernels.shapes import expect_shape

_BATCH = 1024
"""Points of a thread at once."""


def hash_grid(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
    """Interpolate all levels at points of the unit cube; see `hash_grid.reference.hash_grid`."""
    return _HashGrid.apply(points_unit.detach(), table, layout)


def hash_grid_value(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> Float[Tensor, "n channels"]:
    """Interpolate without the Jacobian; not differentiable."""
    _check(points_unit, table, layout)
    features = np.empty((len(points_unit), layout.channels), np.float32)
    # Empty instead of None, as numba compiles another version for another type.
    none = np.empty((0, layout.channels, 3), np.float32)
    # Views, not copies: the table is the largest thing there is.
    points, rows = points_unit.detach().numpy(), table.detach().numpy()
    _forward(points, rows, layout, features, none)
    return torch.from_numpy(features)


def _forward(
    points: np.ndarray,
    table: np.ndarray,
    layout: HashGridLayout,
    features: np.ndarray,
    jacobian: np.ndarray,
) -> None:
    arguments = (points, table, *_levels(layout), features, jacobian)
    in_parallel(_interpolate, len(points), *arguments, least=_BATCH)


def _check(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> None:
    expect_shape("points", points_unit, (-1, 3))
    expect_shape("table", table, (layout.entries, layout.features))


def _levels(layout: HashGridLayout) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    resolutions = np.array(layout.resolutions, np.int64)
    offsets = np.array(layout.offsets, np.int64)
    return resolutions, offsets, np.array(layout.is_dense), (1 << layout.log2_entries) - 1


class _HashGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points_unit, table, layout):  # type: ignore[no-untyped-def]
        n = len(points_unit)
        _check(points_unit, table, layout)
        points = points_unit.contiguous()
        features = np.empty((n, layout.channels), np.float32)
        jacobian = np.empty((n, layout.channels, 3), np.float32)
        _forward(points.numpy(), table.detach().numpy(), layout, features, jacobian)
        ctx.save_for_backward(points, table)
        ctx.layout = layout
        return torch.from_numpy(features), torch.from_numpy(jacobian)

    @staticmethod
    def backward(ctx, d_features, d_jacobian):  # type: ignore[no-untyped-def]
        points, table = ctx.saved_tensors
        channels = (len(points), ctx.layout.channels)
        expect_shape("gradient of the features", d_features, channels)
        expect_shape("gradient of the Jacobian", d_jacobian, (*channels, 3))
        d_table = torch.zeros_like(table)
        in_parallel(
            _scatter,
            ctx.layout.levels,
            points.numpy(),
            d_features.contiguous().numpy(),
            d_jacobian.contiguous().numpy(),
            *_levels(ctx.layout),
            d_table.numpy(),
        )
        return None, d_table, None


@jit(inline="always")
def _cell(x, resolution):  # type: ignore[no-untyped-def]
    scaled = min(max(x, np.float32(0.0)), np.float32(1.0)) * np.float32(resolution)
    # The upper faces of the cube belong to the last cell.
    cell = min(np.int64(scaled), resolution - 1)
    return cell, scaled - np.float32(cell)


@jit(inline="always")
def _row(x, y, z, resolution, dense, mask):  # type: ignore[no-untyped-def]
    if dense:
        return x + (resolution + 1) * (y + (resolution + 1) * z)
    return (x ^ (y * 2654435761) ^ (z * 805459861)) & mask


@jit(fastmath=True)
def _interpolate(  # type: ignore[no-untyped-def]
    begin, end, points, table, resolutions, offsets, dense, mask, features, jacobian
):
    levels, width = len(resolutions), table.shape[1]
    with_jacobian = len(jacobian) > 0
    for first in range(begin, end, _BATCH):
        last = min(first + _BATCH, end)
        # Level by level, so that a coarse level stays in the cache for the whole batch.
        for level in range(levels):
            resolution, offset = resolutions[level], offsets[level]
            slope = np.float32(resolution)
            # Unsigned, as a signed index is compared with 0 each time.
            for i in range(np.uint64(first), np.uint64(last)):
                x, u = _cell(points[i, 0], resolution)
                y, v = _cell(points[i, 1], resolution)
                z, w = _cell(points[i, 2], resolution)
                d = dense[level]
                # Eight scalars: an array here would be allocated on the heap for every point.
                r0 = offset + _row(x, y, z, resolution, d, mask)
                r1 = offset + _row(x + 1, y, z, resolution, d, mask)
                r2 = offset + _row(x, y + 1, z, resolution, d, mask)
                r3 = offset + _row(x + 1, y + 1, z, resolution, d, mask)
                r4 = offset + _row(x, y, z + 1, resolution, d, mask)
                r5 = offset + _row(x + 1, y, z + 1, resolution, d, mask)
                r6 = offset + _row(x, y + 1, z + 1, resolution, d, mask)
                r7 = offset + _row(x + 1, y + 1, z + 1, resolution, d, mask)
                for f in range(width):
                    a0, b0, c0, d0 = table[r0, f], table[r2, f], table[r4, f], table[r6, f]
                    da, db = table[r1, f] - a0, table[r3, f] - b0
                    dc, dd = table[r5, f] - c0, table[r7, f] - d0
                    near_low, far_low = a0 + u * da, b0 + u * db
                    near_high, far_high = c0 + u * dc, d0 + u * dd
                    low = near_low + v * (far_low - near_low)
                    high = near_high + v * (far_high - near_high)
                    channel = level * width + f
                    features[i, channel] = low + w * (high - low)
                    if with_jacobian:
                        dx_low = da + v * (db - da)
                        dx_high = dc + v * (dd - dc)
                        dy_low, dy_high = far_low - near_low, far_high - near_high
                        jacobian[i, channel, 0] = slope * (dx_low + w * (dx_high - dx_low))
                        jacobian[i, channel, 1] = slope * (dy_low + w * (dy_high - dy_low))
                        jacobian[i, channel, 2] = slope * (high - low)


@jit(fastmath=True)
def _scatter(  # type: ignore[no-untyped-def]
    begin, end, points, d_features, d_jacobian, resolutions, offsets, dense, mask, d_table
):
    # A thread has levels to itself: no two add to one entry, which would lose updates.
    n, width = len(points), d_table.shape[1]
    for level in range(begin, end):
        resolution, offset = resolutions[level], offsets[level]
        slope = np.float32(resolution)
        for i in range(n):
            x, u = _cell(points[i, 0], resolution)
            y, v = _cell(points[i, 1], resolution)
            z, w = _cell(points[i, 2], resolution)
            for c in range(8):
                cx, cy, cz = c & 1, (c >> 1) & 1, c >> 2
                row = offset + _row(x + cx, y + cy, z + cz, resolution, dense[level], mask)
                wx = u if cx else np.float32(1.0) - u
                wy = v if cy else np.float32(1.0) - v
                wz = w if cz else np.float32(1.0) - w
                sx, sy, sz = slope * (2 * cx - 1), slope * (2 * cy - 1), slope * (2 * cz - 1)
                for f in range(width):
                    channel = level * width + f
                    d_table[row, f] += np.float32(
                        wx * wy * wz * d_features[i, channel]
                        + sx * wy * wz * d_jacobian[i, channel, 0]
                        + wx * sy * wz * d_jacobian[i, channel, 1]
                        + wx * wy * sz * d_jacobian[i, channel, 2]
                    )
