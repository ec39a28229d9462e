# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The losses of `training.losses` and their cotangents for NVIDIA GPUs, in Triton.

Neither autograd nor allocation.
"""

from dataclasses import dataclass

import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.draw_triton import DrawnRays
from ineus_core.types import RaySamples

_SEEN, _WITH_DEPTH, _IN_BAND, _BEFORE = range(4)
_BLOCK = 256


@dataclass(frozen=True)
class LossScales:
    """Weights of the terms and the length that distances are compared with."""

    photometric: float
    depth: float
    band: float
    free_space: float
    truncation_m: float
    half_weight_m: float = 4.0
    """Range at which a return weighs half, as sensor noise grows with its square."""


def count_terms(
    rays: DrawnRays,
    samples: RaySamples,
    total: Int[Tensor, ""],
    truncation_m: float,
    counts: Float[Tensor, " 4"],
) -> None:
    """Write how many rays are seen and have depth, how many samples lie in and before the band."""
    counts.zero_()
    n, budget = len(rays.origins), len(samples.t_starts)
    _counts[(triton.cdiv(max(n, budget), _BLOCK),)](
        rays.kind, rays.range_m, samples.count, samples.t_starts, samples.t_ends,
        samples.ray_index, total, counts, n, float(truncation_m), BLOCK=_BLOCK,
    )  # fmt: skip


def ray_losses(
    rays: DrawnRays,
    samples: RaySamples,
    rendered: Float[Tensor, "rays 8"],
    background: Float[Tensor, " 3"],
    counts: Float[Tensor, " 4"],
    scales: LossScales,
    d_rendered: Float[Tensor, "rays 8"],
    losses: Float[Tensor, " terms"],
) -> None:
    """Write `d_rendered`; add the mean photometric and depth terms to `losses[:2]`."""
    n = len(rays.origins)
    _ray_losses[(triton.cdiv(n, _BLOCK),)](
        rays.kind, rays.rgb, rays.range_m, samples.count, rendered, background, counts, d_rendered,
        losses, n, scales.photometric, scales.depth, scales.truncation_m, BLOCK=_BLOCK,
    )  # fmt: skip


def sample_losses(
    rays: DrawnRays,
    samples: RaySamples,
    total: Int[Tensor, ""],
    sdf: Float[Tensor, " samples"],
    counts: Float[Tensor, " 4"],
    scales: LossScales,
    d_sdf: Float[Tensor, " samples"],
    losses: Float[Tensor, " terms"],
) -> None:
    """Add to `d_sdf`; add the mean band and free-space terms to `losses[2:4]`."""
    _sample_losses[(triton.cdiv(len(sdf), _BLOCK),)](
        rays.kind, rays.range_m, rays.normal, rays.directions, samples.t_starts, samples.t_ends,
        samples.ray_index, total, sdf, counts, d_sdf, losses, scales.band, scales.free_space,
        scales.truncation_m, scales.half_weight_m, BLOCK=_BLOCK,
    )  # fmt: skip


@triton.jit
def _along(i, mask, t_starts, t_ends, ray_indices, kinds, ranges):
    """Distance along the ray from a sample to the return, and whether there is one."""
    ray = tl.load(ray_indices + i, mask, other=0)
    t = 0.5 * (tl.load(t_starts + i, mask, other=0.0) + tl.load(t_ends + i, mask, other=0.0))
    measured = mask & (tl.load(kinds + ray, mask, other=0) == 3)
    return ray, tl.load(ranges + ray, mask, other=0.0) - t, measured


@triton.jit
def _counts(
    kinds, ranges, ray_counts, t_starts, t_ends, ray_indices, total, counts, rays, truncation,
    BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    in_rays = i < rays
    kind = tl.load(kinds + i, in_rays, other=0)
    seen = in_rays & (kind > 0) & (tl.load(ray_counts + i, in_rays, other=0) > 0)
    _, along, measured = _along(
        i, i < tl.load(total), t_starts, t_ends, ray_indices, kinds, ranges
    )
    tl.atomic_add(counts, tl.sum(seen.to(tl.float32)), sem="relaxed")
    tl.atomic_add(counts + 1, tl.sum((seen & (kind == 3)).to(tl.float32)), sem="relaxed")
    band = measured & (tl.abs(along) <= truncation)
    tl.atomic_add(counts + 2, tl.sum(band.to(tl.float32)), sem="relaxed")
    tl.atomic_add(
        counts + 3, tl.sum((measured & (along > truncation)).to(tl.float32)), sem="relaxed"
    )


@triton.jit
def _sign(x):
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0))


@triton.jit
def _ray_losses(
    kinds, colours, ranges, ray_counts, rendered, background, counts, d_rendered, losses, rays,
    photometric, depth, truncation, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < rays
    kind = tl.load(kinds + i, mask, other=0)
    seen = mask & (kind > 0) & (tl.load(ray_counts + i, mask, other=0) > 0)
    share = 1.0 / tl.maximum(tl.load(counts), 1.0)
    opacity = tl.load(rendered + i * 8 + 7, mask, other=0.0)
    error = tl.zeros((BLOCK,), tl.float32)
    d_opacity = tl.zeros((BLOCK,), tl.float32)
    for c in tl.static_range(3):
        behind = tl.load(background + c)
        value = tl.load(rendered + i * 8 + c, mask, other=0.0) + behind * (1.0 - opacity)
        difference = value - tl.load(colours + i * 3 + c, mask, other=0.0)
        error += tl.where(seen, tl.abs(difference) / 3.0, 0.0)
        d_value = tl.where(seen, _sign(difference) * photometric * share / 3.0, 0.0)
        tl.store(d_rendered + i * 8 + c, d_value, mask)
        d_opacity -= behind * d_value
        tl.store(d_rendered + i * 8 + 4 + c, 0.0 * d_value, mask)
    with_depth = seen & (kind == 3)
    depth_share = 1.0 / tl.maximum(tl.load(counts + 1), 1.0)
    difference = tl.load(rendered + i * 8 + 3, mask, other=0.0) - tl.load(
        ranges + i, mask, other=0.0
    )
    scaled = tl.abs(difference) / truncation
    inlier = with_depth & (scaled < 5.0)
    d_range = tl.where(inlier, _sign(difference) * depth * depth_share / truncation, 0.0)
    tl.store(d_rendered + i * 8 + 3, d_range, mask)
    tl.store(d_rendered + i * 8 + 7, d_opacity, mask)
    tl.atomic_add(losses, tl.sum(error) * share, sem="relaxed")
    range_error = tl.sum(tl.where(with_depth, tl.minimum(scaled, 5.0), 0.0))
    tl.atomic_add(losses + 1, range_error * depth_share, sem="relaxed")


@triton.jit
def _sample_losses(
    kinds, ranges, normals, directions, t_starts, t_ends, ray_indices, total, sdfs, counts, d_sdf,
    losses, band_weight, free_weight, truncation, half_weight, BLOCK: tl.constexpr,
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
    cosine = tl.where(known, tl.minimum(tl.maximum(cosine, 0.1), 1.0), 1.0)
    far = tl.load(ranges + ray, measured, other=0.0) / half_weight
    weight = 1.0 / (1.0 + far * far)
    sdf = tl.load(sdfs + i, mask, other=0.0)
    in_band = measured & (tl.abs(along) <= truncation)
    before = measured & (along > truncation)
    band_share = 1.0 / tl.maximum(tl.load(counts + 2), 1.0)
    free_share = 1.0 / tl.maximum(tl.load(counts + 3), 1.0)
    off = sdf - along * cosine
    too_near, too_far = truncation * cosine - sdf, sdf - along
    d_band = tl.where(in_band, weight * _sign(off) * band_weight * band_share / truncation, 0.0)
    d_free = (too_far > 0).to(tl.float32) - (too_near > 0).to(tl.float32)
    d_free = tl.where(before, d_free * free_weight * free_share / truncation, 0.0)
    tl.store(d_sdf + i, tl.load(d_sdf + i, mask, other=0.0) + d_band + d_free, mask)
    band_error = tl.where(in_band, weight * tl.abs(off) / truncation, 0.0)
    free_error = tl.maximum(too_near, 0.0) + tl.maximum(too_far, 0.0)
    free_error = tl.where(before, free_error / truncation, 0.0)
    tl.atomic_add(losses + 2, tl.sum(band_error) * band_share, sem="relaxed")
    tl.atomic_add(losses + 3, tl.sum(free_error) * free_share, sem="relaxed")
