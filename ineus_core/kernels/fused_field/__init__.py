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
    run_levels: int = 0,
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
            pass: right where neighbouring points are neighbouring samples of a ray.
    """
    return version("fused_field", "triton").field(
        points_unit, directions, ray_index, table, sdf_weights, colour_weights, layout, scales,
        run_levels,
    )  # fmt: skip
