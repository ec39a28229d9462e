# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of an RGB-D ray, in plain torch, with equal room for each ray."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.types import RayBatch, RaySamples


def sample_rays(
    batch: RayBatch,
    marched: RaySamples,
    noise: Float[Tensor, "rays free+band"],
    free: int,
    band: int,
    truncation_m: float,
    near_m: float,
) -> RaySamples:
    """Return stratified samples of every ray, free + band of them for each.

    A ray with depth is divided into free space and band. One without has its share of `marched`;
    what it has not is not valid.

    Args:
        batch: Rays.
        marched: Samples of the rays without depth, with equal room for each ray.
        noise: Shift of each inner edge, in intervals, -0.5 to 0.5.
        free: Samples of a ray with depth before the band.
        band: Samples in it.
        truncation_m: Half width of the band around the measured surface.
        near_m: Nearest sample.
    """
    shape = (len(batch.origins), free + band)
    edges = _edges_of_measured(batch.range_m, noise, free, band, truncation_m, near_m)
    has_depth = batch.has_depth[:, None]
    return padded_samples(
        torch.where(has_depth, edges[:, :-1], marched.t_starts.view(shape)),
        torch.where(has_depth, edges[:, 1:], marched.t_ends.view(shape)),
        (has_depth | marched.valid.view(shape)) & batch.valid[:, None],
    )


def padded_samples(
    t_starts: Float[Tensor, "rays per_ray"],
    t_ends: Float[Tensor, "rays per_ray"],
    valid: Bool[Tensor, "rays per_ray"],
) -> RaySamples:
    """Return samples with equal room for each ray as packed ones are written."""
    rays, per_ray = t_starts.shape
    ray = torch.arange(rays, device=t_starts.device)
    return RaySamples(
        t_starts=t_starts.reshape(-1),
        t_ends=t_ends.reshape(-1),
        ray_index=ray.repeat_interleave(per_ray, output_size=rays * per_ray),
        valid=valid.reshape(-1),
        first=ray * per_ray,
        count=valid.sum(dim=1),
    )


def _edges_of_measured(
    range_m: Float[Tensor, " rays"],
    noise: Float[Tensor, "rays free+band"],
    free: int,
    band: int,
    truncation_m: float,
    near_m: float,
) -> Float[Tensor, "rays free+band+1"]:
    device = range_m.device
    # A return nearer than the truncation has no free space before its band.
    band_start = (range_m - truncation_m).clamp(min=near_m)[:, None]
    band_end = (range_m + truncation_m)[:, None]
    # Jittered inner edges make stratified intervals whose midpoints sweep the whole band.
    in_free = (torch.arange(free, device=device) + noise[:, :free]) / free
    in_band = (torch.arange(band, device=device) + noise[:, free:]) / band
    free_edges = near_m + in_free.clamp(min=0.0) * (band_start - near_m)
    band_edges = band_start + in_band.clamp(min=0.0) * (band_end - band_start)
    return torch.cat((free_edges, band_edges, band_end), dim=1)
