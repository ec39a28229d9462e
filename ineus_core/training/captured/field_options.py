# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Field, losses and their options in the terms of the kernels of the captured step."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.fields import HashSdf, VariantField
from ineus_core.kernels.compositing.gpu import DensityScales
from ineus_core.kernels.losses.gpu import LossScales
from ineus_core.kernels.mlp import ColourHeadWeights, FieldWeights, SdfHeadWeights
from ineus_core.training.config import TrainingConfig
from ineus_core.types import FieldOutput


def density_scales(field: HashSdf) -> DensityScales | None:
    """Return how the field is a density, if it is one."""
    if not isinstance(field, VariantField) or field.config.kind == "sdf":
        return None
    bias, per_m = field.config.density_bias, 1.0 / field.sdf_scale_m
    return DensityScales(bias, per_m, field.density_factor)


def unseen_inputs(field: HashSdf) -> list[tuple[str, slice]]:
    """Return weights of the first layers, and their columns that the networks may not see."""
    unseen = []
    if not field.config.include_points:
        # The coordinates stand first.
        unseen.append(("w1", slice(0, 3)))
    if field.config.colour == "direction":
        # The normal stands last.
        unseen.append(("colour_w1", slice(-3, None)))
    return unseen


def field_weights(views: Mapping[str, Tensor], table: Float[Tensor, "entries 2"]) -> FieldWeights:
    """Return parameters by name, or their gradients, as the kernels take them.

    Args:
        views: By name.
        table: In the precision that is wanted.
    """
    sdf = SdfHeadWeights(*(views[name] for name in ("w1", "b1", "w2", "b2")))
    names = (f"colour_{kind}{layer}" for layer in (1, 2, 3) for kind in "wb")
    return FieldWeights(table, sdf, ColourHeadWeights(*(views[name] for name in names)))


def loss_scales(
    config: TrainingConfig,
    weights: Float[Tensor, " terms"],
    truncation_m: float,
    knows_foreground: bool,
    image_background: Float[Tensor, " 3"],
) -> LossScales:
    """Return how the kernels work out the losses of a configuration.

    Args:
        config: Which of the rarer terms may weigh.
        weights: On the device, in the order of `loss_names`.
        truncation_m: Half width of the band around a measured surface.
        knows_foreground: Rays know whether they show the object.
        image_background: Colour behind it in the pictures.
    """
    # Only a random colour has to be put into the pictures as well.
    replaces = knows_foreground and config.background == "random"
    return LossScales(
        weights,
        truncation_m,
        config.sparsity_per_m,
        with_mask=knows_foreground and config.may_weigh("mask"),
        with_opaque=config.may_weigh("opaque"),
        with_sparsity=config.may_weigh("sparsity"),
        image_background=image_background if replaces else None,
        estimate_fades_below=config.estimate_fades_below,
    )


def output_buffers(n: int, device: torch.device) -> FieldOutput:
    """Allocate distance, gradient and colour of n points, or their cotangents, side by side."""
    # Axis by axis, so that neighbouring threads touch neighbouring numbers.
    vectors = torch.zeros((7, n), device=device)
    return FieldOutput(vectors[6], vectors[:3].t(), vectors[3:6].t())
