# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid for NVIDIA GPUs, in Triton: value and Jacobian at once, one scattered backward.

Same signature and results as `hash_grid.reference`. Buffers lie channel by channel ([channels, n]
in memory), so that neighbouring threads, which take neighbouring points, store side by side; the
public shapes are views of that.
"""

from functools import cache

import torch
import triton
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.hash_grid.gpu_code import backward, forward
from ineus_core.kernels.hash_grid.layout import HashGridLayout

# Encoding with 64, 128, 256 and 512 took 0.114, 0.085, 0.086 and 0.099 ms (benchmarks/README.md).
_POINTS_PER_PROGRAM = 128
# With 4, 6, 12 and 16 the gradient of the table took 0.244, 0.236, 0.265 and 0.28 ms, with 8
# 0.231: longer runs fill the chip less (benchmarks/README.md).
_RUN = 8
"""Neighbouring samples of a ray that one thread gathers before it adds to the table.

They share the cells of coarse levels, whose few entries all threads would else add to at once.
"""


def hash_grid(
    points_unit: Float[Tensor, "n 3"], table: Float[Tensor, "entries 2"], layout: HashGridLayout
) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
    """Interpolate all levels at points of the unit cube; see `hash_grid.reference.hash_grid`.

    The results have the type of the table, float32 or float16; sums are in float32 either way.
    """
    return _HashGrid.apply(points_unit.detach(), table, layout)


def hash_grid_value(
    points_unit: Float[Tensor, "n 3"], table: Float[Tensor, "entries 2"], layout: HashGridLayout
) -> Float[Tensor, "n channels"]:
    """Interpolate without the Jacobian; not differentiable."""
    features = channel_buffer(len(points_unit), layout.channels, table)
    hash_grid_forward(points_unit.detach(), table.detach(), layout, features, None)
    return features


def channel_buffer(n: int, channels: int, like: Tensor) -> Float[Tensor, "n channels"]:
    """Allocate a buffer, without content, whose channels are contiguous in memory."""
    return like.new_empty((channels, n)).t()


def jacobian_buffer(n: int, channels: int, like: Tensor) -> Float[Tensor, "n channels 3"]:
    """Allocate a buffer, without content, whose channels and axes are contiguous in memory."""
    return like.new_empty((channels, 3, n)).permute(2, 0, 1)


def hash_grid_forward(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    layout: HashGridLayout,
    features: Float[Tensor, "n channels"],
    jacobian: Float[Tensor, "n channels 3"] | None,
    limit: Int[Tensor, ""] | None = None,
) -> None:
    """Write features and, unless it is None, the Jacobian into buffers; allocates nothing.

    Args:
        limit: Points from this index on are padding: their results are zero.
    """
    n = len(points_unit)
    _check(table, layout)
    if n == 0:
        return
    grid = (triton.cdiv(n, _POINTS_PER_PROGRAM), layout.levels)
    strides = jacobian.stride() if jacobian is not None else (0, 0, 0)
    forward[grid](
        points_unit,
        table,
        features,
        features if jacobian is None else jacobian,
        _level_table(layout, points_unit.device),
        limit,
        n,
        *points_unit.stride(),
        *features.stride(),
        *strides,
        MASK=(1 << layout.log2_entries) - 1,
        HALF=table.dtype == torch.float16,
        WITH_JACOBIAN=jacobian is not None,
        BLOCK=_POINTS_PER_PROGRAM,
    )


def hash_grid_backward(
    points_unit: Float[Tensor, "n 3"],
    d_features: Float[Tensor, "n channels"],
    d_jacobian: Float[Tensor, "n channels 3"],
    layout: HashGridLayout,
    d_table: Float[Tensor, "entries 2"],
    run_levels: int = 0,
) -> None:
    """Add the gradient of the table, given those of features and Jacobian, to `d_table` (float32).

    Args:
        run_levels: How many of the coarse levels are gathered over neighbouring points before they
            are added: right where neighbouring points are neighbouring samples of a ray.
    """
    pointers = (points_unit, d_features, d_jacobian, d_jacobian)
    strides = (*points_unit.stride(), *d_features.stride(), *d_jacobian.stride(), 0, 0)
    _scatter(pointers, strides, layout, d_table, run_levels, None)


def hash_grid_backward_outer(
    points_unit: Float[Tensor, "n 3"],
    d_features: Float[Tensor, "n channels"],
    slope: Float[Tensor, "n channels"],
    d_direction: Float[Tensor, "n 3"],
    layout: HashGridLayout,
    d_table: Float[Tensor, "entries 2"],
    run_levels: int = 0,
    scale: float = 1.0,
) -> None:
    """Do as `hash_grid_backward` for a Jacobian's cotangent that is an outer product.

    It is `d_jacobian[i, c, k] = scale * slope[i, c] * d_direction[i, k]`: what a loss on one
    combination of the channels gives, such as the gradient of the SDF, where `slope` is
    d sdf / d features. It moves a third of the bytes.
    """
    pointers = (points_unit, d_features, slope, d_direction)
    strides = (
        *points_unit.stride(), *d_features.stride(), *slope.stride(), 0, *d_direction.stride()
    )  # fmt: skip
    _scatter(pointers, strides, layout, d_table, run_levels, scale)


def _scatter(pointers, strides, layout, d_table, run_levels, scale):  # type: ignore[no-untyped-def]
    n = len(pointers[0])
    _check(d_table, layout)
    # Half precision would gain nothing: the number of additions counts, not their bytes (0.221
    # instead of 0.232 ms, benchmarks/README.md).
    if d_table.dtype != torch.float32:
        raise ValueError(f"table gradient of type {d_table.dtype}: expected torch.float32")
    if n == 0:
        return
    level_table = _level_table(layout, d_table.device)
    for first_level, levels, run in (
        (0, run_levels, _RUN),
        (run_levels, layout.levels - run_levels, 1),
    ):
        if levels == 0:
            continue
        backward[(triton.cdiv(n, _POINTS_PER_PROGRAM * run), levels)](
            *pointers,
            d_table,
            level_table,
            n,
            first_level,
            *strides,
            1.0 if scale is None else float(scale),
            MASK=(1 << layout.log2_entries) - 1,
            OUTER=scale is not None,
            VECTOR=has_vector_reductions(d_table.device),
            RUN=run,
            BLOCK=_POINTS_PER_PROGRAM,
        )


def _check(table: Tensor, layout: HashGridLayout) -> None:
    expected = (layout.entries, 2)
    if table.shape != expected or not table.is_contiguous():
        raise ValueError(f"table of shape {tuple(table.shape)}: expected {expected}, contiguous")


@cache
def has_vector_reductions(device: torch.device) -> bool:
    """Tell whether a device adds two floats to memory in one instruction (capability 9.0)."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (9, 0)


@cache
def _level_table(layout: HashGridLayout, device: torch.device) -> Int[Tensor, "levels 3"]:
    rows = zip(layout.resolutions, layout.offsets, layout.is_dense, strict=False)
    return torch.tensor([list(map(int, row)) for row in rows], dtype=torch.int32, device=device)


class _HashGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points_unit, table, layout):  # type: ignore[no-untyped-def]
        n = len(points_unit)
        features = channel_buffer(n, layout.channels, table)
        jacobian = jacobian_buffer(n, layout.channels, table)
        hash_grid_forward(points_unit, table, layout, features, jacobian)
        ctx.save_for_backward(points_unit)
        ctx.layout, ctx.dtype = layout, table.dtype
        return features, jacobian

    @staticmethod
    def backward(ctx, d_features, d_jacobian):  # type: ignore[no-untyped-def]
        (points_unit,) = ctx.saved_tensors
        d_table = points_unit.new_zeros((ctx.layout.entries, 2))
        hash_grid_backward(points_unit, d_features, d_jacobian, ctx.layout, d_table)
        return None, d_table.to(ctx.dtype), None
