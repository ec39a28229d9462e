# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The field in all its variants, in plain torch around the encoding of any backend."""

import math
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ineus_core.errors import ConfigError
from ineus_core.fields.frequency import frequency, octave_weights
from ineus_core.fields.networks import (
    Layer,
    activation,
    network,
    network_with_gradient,
    normalised,
    sphere_layers,
)
from ineus_core.fields.sdf import HashSdf
from ineus_core.kernels.fused_field import FusedField
from ineus_core.kernels.mlp import colour_logits
from ineus_core.types import FieldOutput

_TETRAHEDRON = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))


class VariantField(HashSdf):
    """As `HashSdf`, with what `FieldVariantConfig` asks for."""

    channel_weights: Tensor
    """Of each channel of the encoding: 0 while its level has not appeared."""
    inv_s_before_cap: Tensor
    """Sharpness when its bound began; 0 until then."""

    def __init__(self, *parts: Any) -> None:
        """Draw the weights; the field is that of step 0."""
        super().__init__(*parts)
        channels = self.layout.channels + self.config.frequency_channels
        self.register_buffer("channel_weights", torch.ones(channels), persistent=False)
        if self.config.inv_s_cap:
            self.register_buffer("inv_s_before_cap", torch.zeros(()))
        self._inv_s_limit: float | None = None
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
        """What the network sees; points that it may not see are 0 and so count for nothing."""
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
        if config.encoding != "hash":
            for weight in octave_weights(step, config.octave_steps, config.octaves):
                weights += [weight] * 6
        if weights != self._written:
            self._written = weights
            self.channel_weights.copy_(torch.tensor(weights))
        if config.inv_s_cap and step > config.inv_s_cap_from_step:
            self._bound_sharpness(step)

    def _bound_sharpness(self, step: int) -> None:
        if float(self.inv_s_before_cap) == 0.0:
            self.inv_s_before_cap.copy_(self.inv_s.detach())
        first, last = float(self.inv_s_before_cap), self.config.inv_s_cap
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

    def forward(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> FieldOutput:
        """Distance or density, gradient and colour at world points seen along unit directions."""
        laplacian = None
        config = self.config
        if config.kind == "density" and config.colour != "radiance" and torch.is_grad_enabled():
            # Nothing that trains asks for the gradient of such a density.
            outputs, gradient = self._outputs(points), torch.zeros_like(points)
        elif config.gradient == "finite_difference":
            outputs, gradient, laplacian = self._by_differences(points)
        else:
            outputs, gradient = self._with_gradient(points)
        normal = torch.nn.functional.normalize(gradient, dim=1, eps=1e-6)
        if config.colour != "radiance":
            normal = torch.zeros_like(normal)
        if config.colour == "plain":
            directions = torch.zeros_like(directions)
        logits = colour_logits(
            self._feature_activation(outputs), directions, normal, self._colour_weights()
        )
        rgb = self._colour_activation(logits)
        if self.config.kind == "sdf":
            return FieldOutput(outputs[:, 0] * self.sdf_scale_m, gradient, rgb, laplacian)
        density = self._density(outputs)
        return FieldOutput(self._level(outputs), gradient, rgb, laplacian, density)

    @torch.no_grad()
    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in m; of a density, what is positive where it is below the threshold."""
        outputs = self._outputs(points)
        return (
            outputs[:, 0] * self.sdf_scale_m if self.config.kind == "sdf" else self._level(outputs)
        )

    @torch.no_grad()
    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Extinction in 1/m at world points, of a field of kind density."""
        return self._density(self._outputs(points))

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

    def _with_gradient(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"]]:
        """Outputs of the network, and the gradient of the distance that the first of them is."""
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
        if self.config.encoding != "hash":
            features, jacobian = frequency(2 * unit - 1, self.config.octaves)
            parts.append((features, 2.0 * jacobian))
        features, jacobian = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return features * self.channel_weights, jacobian * self.channel_weights[:, None]

    def _outputs(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n outputs"]:
        unit = self._unit_from_world(points)
        parts = []
        if self.layout.levels and not torch.is_grad_enabled():
            parts.append(self._encode_value(unit, self.table, self.layout))
        elif self.layout.levels:
            # Of some backends, only the encoding with Jacobian is differentiable.
            parts.append(self._encode(unit, self.table, self.layout)[0])
        if self.config.encoding != "hash":
            parts.append(frequency(2 * unit - 1, self.config.octaves)[0])
        features = torch.cat(parts, dim=1) * self.channel_weights
        return network(self._inputs(unit, features), self._layers(), self.config.hidden_activation)

    def _by_differences(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n outputs"], Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Outputs of the head, gradient and Laplacian of the distance in metres."""
        step_m = self.gradient_step_m
        offsets = _offsets(self.config.gradient_taps).to(points) * step_m
        taps = (points[None] + offsets[:, None]).view(-1, 3)
        both = self._outputs(torch.cat((points, taps)))
        outputs = both[: len(points)]
        distance = both[:, 0].view(1 + len(offsets), len(points)) * self.sdf_scale_m
        at, around = distance[0], distance[1:]
        gradient, laplacian = differences(at, around, offsets)
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
