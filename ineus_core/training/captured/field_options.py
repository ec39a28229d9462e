# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Variants of the field that the captured step knows, in the terms of its kernels."""

import torch

from ineus_core.fields import HashSdf, VariantField
from ineus_core.kernels.compositing.gpu import DensityScales
from ineus_core.types import FieldOutput


def density_scales(field: HashSdf) -> DensityScales | None:
    """How the field is a density, if it is one."""
    if not isinstance(field, VariantField) or field.config.kind == "sdf":
        return None
    bias, per_m = field.config.density_bias, 1.0 / field.sdf_scale_m
    return DensityScales(bias, per_m, field.density_factor)


def unseen_inputs(field: HashSdf) -> list[tuple[str, slice]]:
    """Weights of the first layers, and their columns of inputs that the networks may not see."""
    unseen = []
    if not field.config.include_points:
        unseen.append(("w1", slice(0, 3)))
    if field.config.colour == "direction":
        # The normal stands last.
        unseen.append(("colour_w1", slice(-3, None)))
    return unseen


def output_buffers(n: int, device: torch.device) -> FieldOutput:
    """Distance, gradient and colour of n points, or their cotangents, side by side in memory."""
    vectors = torch.zeros((7, n), device=device)
    return FieldOutput(vectors[6], vectors[:3].t(), vectors[3:6].t())
