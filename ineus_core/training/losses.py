# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The terms of the loss, each a mean over what it applies to, and their weights."""

from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import AfterValidator, Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.training.regularisers import (
    curvature_error,
    distortion_error,
    mask_error,
    masked_mean,
    opaque_error,
    sparsity_error,
)
from ineus_core.training.schedules import ramp
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays

__all__ = [
    "LOSS_NAMES",
    "LossRamps",
    "LossTerms",
    "LossWeights",
    "loss_terms",
    "masked_mean",
    "over_colour",
]


class LossWeights(ConfigModel):
    """Weight of each term; 0 turns it off."""

    photometric: float = Field(4.0, ge=0, description="L1 of composited colour, 0 to 1.")
    depth: float = Field(0.1, ge=0, description="L1 of composited range over the truncation.")
    band: float = Field(
        10.0, ge=0, description="L1 of the distance over the truncation, near measured surface."
    )
    free_space: float = Field(
        10.0,
        ge=0,
        description="Violation of what the ray says about the distance before the band, over the "
        "truncation.",
    )
    eikonal: float = Field(
        -1.0,
        ge=-1,
        description="Squared error of the gradient's length; below 0 = 0.3 in a room without "
        "depth, whose plain walls it flattens, else 0.1.",
    )
    photometric_mse: float = Field(
        0.0, ge=0, description="Squared error of composited colour, 0 to 1."
    )
    mask: float = Field(
        0.0,
        ge=0,
        description="Cross entropy of a ray's opacity where a mask or alpha says what is object.",
    )
    opaque: float = Field(0.0, ge=0, description="Entropy of a ray's opacity.")
    sparsity: float = Field(
        0.0, ge=0, description="exp(-s |sdf|) at the samples, with s of sparsity_per_m."
    )
    curvature: float = Field(
        0.0,
        ge=0,
        description="Absolute Laplacian of the distance in 1/m; needs field.gradient "
        "finite_difference.",
    )
    distortion: float = Field(
        0.0, ge=0, description="Spread in m of a ray's weights along it (Mip-NeRF 360)."
    )
    distortion_background: float = Field(
        0.0, ge=0, description="The same of a learned background."
    )


def _is_ramp(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) not in (0, 4) or min(values, default=0) < 0:
        raise ValueError("expected nothing, or step, weight, weight, later step; none below 0")
    if values and values[3] <= values[0]:
        raise ValueError("the last step is not after the first")
    return values


_Ramp = Annotated[tuple[float, ...], AfterValidator(_is_ramp)]


def _of(term: str) -> Any:
    about = f"[step, weight up to it, last weight, its step] of {term}; empty = as in weights."
    return Field((), description=about)


class LossRamps(ConfigModel):
    """Weights that change from one step to another, instead of those of the same name."""

    photometric: _Ramp = _of("photometric")
    depth: _Ramp = _of("depth")
    band: _Ramp = _of("band")
    free_space: _Ramp = _of("free_space")
    eikonal: _Ramp = _of("eikonal")
    photometric_mse: _Ramp = _of("photometric_mse")
    mask: _Ramp = _of("mask")
    opaque: _Ramp = _of("opaque")
    sparsity: _Ramp = _of("sparsity")
    curvature: _Ramp = _of("curvature")
    distortion: _Ramp = _of("distortion")
    distortion_background: _Ramp = _of("distortion_background")

    def weights_at(self, step: int, weights: LossWeights) -> LossWeights:
        """The weights of a step."""
        changed = {}
        for name in LOSS_NAMES:
            values = getattr(self, name)
            if values:
                begin, first, last, end = values
                changed[name] = ramp(int(begin), first, last, int(end))(step)
        return weights.model_copy(update=changed) if changed else weights

    def may_weigh(self, name: str, weights: LossWeights) -> bool:
        """Whether a term has a weight at any step."""
        values = getattr(self, name)
        return bool(max(values[1:3]) if values else getattr(weights, name))


@dataclass(frozen=True)
class LossTerms:
    """Unweighted terms, 0-d."""

    photometric: Float[Tensor, ""]
    depth: Float[Tensor, ""]
    band: Float[Tensor, ""]
    free_space: Float[Tensor, ""]
    eikonal: Float[Tensor, ""]
    photometric_mse: Float[Tensor, ""]
    mask: Float[Tensor, ""]
    opaque: Float[Tensor, ""]
    sparsity: Float[Tensor, ""]
    curvature: Float[Tensor, ""]
    distortion: Float[Tensor, ""]
    distortion_background: Float[Tensor, ""]

    def total(self, weights: LossWeights) -> Float[Tensor, ""]:
        """Weighted sum."""
        terms = (getattr(weights, f.name) * getattr(self, f.name) for f in fields(self))
        return torch.stack(list(terms)).sum()

    def stacked(self) -> Float[Tensor, " terms"]:
        """All terms in the order of their names, detached."""
        return torch.stack([getattr(self, f.name).detach() for f in fields(self)])


LOSS_NAMES = tuple(f.name for f in fields(LossTerms))


def loss_terms(
    batch: RayBatch,
    samples: RaySamples,
    output: FieldOutput,
    rendered: RenderedRays,
    truncation_m: float,
    weights: LossWeights | None = None,
    sparsity_per_m: float = 1.0,
    behind: tuple[RenderedRays, RaySamples] | None = None,
) -> LossTerms:
    """All terms of a rendered batch; regularisers without a weight are 0, as they cost time.

    Args:
        behind: What a learned background adds to the rays.
    """
    weights = weights or LossWeights()
    off = output.sdf.new_zeros(())
    band = free_space = eikonal = off
    if output.density is None:
        band, free_space = _distance_terms(batch, samples, output.sdf, truncation_m)
        gradient_length = torch.linalg.vector_norm(output.gradient, dim=1)
        eikonal = masked_mean((gradient_length - 1.0) ** 2, samples.valid)
    mask = opaque = sparsity = curvature = distortion = distortion_background = off
    if weights.mask and batch.foreground is not None:
        mask = mask_error(rendered.opacity, batch.foreground, batch.valid)
    if weights.opaque:
        opaque = opaque_error(rendered.opacity, batch.valid)
    if weights.sparsity:
        sparsity = sparsity_error(output.sdf, samples.valid, sparsity_per_m)
    if weights.curvature and output.laplacian is not None:
        curvature = curvature_error(output.laplacian, samples.valid)
    if weights.distortion and rendered.weights is not None:
        distortion = distortion_error(rendered.weights, samples, batch.valid)
    if weights.distortion_background and behind is not None and behind[0].weights is not None:
        distortion_background = distortion_error(behind[0].weights, behind[1], batch.valid)
    seen = batch.valid if behind is not None else batch.valid & (samples.count > 0)
    difference = rendered.rgb - batch.rgb
    range_error = (rendered.range_m - batch.range_m).abs() / truncation_m
    return LossTerms(
        photometric=masked_mean(difference.abs().mean(dim=1), seen),
        depth=masked_mean(range_error.clamp(max=5.0), seen & batch.has_depth),
        band=band,
        free_space=free_space,
        eikonal=eikonal,
        photometric_mse=masked_mean(difference.square().mean(dim=1), seen),
        mask=mask,
        opaque=opaque,
        sparsity=sparsity,
        curvature=curvature,
        distortion=distortion,
        distortion_background=distortion_background,
    )


def over_colour(
    batch: RayBatch, colour: Float[Tensor, "#rays 3"], image_background: Float[Tensor, " 3"]
) -> RayBatch:
    """The batch as if its pictures had been taken before another colour.

    Where nobody knows what is object the pictures stay.

    Args:
        image_background: What is behind the object in the pictures as they are.
    """
    if batch.foreground is None:
        return batch
    behind = torch.where(batch.foreground < 0, 0.0, 1.0 - batch.foreground)
    return replace(batch, rgb=batch.rgb + behind[:, None] * (colour - image_background))


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
