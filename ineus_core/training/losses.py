# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The terms of the loss, each a mean over what it applies to, and their weights."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays


class LossWeights(ConfigModel):
    """Weight of each term; 0 turns it off."""

    photometric: float = Field(4.0, ge=0, description="L1 of composited colour, 0 to 1.")
    depth: float = Field(0.1, ge=0, description="L1 of composited range over the truncation.")
    band: float = Field(
        5.0, ge=0, description="L1 of the distance over the truncation, near measured surface."
    )
    free_space: float = Field(
        1.0,
        ge=0,
        description="Violation of what the ray says about the distance before the band, over the "
        "truncation.",
    )
    eikonal: float = Field(0.1, ge=0, description="Squared error of the gradient's length.")
    background: float = Field(
        0.0, ge=0, description="Opacity of rays that a mask or a plain background says are empty."
    )


@dataclass(frozen=True)
class LossTerms:
    """Unweighted terms, 0-d."""

    photometric: Float[Tensor, ""]
    depth: Float[Tensor, ""]
    band: Float[Tensor, ""]
    free_space: Float[Tensor, ""]
    eikonal: Float[Tensor, ""]

    def total(self, weights: LossWeights) -> Float[Tensor, ""]:
        """Weighted sum."""
        terms = (getattr(weights, f.name) * getattr(self, f.name) for f in fields(self))
        return torch.stack(list(terms)).sum()

    def stacked(self) -> Float[Tensor, " terms"]:
        """All terms in the order of their names, detached."""
        return torch.stack([getattr(self, f.name).detach() for f in fields(self)])


LOSS_NAMES = tuple(f.name for f in fields(LossTerms))


def masked_mean(values: Float[Tensor, "*n"], mask: Bool[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Mean over the masked entries; 0 where there is none."""
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


def loss_terms(
    batch: RayBatch,
    samples: RaySamples,
    output: FieldOutput,
    rendered: RenderedRays,
    truncation_m: float,
) -> LossTerms:
    """All terms of a rendered batch."""
    band, free_space = _distance_terms(batch, samples, output.sdf, truncation_m)
    seen = batch.valid & (samples.count > 0)
    colour_error = (rendered.rgb - batch.rgb).abs().mean(dim=1)
    range_error = (rendered.range_m - batch.range_m).abs() / truncation_m
    gradient_length = torch.linalg.vector_norm(output.gradient, dim=1)
    return LossTerms(
        photometric=masked_mean(colour_error, seen),
        depth=masked_mean(range_error.clamp(max=5.0), seen & batch.has_depth),
        band=band,
        free_space=free_space,
        eikonal=masked_mean((gradient_length - 1.0) ** 2, samples.valid),
    )


def _distance_terms(
    batch: RayBatch, samples: RaySamples, sdf: Float[Tensor, " samples"], truncation_m: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    ray = samples.ray_index
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)
    along_m = batch.range_m[ray] - t_mid
    measured = batch.has_depth[ray] & samples.valid
    # Distance to the surface is shorter than along a slanted ray by the cosine of incidence.
    cosine = -(batch.directions * batch.normal).sum(dim=1)
    known = (batch.normal != 0).any(dim=1)
    cosine = torch.where(known, cosine.clamp(0.1, 1.0), torch.ones_like(cosine))[ray]
    # Sensor noise grows with the square of the range, so far returns weigh less.
    weight = (1.0 / (1.0 + (batch.range_m / 4.0) ** 2))[ray]
    in_band = measured & (along_m.abs() <= truncation_m)
    band_error = weight * (sdf - along_m * cosine).abs() / truncation_m
    before = measured & (along_m > truncation_m)
    # No surface is nearer than the band, none farther than the return itself.
    too_near = torch.relu(truncation_m * cosine - sdf)
    too_far = torch.relu(sdf - along_m)
    free_error = (too_near + too_far) / truncation_m
    return masked_mean(band_error, in_band), masked_mean(free_error, before)
