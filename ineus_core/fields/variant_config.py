# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Options of a field: kind, encoding, gradient, schedules.

With another than usual it is a `VariantField`, of which the kernels know parts.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic import Field as Setting

from ineus_core.config_model import ConfigModel
from ineus_core.fields.encodings import known_encoding
from ineus_core.fields.networks import ACTIVATIONS


class FieldVariantConfig(ConfigModel):
    """Kind, encoding, gradient and schedules of a field; anything else than usual is slower."""

    kind: Literal["sdf", "density"] = Setting(
        "sdf", description="Signed distance (NeuS) or a density (NeRF), which makes rough meshes."
    )
    encoding: Annotated[str, AfterValidator(known_encoding)] = Setting(
        "hash",
        description="Encoding of points, beside the points themselves. One of: hash, frequency, "
        "both.",
    )
    octaves: int = Setting(
        6,
        ge=1,
        le=16,
        description="Sines and cosines of a frequency encoding, each twice as fast.",
    )
    octave_steps: int = Setting(
        0, ge=0, description="Steps over which these appear, slow ones first; 0 = at once."
    )
    start_levels: int = Setting(
        0, ge=0, le=32, description="Hash levels seen at first, coarse ones; 0 = all."
    )
    levels_from_step: int = Setting(
        0, ge=0, description="Step from which further levels appear one by one."
    )
    steps_per_level: int = Setting(1000, ge=1, description="Steps until the next level appears.")
    gradient: Literal["analytic", "finite_difference"] = Setting(
        "analytic",
        description="How the gradient of the distance is found; finite_difference sees as far as "
        "its step and also gives the curvature.",
    )
    gradient_taps: Literal[4, 6] = Setting(
        6, description="Points of a finite difference: along the axes, or a tetrahedron."
    )
    gradient_step_m: float = Setting(
        0.0,
        ge=0,
        description="Step of a finite difference in m; 0 = the cell of the finest level seen.",
    )
    include_points: bool = Setting(
        True, description="Whether the network also sees the points themselves."
    )
    hidden_layers: int = Setting(
        1, ge=1, le=8, description="Hidden layers of the network of distance or density."
    )
    hidden_activation: Literal["softplus", "relu"] = Setting(
        "softplus", description="What follows these layers; softplus is that of 100 x."
    )
    weight_norm: bool = Setting(
        False, description="Whether lengths and directions of its weights are trained apart."
    )
    colour: Literal["radiance", "direction", "plain"] = Setting(
        "radiance",
        description="Colour by geometry features, direction and normal, without the normal, or by "
        "features alone.",
    )
    colour_activation: str = Setting(
        "sigmoid",
        pattern=ACTIVATIONS,
        description="What follows the colour network: sigmoid, none, tanh, relu, softplus, "
        "trunc_exp, lin2srgb, scaleX and clampX (bounded to 0..X, scaleX over X), mulX, +X, -X.",
    )
    feature_activation: str = Setting(
        "none",
        pattern=ACTIVATIONS,
        description="What follows the geometry features before the colour sees them.",
    )
    density_activation: str = Setting(
        "trunc_exp", pattern=ACTIVATIONS, description="What makes a density of its output."
    )
    inv_s_cap: float = Setting(
        0.0, ge=0, description="Upper bound of the sharpness in 1/m, reached slowly; 0 = none."
    )
    inv_s_cap_from_step: int = Setting(
        0, ge=0, description="Step after which the sharpness is bounded."
    )
    inv_s_cap_steps: int = Setting(
        20000, ge=1, description="Step at which the bound, rising evenly, is inv_s_cap."
    )
    density_bias: float = Setting(
        -1.0, description="Added to the network's output before density_activation."
    )
    density_threshold: float = Setting(
        5.0, gt=0, description="Density at which a mesh lies, in 1 over half the side of the box."
    )

    @property
    def unusual_option(self) -> str:
        """The first option that is not as usual, empty if all are."""
        usual = FieldVariantConfig()
        for name in FieldVariantConfig.model_fields:
            if getattr(self, name) != getattr(usual, name):
                return f"field.{name}"
        return ""

    @property
    def option_without_step(self) -> str:
        """The first option that the captured step of a GPU does not know, empty if none."""
        usual = FieldVariantConfig()
        known = ["kind", "density_bias", "density_threshold", "include_points"]
        known += ["colour"] if self.colour == "direction" else []
        as_usual = {name: getattr(usual, name) for name in known}
        return self.model_copy(update=as_usual).unusual_option

    def visible_levels(self, step: int, levels: int) -> int:
        """Levels of the hash grid that count at a step."""
        if self.start_levels == 0:
            return levels
        more = max(step - self.levels_from_step, 0) // self.steps_per_level
        return min(self.start_levels + more, levels)
