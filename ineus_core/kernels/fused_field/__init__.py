# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The whole field at once: hash grid and both heads, over buffers that are kept.

Only Triton has it; elsewhere the parts are called one after the other. A captured step takes the
stages of `gpu.py`.
"""

from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.dispatch import version
from ineus_core.kernels.hash_grid.layout import HashGridLayout
from ineus_core.kernels.mlp.reference import ColourHeadWeights, FieldWeights, SdfHeadWeights
from ineus_core.types import FieldOutput


class FusedField(Protocol):
    """Evaluation of a whole field without gradients, point by point.

    What comes out for a point does not depend, to the last bit, on the other points of the call.
    """

    def sdf(self, points: Float[Tensor, "n 3"], weights: FieldWeights) -> Float[Tensor, " n"]:
        """Return the distance in m at world points."""
        ...

    def evaluate(
        self,
        points: Float[Tensor, "n 3"],
        directions: Float[Tensor, "rays 3"],
        ray_index: Int[Tensor, " n"] | None,
        weights: FieldWeights,
    ) -> FieldOutput:
        """Return distance, gradient and colour at world points.

        Args:
            points: World.
            directions: Unit directions that the colour is seen along.
            ray_index: Row of `directions` for each point; without it, they go together.
            weights: Of the field.
        """
        ...


def fused_field(
    backend: str,
    layout: HashGridLayout,
    outputs: int,
    origin_m: Float[Tensor, " 3"],
    side_m: float,
    sdf_scale_m: float,
) -> FusedField | None:
    """Return the evaluation of a whole field by a backend; None where that has none.

    Args:
        backend: Resolved backend of the field.
        layout: Of the hash grid.
        outputs: Of the SDF network.
        origin_m: Lowest corner of the cube, world.
        side_m: Of the cube.
        sdf_scale_m: Metres of a unit of the network's distance.
    """
    if backend != "triton":
        return None
    from ineus_core.kernels.fused_field.gpu_evaluator import FieldEvaluator

    return FieldEvaluator(layout, outputs, origin_m, side_m, sdf_scale_m)


def differentiable_field(
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
    """Return distance, gradient and colour, differentiable in table (float32) and weights.

    One launch a stage, both ways; needs Triton and a GPU.

    Args:
        points_unit: Points of the unit cube.
        directions: Unit directions that the colour is seen along.
        ray_index: Row of `directions` for each point; without it, they go together.
        table: Of the hash grid.
        sdf_weights: Of the SDF head.
        colour_weights: Of the colour head.
        layout: Of the hash grid.
        scales: Of sdf and gradient: metres per unit of the first output, and that over the side of
            the cube.
        run_levels: How many coarse levels are gathered over neighbouring points in the backward
            pass: right where neighbouring points are neighbouring samples of a ray, as is assumed
            if nothing is said.
        half_table: Its copy in half precision, where somebody keeps one.
    """
    return version("fused_field", "triton").field(
        points_unit, directions, ray_index, table, sdf_weights, colour_weights, layout, scales,
        run_levels, half_table,
    )  # fmt: skip


def differentiable_geometry(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"]]:
    """Return the outputs of the SDF head, and the gradient of the first per unit coordinate.

    Differentiable in table (float32) and weights, as the following ones; all need Triton and a
    GPU, and neighbouring points that are neighbouring samples of a ray to be fast.

    Args:
        points_unit: Points of the unit cube.
        table: Of the hash grid.
        weights: Of the SDF head.
        layout: Of the hash grid.
        half_table: Its copy in half precision, where somebody keeps one.
    """
    from ineus_core.kernels.fused_field import gpu_parts

    return gpu_parts.geometry(points_unit, table, weights, layout, half_table)


def differentiable_outputs(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> Float[Tensor, "n outputs"]:
    """Return the outputs of the SDF head alone; see `differentiable_geometry`."""
    from ineus_core.kernels.fused_field import gpu_parts

    return gpu_parts.outputs(points_unit, table, weights, layout, half_table)


def differentiable_distance(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    weights: SdfHeadWeights,
    layout: HashGridLayout,
    half_table: Float[Tensor, "entries 2"] | None = None,
) -> Float[Tensor, " n"]:
    """Return the first output of the SDF head alone; see `differentiable_geometry`."""
    from ineus_core.kernels.fused_field import gpu_parts

    return gpu_parts.distance(points_unit, table, weights, layout, half_table)


def differentiable_colour(
    geometry_features: Float[Tensor, "n g"],
    directions: Float[Tensor, "n 3"],
    gradient: Float[Tensor, "n 3"],
    weights: ColourHeadWeights,
) -> Float[Tensor, "n 3"]:
    """Return colours, 0 to 1, differentiable in features, gradient and weights.

    Args:
        geometry_features: Outputs of the SDF head.
        directions: Unit directions that the colour is seen along.
        gradient: Of the distance, of any length; 0 stands for no normal.
        weights: Of the colour head.
    """
    from ineus_core.kernels.fused_field import gpu_parts

    return gpu_parts.colour(geometry_features, directions, gradient, weights)
