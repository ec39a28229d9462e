# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The whole field for NVIDIA GPUs: encoding and both heads, both ways, over buffers that are kept.

Between the passes only features, Jacobian, slopes and geometry outputs are stored, in half
precision; activations are computed again. The Jacobian's cotangent is an outer product and never
written.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.hash_grid.gpu import (
    channel_buffer,
    hash_grid_backward_outer,
    hash_grid_forward,
    hash_grid_value,
    jacobian_buffer,
)
from ineus_core.kernels.hash_grid.layout import HashGridLayout
from ineus_core.kernels.mlp.gpu import (
    colour_head_backward,
    colour_head_forward,
    sdf_head_backward,
    sdf_head_forward,
)
from ineus_core.kernels.mlp.reference import ColourHeadWeights, FieldWeights, SdfHeadWeights
from ineus_core.types import FieldOutput

POINT_MAP = (2.0, -1.0)
"""Factor and summand that take the unit cube to -1..1, as the SDF head sees it."""

# With runs on these the gradient of the table took 0.231 instead of 0.359 ms
# (benchmarks/README.md).
RUN_LEVELS = 10
"""Coarse levels, where neighbouring samples share cells and runs of them are summed first."""
Stages = dict[str, Callable[[], None]]
"""The launches of a pass by name, in their order."""


@dataclass(frozen=True)
class FieldBuffers:
    """What an evaluation leaves for its backward pass, and what that pass needs for itself."""

    features: Float[Tensor, "n c"]
    jacobian: Float[Tensor, "n c 3"]
    slopes: Float[Tensor, "n c"]
    outputs: Float[Tensor, "n outputs"]
    d_features: Float[Tensor, "n c"]
    d_outputs: Float[Tensor, "n outputs"]
    d_gradient: Float[Tensor, "n 3"]


def field_buffers(
    n: int, layout: HashGridLayout, outputs: int, device: torch.device
) -> FieldBuffers:
    """Uninitialised buffers for n points."""
    half = torch.empty(0, dtype=torch.float16, device=device)
    # Cotangents need bfloat16's range; rows of 16 outputs fill a sector of the memory.
    brain = torch.empty(0, dtype=torch.bfloat16, device=device)
    return FieldBuffers(
        features=channel_buffer(n, layout.channels, half),
        jacobian=jacobian_buffer(n, layout.channels, half),
        slopes=channel_buffer(n, layout.channels, half),
        outputs=half.new_empty((n, -(-outputs // 16) * 16))[:, :outputs],
        d_features=channel_buffer(n, layout.channels, brain),
        d_outputs=brain.new_empty((n, -(-outputs // 16) * 16))[:, :outputs],
        d_gradient=torch.empty((3, n), device=device).t(),
    )


def field_forward(
    points_unit: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    ray_index: Int[Tensor, " n"] | None,
    weights: FieldWeights,
    layout: HashGridLayout,
    scales: tuple[float, float],
    buffers: FieldBuffers,
    output: FieldOutput,
    limit: Int[Tensor, ""] | None = None,
) -> None:
    """Write distance, gradient and colour into `output`; allocates nothing.

    Args:
        ray_index: Row of `directions` for each point; without it, they go together.
        scales: Of sdf and gradient: metres per unit of the first output, and that over the side of
            the cube.
        limit: Points from this index on are padding.
    """
    stages = forward_stages(
        points_unit, directions, ray_index, weights, layout, scales, buffers, output, limit
    )
    for stage in stages.values():
        stage()


def forward_stages(
    points_unit: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    ray_index: Int[Tensor, " n"] | None,
    weights: FieldWeights,
    layout: HashGridLayout,
    scales: tuple[float, float],
    buffers: FieldBuffers,
    output: FieldOutput,
    limit: Int[Tensor, ""] | None = None,
) -> Stages:
    """Return the launches of `field_forward`, in order; each may be called alone, to be timed."""
    b = buffers
    return {
        "encode": lambda: hash_grid_forward(
            points_unit, weights.table, layout, b.features, b.jacobian, limit
        ),
        "sdf head": lambda: sdf_head_forward(
            points_unit, b.features, b.jacobian, weights.sdf, b.outputs, output.gradient,
            b.slopes, output.sdf, POINT_MAP, scales,
        ),
        "colour head": lambda: colour_head_forward(
            b.outputs, output.gradient, directions, weights.colour, output.rgb, ray_index
        ),
    }  # fmt: skip


def field_backward(
    points_unit: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    ray_index: Int[Tensor, " n"] | None,
    weights: FieldWeights,
    layout: HashGridLayout,
    scales: tuple[float, float],
    buffers: FieldBuffers,
    output: FieldOutput,
    d_output: FieldOutput,
    d_weights: FieldWeights,
    run_levels: int = 0,
) -> None:
    """Add to `d_weights`, given what `field_forward` left; allocates nothing.

    Args:
        run_levels: See `hash_grid_backward`.
    """
    stages = backward_stages(
        points_unit, directions, ray_index, weights, layout, scales, buffers, output, d_output,
        d_weights, run_levels,
    )  # fmt: skip
    for stage in stages.values():
        stage()


def backward_stages(
    points_unit: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    ray_index: Int[Tensor, " n"] | None,
    weights: FieldWeights,
    layout: HashGridLayout,
    scales: tuple[float, float],
    buffers: FieldBuffers,
    output: FieldOutput,
    d_output: FieldOutput,
    d_weights: FieldWeights,
    run_levels: int = 0,
) -> Stages:
    """Return the launches of `field_backward`, in order; each may be called alone, to be timed."""
    b = buffers
    return {
        "colour head backward": lambda: colour_head_backward(
            b.outputs, output.gradient, directions, weights.colour, d_output.rgb,
            d_output.gradient, b.d_outputs, b.d_gradient, d_weights.colour, ray_index,
        ),
        "sdf head backward": lambda: sdf_head_backward(
            points_unit, b.features, b.jacobian, weights.sdf, b.d_outputs, b.d_gradient,
            b.d_features, d_weights.sdf, d_output.sdf, POINT_MAP, scales,
        ),
        "encode backward": lambda: hash_grid_backward_outer(
            points_unit, b.d_features, b.slopes, b.d_gradient, layout, d_weights.table,
            run_levels, scales[1],
        ),
    }  # fmt: skip


def field(
    points_unit: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    ray_index: Int[Tensor, " n"] | None,
    table: Float[Tensor, "entries 2"],
    sdf_weights: SdfHeadWeights,
    colour_weights: ColourHeadWeights,
    layout: HashGridLayout,
    scales: tuple[float, float],
    run_levels: int | None = None,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> FieldOutput:
    """Distance, gradient and colour; differentiable in table (float32) and weights."""
    s, c = sdf_weights, colour_weights
    flat = (s.w1, s.b1, s.w2, s.b2, c.w1, c.b1, c.w2, c.b2, c.w3, c.b3)
    half = table.detach().half() if half_table is None else half_table
    if run_levels is None:
        run_levels = min(RUN_LEVELS, layout.levels)
    call = (points_unit.detach(), directions, ray_index, layout, scales, run_levels, half)
    return FieldOutput(*_Field.apply(*call, table, *flat))


def field_sdf(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    scale: float,
) -> Float[Tensor, " n"]:
    """Distance alone, fastest with a float16 table; not differentiable."""
    n = len(points_unit)
    features = hash_grid_value(points_unit, table, layout)
    # The kernel writes all outputs, though only the first is asked for.
    outputs = points_unit.new_empty((n, len(weights.b2)))
    sdf = points_unit.new_empty(n)
    sdf_head_forward(
        points_unit, features, None, weights, outputs, None, None, sdf, POINT_MAP, (scale, 1.0)
    )
    return sdf


class _Field(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, points_unit, directions, ray_index, layout, scales, run_levels, half, table, *flat
    ):
        n, device = len(points_unit), points_unit.device
        weights = FieldWeights(half, SdfHeadWeights(*flat[:4]), ColourHeadWeights(*flat[4:]))
        ctx.buffers = field_buffers(n, layout, len(flat[3]), device)
        # Axis after axis in memory: neighbouring threads read and write neighbouring words.
        vectors = torch.empty((6, n), device=device)
        output = FieldOutput(torch.empty(n, device=device), vectors[:3].t(), vectors[3:].t())
        ctx.call = (points_unit, directions, ray_index, weights, layout, scales, ctx.buffers)
        field_forward(*ctx.call, output)  # type: ignore[call-arg]
        ctx.save_for_backward(output.sdf, output.gradient, output.rgb)
        ctx.run_levels = run_levels
        return output.sdf, output.gradient, output.rgb

    @staticmethod
    def backward(ctx, *d_output):  # type: ignore[no-untyped-def]
        weights = ctx.call[3]
        # Sums of many small parts, which half precision would lose.
        d_table = torch.zeros_like(weights.table, dtype=torch.float32)
        s, c = weights.sdf, weights.colour
        d_flat = [torch.zeros_like(w) for w in (*vars(s).values(), *vars(c).values())]
        d_weights = FieldWeights(
            d_table, SdfHeadWeights(*d_flat[:4]), ColourHeadWeights(*d_flat[4:])
        )
        # Autograd may hand over expanded tensors, whose rows share their memory.
        cotangents = FieldOutput(*(d.contiguous() for d in d_output))
        output = FieldOutput(*ctx.saved_tensors)
        call = (*ctx.call, output, cotangents, d_weights, ctx.run_levels)
        field_backward(*call)  # type: ignore[call-arg]
        return (*(None,) * 7, d_table, *d_flat)
