# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The field in all its variants: by kernels where these know its network, else by plain torch.

The encoding is that of the backend either way.
"""

import math
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ineus_core.errors import ConfigError
from ineus_core.fields.networks import (
    Layer,
    activation,
    network,
    network_with_gradient,
    normalised,
    sphere_layers,
)
from ineus_core.fields.sdf import HashSdf
from ineus_core.kernels.fused_field import (
    FusedField,
    differentiable_colour,
    differentiable_distance,
    differentiable_geometry,
    differentiable_outputs,
)
from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.mlp import SdfHeadWeights, colour_logits
from ineus_core.types import FieldOutput

_KERNEL_WIDTHS = (16, 32, 64)
_TETRAHEDRON = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))


class VariantField(HashSdf):
    """As `HashSdf`, with what `FieldVariantConfig` asks for."""

    channel_weights: Tensor
    """Of each channel of the encoding: 0 while its level has not appeared."""
    tap_offsets: Tensor
    """Where a finite difference looks, as multiples of its step."""
    inv_s_before_cap: Tensor
    """Sharpness when its bound began; 0 until then."""

    def __init__(self, *parts: Any) -> None:
        """Draw the weights; the field is that of step 0."""
        super().__init__(*parts)
        channels = self.w1.shape[1] - 3
        self.register_buffer("channel_weights", torch.ones(channels), persistent=False)
        taps = _offsets(self.config.gradient_taps)
        self.register_buffer("tap_offsets", taps, persistent=False)
        if self.config.inv_s_cap:
            self.register_buffer("inv_s_before_cap", torch.zeros(()))
        self._inv_s_limit: float | None = None
        self._first_inv_s = 0.0
        self._written: list[float] = []
        self._colour_activation = activation(self.config.colour_activation)
        self._density_activation = activation(self.config.density_activation)
        self._feature_activation = activation(self.config.feature_activation)
        self._add_layers()
        self.set_step(0)

    def _add_layers(self) -> None:
        """Further hidden layers, their first weights, and the lengths of normalised ones."""
        config, hidden = self.config, self.config.hidden
        for index in range(1, config.hidden_layers):
            self.register_parameter(f"w1_{index}", nn.Parameter(torch.empty(hidden, hidden)))
            self.register_parameter(f"b1_{index}", nn.Parameter(torch.zeros(hidden)))
        if config.kind == "density" or (self.init == "depth" and config.hidden_layers > 1):
            # A density begins as fog, not as a sphere.
            for name, _ in self._layer_names[:-1]:
                nn.init.kaiming_uniform_(self.get_parameter(name), nonlinearity="relu")
        if config.kind == "density":
            nn.init.xavier_uniform_(self.w2)
            nn.init.zeros_(self.b2)
        elif self.init != "depth" and config.hidden_layers > 1:
            sign = 1.0 if self.init == "object" else -1.0
            sphere_layers(self._layers(), sign, config.sphere_radius)
        if config.kind == "sdf" and not config.include_points and self.init != "depth":
            raise ConfigError(
                f"field.include_points false with field.init {self.init}: the first sphere is a "
                "function of the points; expected true, or field.kind density"
            )
        for name, _ in self._layer_names if config.weight_norm else ():
            length = self.get_parameter(name).detach().norm(dim=1)
            self.register_parameter(f"{name}_length", nn.Parameter(length))

    @property
    def _layer_names(self) -> list[tuple[str, str]]:
        """Names of weights and biases of the network, in their order."""
        between = ((f"w1_{i}", f"b1_{i}") for i in range(1, self.config.hidden_layers))
        return [("w1", "b1"), *between, ("w2", "b2")]

    def _layers(self) -> list[Layer]:
        layers: list[Layer] = []
        for name, bias in self._layer_names:
            weight: Tensor = self.get_parameter(name)
            if hasattr(self, f"{name}_length"):
                weight = normalised(weight, self.get_parameter(f"{name}_length"))
            layers.append((weight, self.get_parameter(bias)))
        return layers

    def _inputs(
        self, unit: Float[Tensor, "n 3"], features: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n inputs"]:
        """Return what the network sees; points that it may not see are 0 and count for nothing."""
        signed = 2 * unit - 1
        signed = signed if self.config.include_points else torch.zeros_like(signed)
        return torch.cat((signed, features), dim=1)

    @cached_property
    def _evaluator(self) -> FusedField | None:
        # The kernels of the whole field know no variant.
        return None

    def set_step(self, step: int) -> None:
        """Show as many levels and octaves as there are at a step, and bound the sharpness."""
        config, layout = self.config, self.layout
        self._levels_seen = config.visible_levels(step, layout.levels)
        hidden = (layout.levels - self._levels_seen) * layout.features
        weights = [1.0] * (layout.channels - hidden) + [0.0] * hidden
        if self._encoding is not None:
            weights += self._encoding.weights_at(step)
        # A copy to the device is made only when a level appears.
        if weights != self._written:
            self._written = weights
            self.channel_weights.copy_(torch.tensor(weights))
        if config.inv_s_cap and step > config.inv_s_cap_from_step:
            self._bound_sharpness(step)

    def step_state(self) -> tuple[object, ...]:
        """Return the visible levels, and the bound of the sharpness if it changes."""
        return (self._levels_seen, self._inv_s_limit)

    def _bound_sharpness(self, step: int) -> None:
        if self._first_inv_s == 0.0:
            # Read once: a look at the device would wait for all it has to do.
            if float(self.inv_s_before_cap) == 0.0:
                self.inv_s_before_cap.copy_(self.inv_s.detach())
            self._first_inv_s = float(self.inv_s_before_cap)
        first, last = self._first_inv_s, self.config.inv_s_cap
        share = step / self.config.inv_s_cap_steps
        self._inv_s_limit = min(share * (last - first) + first, last)

    @property
    def inv_s(self) -> Float[Tensor, ""]:
        """Sharpness of the logistic CDF in 1/m."""
        value = torch.exp(10.0 * self.log_inv_s).clamp(1e-6, 1e6)
        return value if self._inv_s_limit is None else value.clamp(max=self._inv_s_limit)

    @property
    def gradient_step_m(self) -> float:
        """Step of a finite difference: by configuration, or the finest cell seen."""
        if self.config.gradient_step_m or self.layout.levels == 0:
            return self.config.gradient_step_m or self.config.finest_cell_m
        return self.side_m / self.layout.resolutions[max(self._levels_seen, 1) - 1]

    @property
    def _has_kernels(self) -> bool:
        """Whether the kernels know its network: they take any weights, but one hidden layer."""
        config = self.config
        is_usual = config.hidden_layers == 1 and config.hidden_activation == "softplus"
        # Sizes that the tiles of the kernels are made for.
        fits = config.features == 2 and config.hidden in _KERNEL_WIDTHS
        fits = fits and config.geometry_features <= 32
        return config.backend == "triton" and self._encoding is None and is_usual and fits

    def forward(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> FieldOutput:
        """Return distance or density, gradient and colour at world points."""
        return self._evaluated(points, directions, self._has_kernels)

    def by_torch(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> FieldOutput:
        """Return the same by networks in plain torch behind the encoding of any backend."""
        return self._evaluated(points, directions, by_kernels=False)

    def _evaluated(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], by_kernels: bool
    ) -> FieldOutput:
        laplacian = None
        config = self.config
        if config.kind == "density" and config.colour != "radiance" and torch.is_grad_enabled():
            # Nothing that trains asks for the gradient of such a density.
            outputs, gradient = self._outputs(points, by_kernels), torch.zeros_like(points)
        elif config.gradient == "finite_difference":
            outputs, gradient, laplacian = self._by_differences(points, by_kernels)
        else:
            outputs, gradient = self._with_gradient(points, by_kernels)
        rgb = self._colours(outputs, directions, gradient, by_kernels)
        if self.config.kind == "sdf":
            return FieldOutput(outputs[:, 0] * self.sdf_scale_m, gradient, rgb, laplacian)
        density = self._density(outputs)
        return FieldOutput(self._level(outputs), gradient, rgb, laplacian, density)

    def _colours(
        self,
        outputs: Float[Tensor, "n outputs"],
        directions: Float[Tensor, "n 3"],
        gradient: Float[Tensor, "n 3"],
        by_kernels: bool,
    ) -> Float[Tensor, "n 3"]:
        config, features = self.config, self._feature_activation(outputs)
        if config.colour == "plain":
            directions = torch.zeros_like(directions)
        if config.colour != "radiance":
            gradient = torch.zeros_like(gradient)
        if by_kernels and config.colour_activation == "sigmoid":
            return differentiable_colour(features, directions, gradient, self._colour_weights())
        normal = torch.nn.functional.normalize(gradient, dim=1, eps=1e-6)
        logits = colour_logits(features, directions, normal, self._colour_weights())
        return self._colour_activation(logits)

    @torch.no_grad()
    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in m; of a density, what is positive where it is below the threshold."""
        outputs = self._outputs(points, self._has_kernels)
        return (
            outputs[:, 0] * self.sdf_scale_m if self.config.kind == "sdf" else self._level(outputs)
        )

    @torch.no_grad()
    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Extinction in 1/m at world points, of a field of kind density."""
        return self._density(self._outputs(points, self._has_kernels))

    def _density(self, outputs: Float[Tensor, "n outputs"]) -> Float[Tensor, " n"]:
        raw = self.config.density_bias - outputs[:, 0]
        return self._density_activation(raw) * self.density_factor

    @property
    def density_factor(self) -> float:
        """1/m of the unit that the network counts in: half the side."""
        return 2.0 / self.side_m

    def _level(self, outputs: Float[Tensor, "n outputs"]) -> Float[Tensor, " n"]:
        threshold, bias = self.config.density_threshold, self.config.density_bias
        if self.config.density_activation != "trunc_exp":
            raw = self._density_activation(bias - outputs[:, 0])
            return (threshold - raw) * self.sdf_scale_m
        # The logarithm changes evenly through a surface, so vertices between voxels are exact.
        return (outputs[:, 0] + math.log(threshold) - bias) * self.sdf_scale_m

    def _kernel_call(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Tensor, Tensor, SdfHeadWeights, HashGridLayout, Tensor | None]:
        """Return what the kernels take; what the network may not see yet has weights of 0."""
        (w1, b1), (w2, b2) = self._layers()
        shares = torch.nn.functional.pad(
            self.channel_weights, (3, 0), value=float(self.config.include_points)
        )
        weights = SdfHeadWeights(w1 * shares, b1, w2, b2)
        unit = self._unit_from_world(points)
        return unit, self.table, weights, self.layout, self._half_table

    def _with_gradient(
        self, points: Float[Tensor, "n 3"], by_kernels: bool
    ) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"]]:
        """Return outputs of the network, and the gradient of the distance that the first is."""
        if by_kernels:
            outputs, gradient = differentiable_geometry(*self._kernel_call(points))
            return outputs, gradient * (self.sdf_scale_m / self.side_m)
        unit = self._unit_from_world(points)
        features, jacobian = self._features(unit)
        inputs = self._inputs(unit, features)
        outputs, slopes = network_with_gradient(
            inputs, self._layers(), self.config.hidden_activation
        )
        gradient = (slopes[:, 3:, None] * jacobian).sum(dim=1)
        if self.config.include_points:
            gradient = gradient + 2.0 * slopes[:, :3]
        return outputs, gradient * (self.sdf_scale_m / self.side_m)

    def _features(
        self, unit: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c 3"]]:
        parts = []
        if self.layout.levels:
            parts.append(self._encode(unit, self.table, self.layout))
        if self._encoding is not None:
            features, jacobian = self._encoding(2 * unit - 1)
            parts.append((features, 2.0 * jacobian))
        features, jacobian = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return features * self.channel_weights, jacobian * self.channel_weights[:, None]

    def _outputs(
        self, points: Float[Tensor, "n 3"], by_kernels: bool
    ) -> Float[Tensor, "n outputs"]:
        if by_kernels:
            return differentiable_outputs(*self._kernel_call(points))
        unit = self._unit_from_world(points)
        parts = []
        if self.layout.levels and not torch.is_grad_enabled():
            parts.append(self._encode_value(unit, self.table, self.layout))
        elif self.layout.levels:
            # Of some backends, only the encoding with Jacobian is differentiable.
            parts.append(self._encode(unit, self.table, self.layout)[0])
        if self._encoding is not None:
            parts.append(self._encoding(2 * unit - 1)[0])
        features = torch.cat(parts, dim=1) * self.channel_weights
        return network(self._inputs(unit, features), self._layers(), self.config.hidden_activation)

    def _by_differences(
        self, points: Float[Tensor, "n 3"], by_kernels: bool
    ) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Return outputs of the head, gradient and Laplacian of the distance in metres."""
        offsets = self.tap_offsets * self.gradient_step_m
        taps = (points[None] + offsets[:, None]).view(-1, 3)
        if by_kernels:
            # Only the points themselves have a colour, and so need more than the distance.
            outputs = self._outputs(points, by_kernels)
            at, around = outputs[:, 0], differentiable_distance(*self._kernel_call(taps))
        else:
            both = self._outputs(torch.cat((points, taps)), by_kernels)
            outputs = both[: len(points)]
            at, around = both[: len(points), 0], both[len(points) :, 0]
        around = around.view(len(offsets), len(points)) * self.sdf_scale_m
        gradient, laplacian = differences(at * self.sdf_scale_m, around, offsets)
        return outputs, gradient, laplacian


def _offsets(taps: int) -> Float[Tensor, "taps 3"]:
    """Where a finite difference looks, as multiples of its step."""
    if taps == 4:
        return torch.tensor(_TETRAHEDRON) / 3**0.5
    return torch.cat((torch.eye(3), -torch.eye(3)))


def differences(
    at: Float[Tensor, " n"],
    around: Float[Tensor, "taps n"],
    offsets: Float[Tensor, "taps 3"],
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """Gradient and Laplacian from values at a point and around it.

    Args:
        offsets: Where, from the point: both ways along each axis, or the corners of a tetrahedron
            (Neuralangelo, eq. 5). Their squares have the same sum along every axis.
    """
    along_axis = offsets.square().sum(dim=0)[0]
    gradient = torch.einsum("tn,tk->nk", around, offsets) / along_axis
    laplacian = 2.0 * (around - at).sum(dim=0) / along_axis
    return gradient, laplacian
