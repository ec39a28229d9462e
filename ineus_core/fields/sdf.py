# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The signed distance field with colour: hash grid, two heads and the sharpness of the surface."""

import logging
import math
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import BeforeValidator
from pydantic import Field as Setting
from torch import Tensor, nn

from ineus_core.fields.encodings import make_encoding
from ineus_core.fields.variant_config import FieldVariantConfig
from ineus_core.kernels.fused_field import FusedField, differentiable_field, fused_field
from ineus_core.kernels.hash_grid import Encode, EncodeValue, HashGridLayout
from ineus_core.kernels.mlp import (
    SH_CHANNELS,
    ColourHeadWeights,
    FieldWeights,
    SdfHeadWeights,
    colour_head,
    sdf_head,
    sdf_head_value,
)
from ineus_core.types import FieldOutput

Initialisation = Literal["depth", "object", "room"]
_LOG = logging.getLogger(__name__)


def _present_name(init: Any) -> Any:
    if init == "free":
        _LOG.warning("field.init free is now called depth")
        return "depth"
    return init


class FieldConfig(FieldVariantConfig):
    """Size and start of the field."""

    backend: Literal["auto", "torch", "numba", "triton", "tcnn"] = Setting(
        "auto",
        description="Implementation; auto = triton on a GPU and numba on a CPU, or torch where "
        "these are not installed.",
    )
    init: Annotated[Literal["auto", "depth", "object", "room"], BeforeValidator(_present_name)] = (
        Setting(
            "auto",
            description="First surface: depth (none, a sensor measures it), object (a sphere seen "
            "from outside), room (a sphere seen from inside); auto decides by the first frames.",
        )
    )
    levels: int = Setting(0, ge=0, le=32, description="Levels of the hash grid; 0 = by device.")
    features: int = Setting(2, ge=1, le=8, description="Features of a table entry.")
    log2_entries: int = Setting(
        0,
        ge=0,
        le=24,
        description="Base-2 logarithm of the table entries of a level; 0 = by device.",
    )
    coarsest_cell_m: float = Setting(
        0.0,
        ge=0,
        description="Cell of the coarsest level in m; "
        "0 = 1/32 of the side for init object and room, else 0.64.",
    )
    finest_cell_m: float = Setting(
        0.0,
        ge=0,
        description="Cell of the finest level in m; "
        "0 = 1/2048 of the side for init object and room, else the voxel.",
    )
    extent_m: float = Setting(
        128.0,
        gt=0,
        description="Side in m of the cube around the first camera in which a stream may map; at "
        "most 32,768 of the finest cells.",
    )
    hidden: int = Setting(64, ge=8, le=256, description="Width of both networks.")
    geometry_features: int = Setting(
        13,
        ge=1,
        le=64,
        description="Outputs of the SDF network, the distance included, that colour sees.",
    )
    sphere_radius: float = Setting(
        0.5, gt=0, le=1, description="Radius of the first sphere as a share of half the side."
    )
    initial_inv_s: float = Setting(
        0.0,
        ge=0,
        description="First sharpness in 1/m; 0 = for init object 40 and for room 200 by the side, "
        "else 80.",
    )


class HashSdf(nn.Module):
    """Signed distance and colour over a cube of space.

    Args:
        config: Sizes, with every automatic value resolved.
        layout: Of the hash grid over the cube.
        centre_m: Centre of the cube, world.
        side_m: Side of the cube.
        init: First surface.
        encode: Hash grid with Jacobian.
        encode_value: Hash grid without.
    """

    origin_m: Tensor
    """Lowest corner of the cube, world."""

    def __init__(
        self,
        config: FieldConfig,
        layout: HashGridLayout,
        centre_m: Float[Tensor, " 3"],
        side_m: float,
        init: Initialisation,
        encode: Encode,
        encode_value: EncodeValue,
    ) -> None:
        """Draw the weights from torch's generator."""
        super().__init__()
        self.config, self.layout, self.side_m, self.init = config, layout, side_m, init
        # Distances of a first sphere grow with the cube; those of a stream do not.
        self.sdf_scale_m = 1.0 if init == "depth" else side_m / 2
        self._encode, self._encode_value = encode, encode_value
        self._half_table: Tensor | None = None
        self.background: nn.Module | None = None
        """What rays see behind the cube, where that is learned: a `fields.Background`."""
        self._held_box_m: Tensor | None = None
        self.register_buffer("origin_m", centre_m.float() - side_m / 2)
        self._encoding = make_encoding(config.encoding, config)
        """What stands beside the hash grid or for it, if anything does."""
        own_channels = 0 if self._encoding is None else self._encoding.channels
        inputs = 3 + layout.channels + own_channels
        hidden, outputs = config.hidden, config.geometry_features
        self.table = nn.Parameter(
            # Nearly nothing, so that the first surface is that of the coordinates (instant-ngp,
            # section 4).
            torch.empty(layout.entries, layout.features).uniform_(-1e-4, 1e-4)
        )
        self.w1 = nn.Parameter(torch.empty(hidden, inputs))
        self.b1 = nn.Parameter(torch.zeros(hidden))
        self.w2 = nn.Parameter(torch.empty(outputs, hidden))
        self.b2 = nn.Parameter(torch.zeros(outputs))
        colour_inputs = outputs + SH_CHANNELS + 3
        self.colour_w1 = nn.Parameter(torch.empty(hidden, colour_inputs))
        self.colour_b1 = nn.Parameter(torch.zeros(hidden))
        self.colour_w2 = nn.Parameter(torch.empty(hidden, hidden))
        self.colour_b2 = nn.Parameter(torch.zeros(hidden))
        self.colour_w3 = nn.Parameter(torch.empty(3, hidden))
        self.colour_b3 = nn.Parameter(torch.zeros(3))
        # inv_s = exp(10 v), as in NeuS: the factor lets one learning rate serve all decades.
        self.log_inv_s = nn.Parameter(torch.tensor(math.log(config.initial_inv_s) / 10.0))
        self._initialise(config.sphere_radius)

    def _initialise(self, sphere_radius: float) -> None:
        for weight in (self.colour_w1, self.colour_w2, self.colour_w3):
            nn.init.kaiming_uniform_(weight, nonlinearity="relu")
        hidden = len(self.w1)
        with torch.no_grad():
            if self.init == "depth":
                nn.init.kaiming_uniform_(self.w1, nonlinearity="relu")
                nn.init.xavier_uniform_(self.w2)
                # Free for metres around the centre: unseen space near the camera is no surface.
                # Coordinates count from the start: leaving them out made short runs worse.
                self.b2[0] = 0.1
                return
            # Sphere by construction (Atzmon & Lipman 2020, SAL): |x| - r, from outside or inside.
            sign = 1.0 if self.init == "object" else -1.0
            self.w1.zero_()
            # Rows spread evenly instead of at random: the mean of relu(r n.x) over directions n is
            # r |x| / 4, so the sum below is |x| within a few percent for 64 rows already.
            reach = math.sqrt(16.0 / (math.pi * hidden))
            self.w1[:, :3] = reach * _spread_directions(hidden)
            # All rows alike but for a trace, which tells the units apart when training begins.
            self.w2.normal_(sign * math.sqrt(math.pi / hidden), 1e-4)
            self.b2.fill_(-sign * sphere_radius)

    @property
    def inv_s(self) -> Float[Tensor, ""]:
        """Sharpness of the logistic CDF in 1/m."""
        # Bounded, as a sharpness that runs away would be infinite after some steps.
        return torch.exp(10.0 * self.log_inv_s).clamp(1e-6, 1e6)

    @property
    def _fused(self) -> FusedField | None:
        """Evaluation without gradients, where the backend has one and nothing lies behind."""
        return self._evaluator if self.background is None else None

    @cached_property
    def _evaluator(self) -> FusedField | None:
        # Made when it is first asked for, as the field lies on its device by then.
        return fused_field(
            self.config.backend, self.layout, self.config.geometry_features, self.origin_m,
            self.side_m, self.sdf_scale_m,
        )  # fmt: skip

    @property
    def _has_kernels(self) -> bool:
        """Whether its backend evaluates it with gradients as a whole."""
        return self.config.backend == "triton"

    @property
    def half_table(self) -> Float[Tensor, "entries features"] | None:
        """The table in half precision, where somebody keeps a copy."""
        return self._half_table

    def read_half_table(self, half_table: Float[Tensor, "entries features"]) -> None:
        """Read the table in half precision, from a copy that whoever trains keeps up to date."""
        self._half_table = half_table

    def set_step(self, step: int) -> None:
        """Be what the field is at a step; the usual one is always the same."""

    def step_state(self) -> tuple[object, ...]:
        """Return what `set_step` has decided on the host, which a recorded step bakes in."""
        return ()

    def forward(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> FieldOutput:
        """Return distance, gradient and colour at world points seen along unit directions."""
        if self._fused is not None and not torch.is_grad_enabled():
            return self._fused.evaluate(points, directions, None, self._all_weights())
        if not self._has_kernels:
            return self.by_torch(points, directions)
        scales = (self.sdf_scale_m, self.sdf_scale_m / self.side_m)
        return differentiable_field(
            self._unit_from_world(points), directions, None, self.table, self._sdf_weights(),
            self._colour_weights(), self.layout, scales, half_table=self._half_table,
        )  # fmt: skip

    def by_torch(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> FieldOutput:
        """Return the same by networks in plain torch behind the encoding of any backend."""
        unit = self._unit_from_world(points)
        features, jacobian = self._encode(unit, self.table, self.layout)
        outputs, gradient = sdf_head(2 * unit - 1, features, jacobian, self._sdf_weights())
        gradient = gradient * (self.sdf_scale_m / self.side_m)
        normal = torch.nn.functional.normalize(gradient, dim=1, eps=1e-6)
        rgb = colour_head(outputs, directions, normal, self._colour_weights())
        return FieldOutput(outputs[:, 0] * self.sdf_scale_m, gradient, rgb)

    @torch.no_grad()
    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in m at world points."""
        if self._fused is not None:
            return self._fused.sdf(points, self._all_weights())
        unit = self._unit_from_world(points)
        features = self._encode_value(unit, self.table, self.layout)
        outputs = sdf_head_value(2 * unit - 1, features, self._sdf_weights())
        return outputs[:, 0] * self.sdf_scale_m

    @torch.no_grad()
    def along_rays(
        self,
        points: Float[Tensor, "n 3"],
        directions: Float[Tensor, "rays 3"],
        ray_index: Int[Tensor, " n"],
    ) -> FieldOutput:
        """Return what `forward` says of points seen along the rays they lie on."""
        if self._fused is not None:
            return self._fused.evaluate(points, directions, ray_index, self._all_weights())
        return self(points, directions[ray_index])

    @property
    def is_pointwise(self) -> bool:
        """Whether a result does not depend, to the last bit, on the other points of the call."""
        return self._fused is not None

    @property
    def held_box_m(self) -> Float[Tensor, "2 3"]:
        """The cube, outside of which the field is not defined, on the host."""
        if self._held_box_m is None:
            # Read once: a look at the device would wait for all it has to do.
            self._held_box_m = torch.stack((self.origin_m, self.origin_m + self.side_m)).cpu()
        return self._held_box_m

    def holds(self, aabb: Float[Tensor, "2 3"]) -> bool:
        """Decide whether a box lies in the cube, outside of which the field is not defined."""
        low, high = self.held_box_m
        return bool((aabb[0] >= low).all() and (aabb[1] <= high).all())

    def _unit_from_world(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return (points - self.origin_m) / self.side_m

    def _sdf_weights(self) -> SdfHeadWeights:
        return SdfHeadWeights(self.w1, self.b1, self.w2, self.b2)

    def _all_weights(self) -> FieldWeights:
        table = self.table if self._half_table is None else self._half_table
        sdf, colour = self._sdf_weights(), self._colour_weights()
        return FieldWeights(table.detach(), sdf, colour)

    def _colour_weights(self) -> ColourHeadWeights:
        return ColourHeadWeights(
            self.colour_w1,
            self.colour_b1,
            self.colour_w2,
            self.colour_b2,
            self.colour_w3,
            self.colour_b3,
        )


def _spread_directions(count: int) -> Float[Tensor, "count 3"]:
    """Return unit vectors evenly over the sphere, on a Fibonacci spiral (Gonzalez 2010)."""
    index = torch.arange(count) + 0.5
    height = 1 - 2 * index / count
    turn = math.pi * (1 + math.sqrt(5.0)) * index
    radius = (1 - height * height).sqrt()
    return torch.stack((radius * turn.cos(), radius * turn.sin(), height), dim=1)
