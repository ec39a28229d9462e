# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The losses of `training.losses` and their cotangents for NVIDIA GPUs, in Triton.

Neither autograd nor allocation. Weights are read from the device, so that they may change from one
replay of a captured step to the next.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels import losses
from ineus_core.kernels.compositing import rendered_columns
from ineus_core.kernels.ray_batch.ray_buffers import (
    HAS_DEPTH,
    IS_BACKGROUND,
    IS_FOREGROUND,
    DrawnRays,
)
from ineus_core.types import RaySamples

_BLOCK = 256
_MOST_RANGE_ERROR = tl.constexpr(5.0)
"""In truncations; what is farther off is an outlier, whose error no longer grows."""
_HAS_DEPTH = tl.constexpr(HAS_DEPTH)
_KNOWS_FOREGROUND = tl.constexpr(IS_BACKGROUND | IS_FOREGROUND)
_COLUMNS = tl.constexpr(rendered_columns.COLUMNS)
_RANGE = tl.constexpr(rendered_columns.RANGE)
_NORMAL = tl.constexpr(rendered_columns.NORMAL)
_OPACITY = tl.constexpr(rendered_columns.OPACITY)
# Entries of weights and losses.
_PHOTOMETRIC = tl.constexpr(losses.PHOTOMETRIC)
_DEPTH = tl.constexpr(losses.DEPTH)
_BAND = tl.constexpr(losses.BAND)
_FREE_SPACE = tl.constexpr(losses.FREE_SPACE)
_PHOTOMETRIC_MSE = tl.constexpr(losses.PHOTOMETRIC_MSE)
_MASK = tl.constexpr(losses.MASK)
_OPAQUE = tl.constexpr(losses.OPAQUE)
_SPARSITY = tl.constexpr(losses.SPARSITY)
# Entries of counts.
_VISIBLE_RAYS = tl.constexpr(losses.VISIBLE_RAYS)
_MEASURED_RAYS = tl.constexpr(losses.MEASURED_RAYS)
_BAND_SAMPLES = tl.constexpr(losses.BAND_SAMPLES)
_FREE_SAMPLES = tl.constexpr(losses.FREE_SAMPLES)
_KNOWN_RAYS = tl.constexpr(losses.KNOWN_RAYS)
_USABLE_RAYS = tl.constexpr(losses.USABLE_RAYS)


@dataclass(frozen=True)
class LossScales:
    """Weights of the terms, which of the rarer ones there are, and what they compare with."""

    weights: Float[Tensor, " terms"]
    """In the order of `losses.TERMS`; there may be more."""
    truncation_m: float
    sparsity_per_m: float = 1.0
    with_mask: bool = False
    with_opaque: bool = False
    with_sparsity: bool = False
    image_background: Float[Tensor, " 3"] | None = None
    """Colour behind the object in the pictures, which is replaced by the one behind everything;
    None where the pictures stay as they are."""
    estimate_fades_below: float = 0.0
    """Error of a ray's colour below which its estimated depth counts less."""
    half_weight_m: float = 4.0
    """Range at which a return weighs half, as sensor noise grows with its square."""


@dataclass(frozen=True)
class TermCounts:
    """Over how many rays and samples the terms are means."""

    values: Float[Tensor, " counts"]
    """Rays with samples, those of them with depth, samples in and before the band, rays whose
    foreground is known, rays that may be used: of the last two, those that were placed."""
    placed: Int[Tensor, ""]
    """How many rays, the first ones, were placed at all."""


def term_counts(rays: int, device: torch.device) -> TermCounts:
    """Allocate the counts of a batch of which all rays are placed."""
    placed = torch.full((), rays, dtype=torch.int32, device=device)
    return TermCounts(torch.zeros(losses.COUNTS, device=device), placed)


def count_terms(
    rays: DrawnRays,
    samples: RaySamples,
    total: Int[Tensor, ""],
    scales: LossScales,
    counts: TermCounts,
) -> None:
    """Write the values of `counts`, those of the rarer terms where there are such."""
    counts.values.zero_()
    n, budget = len(rays.origins), len(samples.t_starts)
    _counts[(triton.cdiv(max(n, budget), _BLOCK),)](
        rays.kind, rays.range_m, samples.count, samples.t_starts, samples.t_ends,
        samples.ray_index, total, counts.placed, counts.values, n, float(scales.truncation_m),
        MASK=scales.with_mask, OPAQUE=scales.with_opaque, BLOCK=_BLOCK,
    )  # fmt: skip


def ray_losses(
    rays: DrawnRays,
    samples: RaySamples,
    rendered: Float[Tensor, "rays 8"],
    background: Float[Tensor, " 3"],
    counts: TermCounts,
    scales: LossScales,
    d_rendered: Float[Tensor, "rays 8"],
    losses: Float[Tensor, " terms"],
) -> None:
    """Write `d_rendered`; add the means of the terms of colour, depth and opacity to `losses`.

    Weights of estimated depth fade in `rays`, as the terms of samples are to find them.
    """
    n = len(rays.origins)
    _ray_losses[(triton.cdiv(n, _BLOCK),)](
        rays.kind, rays.rgb, rays.range_m, rays.foreground, rays.depth_weight, samples.count,
        rendered, background,
        scales.image_background, counts.placed, counts.values, scales.weights, d_rendered,
        losses, n, scales.truncation_m, float(scales.estimate_fades_below),
        FADES=scales.estimate_fades_below > 0, MASK=scales.with_mask, OPAQUE=scales.with_opaque,
        BLOCK=_BLOCK,
    )  # fmt: skip


def sample_losses(
    rays: DrawnRays,
    samples: RaySamples,
    total: Int[Tensor, ""],
    sdf: Float[Tensor, " samples"],
    counts: TermCounts,
    scales: LossScales,
    d_sdf: Float[Tensor, " samples"],
    losses: Float[Tensor, " terms"],
) -> None:
    """Add to `d_sdf`; add the means of the terms of band, free space, sparsity to `losses`."""
    _sample_losses[(triton.cdiv(len(sdf), _BLOCK),)](
        rays.kind, rays.range_m, rays.normal, rays.directions, rays.depth_weight,
        samples.t_starts, samples.t_ends, samples.ray_index, total, sdf, counts.values,
        scales.weights, d_sdf, losses, scales.truncation_m, scales.half_weight_m,
        scales.sparsity_per_m,
        SPARSITY=scales.with_sparsity, BLOCK=_BLOCK,
    )  # fmt: skip


@triton.jit
def _along(i, mask, t_starts, t_ends, ray_indices, kinds, ranges):
    """Return the distance along the ray from a sample to the return, and whether there is one."""
    ray = tl.load(ray_indices + i, mask, other=0)
    t = 0.5 * (tl.load(t_starts + i, mask, other=0.0) + tl.load(t_ends + i, mask, other=0.0))
    measured = mask & ((tl.load(kinds + ray, mask, other=0) & _HAS_DEPTH) != 0)
    return ray, tl.load(ranges + ray, mask, other=0.0) - t, measured


@triton.jit
def _add_count(counts, index, what):
    # Relaxed, here and below: a sum does not ask for an order, which would cost a fence each.
    tl.atomic_add(counts + index, tl.sum(what.to(tl.float32)), sem="relaxed")


@triton.jit
def _counts(
    kinds, ranges, ray_counts, t_starts, t_ends, ray_indices, total, placed, counts, rays,
    truncation, MASK: tl.constexpr, OPAQUE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    in_rays = i < rays
    kind = tl.load(kinds + i, in_rays, other=0)
    visible = in_rays & (kind > 0) & (tl.load(ray_counts + i, in_rays, other=0) > 0)
    _, along, measured = _along(
        i, i < tl.load(total), t_starts, t_ends, ray_indices, kinds, ranges
    )
    # Rays and samples are counted in one launch, over the longer of the two.
    _add_count(counts, _VISIBLE_RAYS, visible)
    _add_count(counts, _MEASURED_RAYS, visible & ((kind & _HAS_DEPTH) != 0))
    _add_count(counts, _BAND_SAMPLES, measured & (tl.abs(along) <= truncation))
    _add_count(counts, _FREE_SAMPLES, measured & (along > truncation))
    if MASK:
        _add_count(counts, _KNOWN_RAYS, (i < tl.load(placed)) & ((kind & _KNOWS_FOREGROUND) != 0))
    if OPAQUE:
        _add_count(counts, _USABLE_RAYS, (i < tl.load(placed)) & (kind > 0))


@triton.jit
def _opacity_terms(
    i, kind, object_share, opacity, placed, counts, weights, losses,
    MASK: tl.constexpr, OPAQUE: tl.constexpr,
):  # fmt: skip
    """Add the terms of opacity to the losses; return their cotangent."""
    # As `training.regularisers`: away from 0 and 1, where the logarithm has no bound.
    inner = tl.minimum(tl.maximum(opacity, 1e-3), 1.0 - 1e-3)
    is_inner = inner == opacity
    log_in, log_out = tl.log(inner), tl.log(1.0 - inner)
    used = (i < tl.load(placed)) & (kind > 0)
    d_opacity = 0.0 * opacity
    if MASK:
        known = used & ((kind & _KNOWS_FOREGROUND) != 0)
        wanted = object_share
        weight = tl.load(weights + _MASK)
        share = 1.0 / tl.maximum(tl.load(counts + _KNOWN_RAYS), 1.0)
        slope = (inner - wanted) / (inner * (1.0 - inner))
        d_opacity += tl.where(known & is_inner, slope * weight * share, 0.0)
        error = tl.where(known, -(wanted * log_in + (1.0 - wanted) * log_out), 0.0)
        # A weight may be set to 0 between two replays, and what is off tells no loss.
        mean = tl.where(weight > 0, tl.sum(error) * share, 0.0)
        tl.atomic_add(losses + _MASK, mean, sem="relaxed")
    if OPAQUE:
        weight = tl.load(weights + _OPAQUE)
        share = 1.0 / tl.maximum(tl.load(counts + _USABLE_RAYS), 1.0)
        d_opacity += tl.where(used & is_inner, (log_out - log_in) * weight * share, 0.0)
        error = tl.where(used, -(inner * log_in + (1.0 - inner) * log_out), 0.0)
        mean = tl.where(weight > 0, tl.sum(error) * share, 0.0)
        tl.atomic_add(losses + _OPAQUE, mean, sem="relaxed")
    return d_opacity


@triton.jit
def _sign(x):
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0))


@triton.jit
def _trust_of(trusts, i, mask, error, fades_below, FADES: tl.constexpr):
    """Return how much the depth of rays counts, which fades where colour is explained."""
    trust = 1.0 + 0.0 * error
    if trusts is not None:
        trust = tl.load(trusts + i, mask, other=0.0)
        if FADES:
            # Of an estimate nobody is wholly sure.
            trust = tl.where(trust < 1.0, trust * tl.minimum(error / fades_below, 1.0), trust)
            tl.store(trusts + i, trust, mask)
    return trust


@triton.jit
def _ray_losses(
    kinds, colours, ranges, foreground, trusts, ray_counts, rendered, background, image_background,
    placed, counts, weights, d_rendered, losses, rays, truncation, fades_below,
    FADES: tl.constexpr, MASK: tl.constexpr, OPAQUE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < rays
    kind = tl.load(kinds + i, mask, other=0)
    visible = mask & (kind > 0) & (tl.load(ray_counts + i, mask, other=0) > 0)
    # Counted in a launch before, so that this one has means and their cotangents at once.
    share = 1.0 / tl.maximum(tl.load(counts + _VISIBLE_RAYS), 1.0)
    ray = rendered + i * _COLUMNS
    d_ray = d_rendered + i * _COLUMNS
    opacity = tl.load(ray + _OPACITY, mask, other=0.0)
    object_share = tl.load(foreground + i, mask, other=-1.0)
    photometric = tl.load(weights + _PHOTOMETRIC)
    squared = tl.load(weights + _PHOTOMETRIC_MSE)
    error = tl.zeros((BLOCK,), tl.float32)
    square = tl.zeros((BLOCK,), tl.float32)
    d_opacity = tl.zeros((BLOCK,), tl.float32)
    for c in tl.static_range(3):
        behind = tl.load(background + c)
        # Composited rays come without the background, so that it is not drawn before it is needed.
        value = tl.load(ray + c, mask, other=0.0) + behind * (1.0 - opacity)
        target = tl.load(colours + i * 3 + c, mask, other=0.0)
        if image_background is not None:
            open_share = tl.where((kind & _KNOWS_FOREGROUND) != 0, 1.0 - object_share, 0.0)
            target += open_share * (behind - tl.load(image_background + c))
        difference = tl.where(visible, value - target, 0.0)
        error += tl.abs(difference) / 3.0
        square += difference * difference / 3.0
        slope = _sign(difference) * photometric + 2.0 * difference * squared
        d_value = slope * share / 3.0
        tl.store(d_ray + c, d_value, mask)
        # More opacity shows less of what is behind.
        d_opacity -= behind * d_value
        # No term knows the normal, but the way back reads its cotangent.
        tl.store(d_ray + _NORMAL + c, 0.0 * d_value, mask)
    with_depth = visible & ((kind & _HAS_DEPTH) != 0)
    depth = tl.load(weights + _DEPTH)
    depth_share = 1.0 / tl.maximum(tl.load(counts + _MEASURED_RAYS), 1.0)
    range_m = tl.load(ranges + i, mask, other=0.0)
    difference = tl.load(ray + _RANGE, mask, other=0.0) - range_m
    scaled = tl.abs(difference) / truncation
    # The error of an outlier is constant, and so without a slope.
    inlier = with_depth & (scaled < _MOST_RANGE_ERROR)
    trust = _trust_of(trusts, i, mask, error, fades_below, FADES)
    slope = trust * _sign(difference) * depth * depth_share / truncation
    d_range = tl.where(inlier, slope, 0.0)
    tl.store(d_ray + _RANGE, d_range, mask)
    if MASK or OPAQUE:
        d_opacity += _opacity_terms(
            i, kind, object_share, opacity, placed, counts, weights, losses, MASK, OPAQUE
        )
    tl.store(d_ray + _OPACITY, d_opacity, mask)
    tl.atomic_add(losses + _PHOTOMETRIC, tl.sum(error) * share, sem="relaxed")
    tl.atomic_add(losses + _PHOTOMETRIC_MSE, tl.sum(square) * share, sem="relaxed")
    range_error = tl.sum(tl.where(with_depth, trust * tl.minimum(scaled, _MOST_RANGE_ERROR), 0.0))
    tl.atomic_add(losses + _DEPTH, range_error * depth_share, sem="relaxed")


@triton.jit
def _sample_losses(
    kinds, ranges, normals, directions, trusts, t_starts, t_ends, ray_indices, total, sdfs,
    counts, weights, d_sdf, losses, truncation, half_weight, sparsity_per_m,
    SPARSITY: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < tl.load(total)
    ray, along, measured = _along(i, mask, t_starts, t_ends, ray_indices, kinds, ranges)
    at = ray * 3
    nx = tl.load(normals + at, measured, other=0.0)
    ny = tl.load(normals + at + 1, measured, other=0.0)
    nz = tl.load(normals + at + 2, measured, other=0.0)
    cosine = -(
        nx * tl.load(directions + at, measured, other=0.0)
        + ny * tl.load(directions + at + 1, measured, other=0.0)
        + nz * tl.load(directions + at + 2, measured, other=0.0)
    )
    known = (nx != 0) | (ny != 0) | (nz != 0)
    # The distance to a plane falls as the cosine of the ray to its normal; bounded, as normals
    # of grazing rays are mostly noise.
    cosine = tl.where(known, tl.minimum(tl.maximum(cosine, 0.1), 1.0), 1.0)
    far = tl.load(ranges + ray, measured, other=0.0) / half_weight
    trust = tl.load(trusts + ray, measured, other=0.0) if trusts is not None else 1.0
    weight = trust / (1.0 + far * far)
    sdf = tl.load(sdfs + i, mask, other=0.0)
    in_band = measured & (tl.abs(along) <= truncation)
    before = measured & (along > truncation)
    band_weight, free_weight = tl.load(weights + _BAND), tl.load(weights + _FREE_SPACE)
    band_share = 1.0 / tl.maximum(tl.load(counts + _BAND_SAMPLES), 1.0)
    free_share = 1.0 / tl.maximum(tl.load(counts + _FREE_SAMPLES), 1.0)
    off = sdf - along * cosine
    # Before the band: no nearer than the band is thick, no farther than the return.
    too_near, too_far = truncation * cosine - sdf, sdf - along
    d_band = tl.where(in_band, weight * _sign(off) * band_weight * band_share / truncation, 0.0)
    d_free = (too_far > 0).to(tl.float32) - (too_near > 0).to(tl.float32)
    d_free = tl.where(before, trust * d_free * free_weight * free_share / truncation, 0.0)
    d_all = d_band + d_free
    if SPARSITY:
        share = 1.0 / tl.maximum(tl.load(total), 1).to(tl.float32)
        thin = tl.load(weights + _SPARSITY)
        error = tl.where(mask, tl.exp(-sparsity_per_m * tl.abs(sdf)), 0.0)
        d_all -= sparsity_per_m * _sign(sdf) * error * thin * share
        mean = tl.where(thin > 0, tl.sum(error) * share, 0.0)
        tl.atomic_add(losses + _SPARSITY, mean, sem="relaxed")
    # Compositing has written its share before.
    tl.store(d_sdf + i, tl.load(d_sdf + i, mask, other=0.0) + d_all, mask)
    band_error = tl.where(in_band, weight * tl.abs(off) / truncation, 0.0)
    free_error = tl.maximum(too_near, 0.0) + tl.maximum(too_far, 0.0)
    free_error = tl.where(before, trust * free_error / truncation, 0.0)
    tl.atomic_add(losses + _BAND, tl.sum(band_error) * band_share, sem="relaxed")
    tl.atomic_add(losses + _FREE_SPACE, tl.sum(free_error) * free_share, sem="relaxed")
