# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a training step knows when it compares, and what pictures and depth say of that.

Each function is an unweighted term of the loss; the table of `losses` has them all.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.training.regularisers import (
    curvature_error,
    distortion_error,
    mask_error,
    masked_mean,
)
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays


@dataclass(frozen=True)
class LossInputs:
    """What a training step knows when it compares: the arguments of every term."""

    batch: RayBatch
    """The rays that were drawn, with what the pictures say of them."""
    samples: RaySamples
    """The intervals of these rays."""
    output: FieldOutput
    """The field at the middle of each interval."""
    rendered: RenderedRays
    """The rays composited, over the background."""
    truncation_m: float
    """Half width of the band around a measured surface."""
    sparsity_per_m: float = 1.0
    background: tuple[RenderedRays, RaySamples] | None = None
    """What a learned background adds to the rays, and its samples."""
    has_depth: bool = True
    """Whether any ray may have depth; without, the terms of depth cost nothing."""
    estimate_fades_below: float = 0.0
    """Error of a ray's colour below which its estimated depth counts less."""

    @cached_property
    def zero(self) -> Float[Tensor, ""]:
        """A term that does not apply."""
        return self.output.sdf.new_zeros(())

    @cached_property
    def visible(self) -> Bool[Tensor, " rays"]:
        """Rays whose colour the field or its background decides."""
        valid = self.batch.valid
        return valid if self.background is not None else valid & (self.samples.count > 0)

    @cached_property
    def colour_error(self) -> Float[Tensor, "rays 3"]:
        """Composited colour less that of the pictures."""
        return self.rendered.rgb - self.batch.rgb

    @cached_property
    def depth_weight(self) -> Float[Tensor, " rays"] | None:
        """How much the depth of each ray counts; None if all depth counts as much.

        What was estimated from pictures fades as the field explains them better.
        """
        weight = self.batch.depth_weight
        if weight is None or self.estimate_fades_below == 0:
            return weight
        # Detached: the loss of depth is not to train the colours.
        error = self.colour_error.detach().abs().mean(dim=1)
        share = (error / self.estimate_fades_below).clamp(max=1.0)
        # Of an estimate nobody is wholly sure.
        return torch.where(weight < 1.0, weight * share, weight)

    @cached_property
    def distance_errors(self) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean errors of the distance in the band and before it, which share most of the work."""
        if not self.has_depth or self.output.density is not None:
            return self.zero, self.zero
        batch = replace(self.batch, depth_weight=self.depth_weight)
        return _distance_errors(batch, self.samples, self.output.sdf, self.truncation_m)


def photometric(x: LossInputs) -> Float[Tensor, ""]:
    """Return the mean absolute difference of composited colour."""
    return masked_mean(x.colour_error.abs().mean(dim=1), x.visible)


def depth(x: LossInputs) -> Float[Tensor, ""]:
    """Return the mean error of the composited range over the truncation."""
    if not x.has_depth:
        return x.zero
    # Beyond, it is an outlier, which must not pull the field along.
    error = ((x.rendered.range_m - x.batch.range_m).abs() / x.truncation_m).clamp(max=5.0)
    if x.depth_weight is not None:
        error = error * x.depth_weight
    return masked_mean(error, x.visible & x.batch.has_depth)


def eikonal(x: LossInputs) -> Float[Tensor, ""]:
    """Return the mean squared error of the gradient's length."""
    if x.output.density is not None:
        return x.zero
    # Of the gradient as it comes: the normal has the length 1 by itself.
    length = torch.linalg.vector_norm(x.output.gradient, dim=1)
    return masked_mean((length - 1.0) ** 2, x.samples.valid)


def photometric_mse(x: LossInputs) -> Float[Tensor, ""]:
    """Return the mean squared difference of composited colour."""
    return masked_mean(x.colour_error.square().mean(dim=1), x.visible)


def mask(x: LossInputs) -> Float[Tensor, ""]:
    """Return the cross entropy of opacity where it is known what is object."""
    if x.batch.foreground is None:
        return x.zero
    return mask_error(x.rendered.opacity, x.batch.foreground, x.batch.valid)


def curvature(x: LossInputs) -> Float[Tensor, ""]:
    """Return the mean absolute Laplacian of the distance."""
    if x.output.laplacian is None:
        return x.zero
    return curvature_error(x.output.laplacian, x.samples.valid)


def distortion(x: LossInputs) -> Float[Tensor, ""]:
    """Return the spread of a ray's weights along it."""
    if x.rendered.weights is None:
        return x.zero
    return distortion_error(x.rendered.weights, x.samples, x.batch.valid)


def distortion_background(x: LossInputs) -> Float[Tensor, ""]:
    """Return the same of a learned background."""
    if x.background is None or x.background[0].weights is None:
        return x.zero
    return distortion_error(x.background[0].weights, x.background[1], x.batch.valid)


def over_colour(
    batch: RayBatch, colour: Float[Tensor, "#rays 3"], image_background: Float[Tensor, " 3"]
) -> RayBatch:
    """Return the batch as if its pictures had been taken before another colour.

    Where nobody knows what is object the pictures stay.

    Args:
        image_background: What is behind the object in the pictures as they are.
    """
    if batch.foreground is None:
        return batch
    behind = torch.where(batch.foreground < 0, 0.0, 1.0 - batch.foreground)
    return replace(batch, rgb=batch.rgb + behind[:, None] * (colour - image_background))


def _distance_errors(
    batch: RayBatch, samples: RaySamples, sdf: Float[Tensor, " samples"], truncation_m: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    ray = samples.ray_index
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)
    along_m = batch.range_m[ray] - t_mid
    measured = batch.has_depth[ray] & samples.valid
    # Distance to the surface is shorter than along a slanted ray by the cosine of incidence.
    cosine = -(batch.directions * batch.normal).sum(dim=1)
    known = (batch.normal != 0).any(dim=1)
    # Bounded, as normals of grazing rays are mostly noise.
    cosine = torch.where(known, cosine.clamp(0.1, 1.0), torch.ones_like(cosine))[ray]
    trust = torch.ones_like(batch.range_m) if batch.depth_weight is None else batch.depth_weight
    # Noise grows with the square of the range, so far returns weigh less: half at 4 m.
    weight = (trust / (1.0 + (batch.range_m / 4.0) ** 2))[ray]
    in_band = measured & (along_m.abs() <= truncation_m)
    band_error = weight * (sdf - along_m * cosine).abs() / truncation_m
    before = measured & (along_m > truncation_m)
    # No surface is nearer than the band, none farther than the return itself.
    too_near = torch.relu(truncation_m * cosine - sdf)
    too_far = torch.relu(sdf - along_m)
    free_error = trust[ray] * (too_near + too_far) / truncation_m
    return masked_mean(band_error, in_band), masked_mean(free_error, before)
