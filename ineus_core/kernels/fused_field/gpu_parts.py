# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the field for NVIDIA GPUs under autograd: SDF head behind the hash grid, colour head.

For fields that are more than `gpu.field` puts together. Tables are read in half precision; their
gradient is float32. Cotangents that autograd carries are float32: float16 would lose them.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.fused_field.gpu import POINT_MAP, RUN_LEVELS
from ineus_core.kernels.hash_grid.gpu import (
    channel_buffer,
    hash_grid_backward_outer,
    hash_grid_forward,
    jacobian_buffer,
)
from ineus_core.kernels.hash_grid.layout import HashGridLayout
from ineus_core.kernels.mlp.gpu import (
    colour_head_backward,
    colour_head_forward,
    sdf_head_backward,
    sdf_head_forward,
)
from ineus_core.kernels.mlp.reference import ColourHeadWeights, SdfHeadWeights


def geometry(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"]]:
    """Return the outputs of the SDF head, and the gradient of the first per unit coordinate."""
    half = table.detach().half() if half_table is None else half_table
    flat = (weights.w1, weights.b1, weights.w2, weights.b2)
    return _Geometry.apply(points_unit.detach(), half, layout, table, *flat)


def outputs(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """Return the outputs of the SDF head without the gradient, exact enough for differences."""
    half = table.detach().half() if half_table is None else half_table
    flat = (weights.w1, weights.b1, weights.w2, weights.b2)
    return _Outputs.apply(points_unit.detach(), half, layout, False, table, *flat)


def distance(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> Float[Tensor, " n"]:
    """Return the first of these outputs alone, for points that have no colour."""
    half = table.detach().half() if half_table is None else half_table
    flat = (weights.w1, weights.b1, weights.w2, weights.b2)
    return _Outputs.apply(points_unit.detach(), half, layout, True, table, *flat)


def colour(
    geometry_features: Float[Tensor, "n g"],
    directions: Float[Tensor, "n 3"],
    gradient: Float[Tensor, "n 3"],
    weights: ColourHeadWeights,
) -> Float[Tensor, "n 3"]:
    """Return colours, 0 to 1; the gradient is normalised here, and one of 0 stays 0."""
    w = weights
    flat = (w.w1, w.b1, w.w2, w.b2, w.w3, w.b3)
    return _Colour.apply(geometry_features, directions.detach(), gradient, *flat)


def _vectors(n: int, like: Tensor) -> Float[Tensor, "n 3"]:
    """Allocate vectors whose axes are contiguous in memory."""
    return like.new_empty((3, n), dtype=torch.float32).t()


def _half_rows(like: Tensor, n: int, width: int) -> Float[Tensor, "n width"]:
    """Allocate rows of float16, of which 16 fill a sector of the memory."""
    return like.new_empty((n, -(-width // 16) * 16), dtype=torch.float16)[:, :width]


def _cotangents(n: int, layout: HashGridLayout, like: Tensor) -> Float[Tensor, "n c"]:
    """Allocate the cotangents of features, which need bfloat16's range."""
    return like.new_empty((layout.channels, n), dtype=torch.bfloat16).t()


def _zeros(like: Tensor, *shape: int) -> Float[Tensor, "..."]:
    """Return zeros of any size that take no memory, for kernels that count in strides."""
    return like.new_zeros((1,) * len(shape)).expand(shape)


class _Geometry(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points_unit, half, layout, table, w1, b1, w2, b2):  # type: ignore[no-untyped-def]
        n = len(points_unit)
        features, slopes = (channel_buffer(n, layout.channels, half) for _ in range(2))
        jacobian = jacobian_buffer(n, layout.channels, half)
        found, gradient = w2.new_empty((n, len(b2))), _vectors(n, w2)
        hash_grid_forward(points_unit, half, layout, features, jacobian)
        sdf_head_forward(
            points_unit, features, jacobian, SdfHeadWeights(w1, b1, w2, b2), found, gradient,
            slopes, None, POINT_MAP,
        )  # fmt: skip
        ctx.save_for_backward(points_unit, features, jacobian, slopes, w1, b1, w2, b2)
        ctx.layout = layout
        return found, gradient

    @staticmethod
    def backward(ctx, d_outputs, d_gradient):  # type: ignore[no-untyped-def]
        points_unit, features, jacobian, slopes, *flat = ctx.saved_tensors
        layout = ctx.layout
        d_features = _cotangents(len(points_unit), layout, features)
        d_flat = [torch.zeros_like(w) for w in flat]
        sdf_head_backward(
            points_unit, features, jacobian, SdfHeadWeights(*flat), d_outputs, d_gradient,
            d_features, SdfHeadWeights(*d_flat), None, POINT_MAP,
        )  # fmt: skip
        d_table = flat[0].new_zeros((layout.entries, 2))
        # Points are samples along rays here too, so that runs of them share coarse cells.
        levels = min(RUN_LEVELS, layout.levels)
        hash_grid_backward_outer(
            points_unit, d_features, slopes, d_gradient, layout, d_table, levels
        )
        return None, None, None, d_table, *d_flat


class _Outputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points_unit, half, layout, first_only, table, w1, b1, w2, b2):  # type: ignore[no-untyped-def]
        n = len(points_unit)
        # In float32, as a difference over a millimetre would show the steps of float16.
        features = channel_buffer(n, layout.channels, w1)
        hash_grid_forward(points_unit, half, layout, features, None)
        if first_only:
            # Nobody reads the others.
            wide, first = _half_rows(w2, n, len(b2)), w2.new_empty(n)
        else:
            wide, first = w2.new_empty((n, len(b2))), None
        sdf_head_forward(
            points_unit, features, None, SdfHeadWeights(w1, b1, w2, b2), wide, None, None, first,
            POINT_MAP,
        )  # fmt: skip
        ctx.save_for_backward(points_unit, features, w1, b1, w2, b2)
        ctx.layout, ctx.first_only = layout, first_only
        return first if first_only else wide

    @staticmethod
    def backward(ctx, d_found):  # type: ignore[no-untyped-def]
        points_unit, features, *flat = ctx.saved_tensors
        n, layout = len(points_unit), ctx.layout
        d_outputs = _zeros(features, n, len(flat[3])) if ctx.first_only else d_found
        d_first = d_found.contiguous() if ctx.first_only else None
        d_features = _cotangents(n, layout, features)
        d_flat = [torch.zeros_like(w) for w in flat]
        # In float32 as the way there: of a Laplacian, parts of points side by side cancel.
        sdf_head_backward(
            points_unit, features, None, SdfHeadWeights(*flat), d_outputs, None, d_features,
            SdfHeadWeights(*d_flat), d_first, POINT_MAP,
        )  # fmt: skip
        d_table = flat[0].new_zeros((layout.entries, 2))
        # Nothing depends on the Jacobian.
        slopes, d_gradient = _zeros(features, n, layout.channels), _zeros(features, n, 3)
        levels = min(RUN_LEVELS, layout.levels)
        hash_grid_backward_outer(
            points_unit, d_features, slopes, d_gradient, layout, d_table, levels
        )
        return None, None, None, None, d_table, *d_flat


class _Colour(torch.autograd.Function):
    @staticmethod
    def forward(ctx, geometry_features, directions, gradient, *flat):  # type: ignore[no-untyped-def]
        n, width = geometry_features.shape
        half = _half_rows(geometry_features, n, width)
        # The head multiplies in half precision, and rows of 16 are what it reads best.
        half.copy_(geometry_features)
        rgb = _vectors(n, geometry_features)
        colour_head_forward(half, gradient, directions, ColourHeadWeights(*flat), rgb)
        ctx.save_for_backward(half, directions, gradient, *flat)
        return rgb

    @staticmethod
    def backward(ctx, d_rgb):  # type: ignore[no-untyped-def]
        half, directions, gradient, *flat = ctx.saved_tensors
        d_features = torch.empty_like(half, dtype=torch.float32)
        d_gradient = _vectors(len(half), d_features)
        d_flat = [torch.zeros_like(w) for w in flat]
        colour_head_backward(
            half, gradient, directions, ColourHeadWeights(*flat), d_rgb, None, d_features,
            d_gradient, ColourHeadWeights(*d_flat),
        )  # fmt: skip
        return d_features, None, d_gradient, *d_flat
