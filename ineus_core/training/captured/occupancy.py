# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The update of the occupancy grid on an NVIDIA GPU: two dozen launches, replayed as one graph."""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.fields import HashSdf, VariantField
from ineus_core.kernels.fused_field.gpu import field_sdf
from ineus_core.kernels.mlp import FieldWeights
from ineus_core.rendering import OccupancyGrid
from ineus_core.training.captured.capturing import capturing

_FEWEST_CELLS = 1 << 16


class CapturedOccupancyUpdate:
    """`OccupancyGrid.update` from the field's own half-precision table, captured.

    Args:
        field: Whose surface the grid follows.
        weights: Views of its parameters that stay where they are.
        grid: What is updated.
    """

    def __init__(self, field: HashSdf, weights: FieldWeights, grid: OccupancyGrid) -> None:
        """Capture nothing yet."""
        self._field, self._weights, self._grid = field, weights, grid
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured_for: object = None

    def __call__(self, cells: int, generator: torch.Generator) -> None:
        """Renew random cells, as many as given, or those that there are."""
        cells = min(cells, _rounded_up(self._grid.opacity.numel()))
        # The number of cells is a shape of the graph.
        key = (self._grid.captured_key, cells)
        if key != self._captured_for:
            self._capture(cells, generator)
            self._captured_for = key
        assert self._graph is not None
        self._graph.replay()

    def _capture(self, cells: int, generator: torch.Generator) -> None:
        # Compiles the kernels, which a capture may not wait for.
        self._sdf(self._field.origin_m.expand(cells, 3))
        torch.cuda.current_stream().synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # Or each replay would draw the same cells again.
        self._graph.register_generator_state(generator)
        with capturing(self._graph):
            if isinstance(self._field, VariantField) and self._field.config.kind == "density":
                self._grid.update_density(self._density, cells, generator)
                return
            # Worked out within the capture: each replay has the sharpness of its own time.
            inv_s = self._field.inv_s.detach()
            self._grid.update(self._sdf, inv_s, cells, generator)

    def _density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        field = self._field
        assert isinstance(field, VariantField)
        exponent = field.config.density_bias - self._sdf(points) / field.sdf_scale_m
        return torch.exp(exponent) * field.density_factor

    def _sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        field = self._field
        unit = (points - field.origin_m) / field.side_m
        weights = self._weights
        return field_sdf(unit, weights.table, weights.sdf, field.layout, field.sdf_scale_m)


def _rounded_up(cells: int) -> int:
    """Return a power of two, so that only a grid that has doubled is captured anew."""
    return max(_FEWEST_CELLS, 1 << (cells - 1).bit_length())
