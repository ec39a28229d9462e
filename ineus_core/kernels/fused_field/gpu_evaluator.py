# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of the field without gradients for NVIDIA GPUs, over buffers that are kept.

What comes out for a point does not depend on the other points of the call, so that surfaces that
are extracted apart meet without a crack.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from ineus_core.kernels.fused_field.gpu import (
    POINT_MAP,
    FieldBuffers,
    field_buffers,
    field_forward,
)
from ineus_core.kernels.hash_grid.gpu import channel_buffer, hash_grid_forward
from ineus_core.kernels.hash_grid.layout import HashGridLayout
from ineus_core.kernels.mlp.gpu import sdf_head_forward
from ineus_core.kernels.mlp.reference import FieldWeights
from ineus_core.types import FieldOutput

_SDF_POINTS = 1 << 21
# Fewer, as the Jacobian takes three times the memory of the features.
_POINTS = 1 << 18
_ROUND = 1024
"""Sizes of launches are multiples, so that no size compiles a kernel of its own."""


class FieldEvaluator:
    """Owns the buffers; a larger call is cut into pieces.

    Args:
        layout: Of the hash grid.
        outputs: Of the SDF network.
        origin_m: Lowest corner of the cube, world.
        side_m: Of the cube.
        sdf_scale_m: Metres of a unit of the network's distance.
    """

    def __init__(
        self,
        layout: HashGridLayout,
        outputs: int,
        origin_m: Float[Tensor, " 3"],
        side_m: float,
        sdf_scale_m: float,
    ) -> None:
        """Allocate nothing yet."""
        self._layout, self._outputs = layout, outputs
        self._origin_m, self._side_m = origin_m, side_m
        self._scales = (sdf_scale_m, sdf_scale_m / side_m)
        self._sdf_buffers: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self._buffers: tuple[Tensor, FieldBuffers] | None = None

    def sdf(self, points: Float[Tensor, "n 3"], weights: FieldWeights) -> Float[Tensor, " n"]:
        """Distance in m at world points."""
        result = torch.empty(len(points), device=points.device)
        # Kept from call to call, as meshing asks in many.
        unit, features, outputs, sdf = self._for_sdf(points.device)
        for first in range(0, len(points), len(unit)):
            rows = points[first : first + len(unit)]
            n = -(-len(rows) // _ROUND) * _ROUND
            self._to_unit(rows, unit)
            hash_grid_forward(unit[:n], weights.table, self._layout, features[:n], None)
            sdf_head_forward(
                unit[:n], features[:n], None, weights.sdf, outputs[:n], None, None, sdf[:n],
                POINT_MAP, (self._scales[0], 1.0),
            )  # fmt: skip
            result[first : first + len(rows)] = sdf[: len(rows)]
        return result

    def evaluate(
        self,
        points: Float[Tensor, "n 3"],
        directions: Float[Tensor, "rays 3"],
        ray_index: Int[Tensor, " n"] | None,
        weights: FieldWeights,
    ) -> FieldOutput:
        """Distance, gradient and colour at world points; see `fused_field.gpu.field_forward`."""
        n, device = len(points), points.device
        unit, buffers = self._for_all(device)
        # Also for no point: strides are what kernels are compiled for.
        room = -(-max(n, 1) // _ROUND) * _ROUND
        vectors = torch.empty((7, room), device=device)
        output = FieldOutput(vectors[6], vectors[:3].t(), vectors[3:6].t())
        if ray_index is None:
            # Rows beyond n are evaluated as well and thrown away, as launches have round sizes.
            directions = pad(directions, (0, 0, 0, room - n))
        else:
            ray_index = pad(ray_index, (0, room - n))
        for first in range(0, n, len(unit)):
            self._to_unit(points[first : first + len(unit)], unit)
            part = slice(first, min(first + len(unit), room))
            rows = part.stop - first
            field_forward(
                unit[:rows],
                directions[part] if ray_index is None else directions,
                None if ray_index is None else ray_index[part],
                weights,
                self._layout,
                self._scales,
                FieldBuffers(*(tensor[:rows] for tensor in vars(buffers).values())),
                FieldOutput(output.sdf[part], output.gradient[part], output.rgb[part]),
            )
        return FieldOutput(output.sdf[:n], output.gradient[:n], output.rgb[:n])

    def _to_unit(self, points: Float[Tensor, "n 3"], unit: Float[Tensor, "capacity 3"]) -> None:
        target = unit[: len(points)]
        torch.sub(points, self._origin_m, out=target)
        target.div_(self._side_m)

    def _for_sdf(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if self._sdf_buffers is None:
            half = torch.empty(0, dtype=torch.float16, device=device)
            width = -(-self._outputs // 16) * 16
            self._sdf_buffers = (
                # Zeros, as rows that only fill a launch up are evaluated, too.
                torch.zeros((3, _SDF_POINTS), device=device).t(),
                channel_buffer(_SDF_POINTS, self._layout.channels, half),
                half.new_empty((_SDF_POINTS, width))[:, : self._outputs],
                torch.empty(_SDF_POINTS, device=device),
            )
        return self._sdf_buffers

    def _for_all(self, device: torch.device) -> tuple[Tensor, FieldBuffers]:
        if self._buffers is None:
            buffers = field_buffers(_POINTS, self._layout, self._outputs, device)
            self._buffers = (torch.zeros((3, _POINTS), device=device).t(), buffers)
        return self._buffers
