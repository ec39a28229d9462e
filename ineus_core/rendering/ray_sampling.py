# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the samples of a training ray lie: around the measured surface, else in occupied cells."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.rendering.occupancy import OccupancyGrid
from ineus_core.types import RayBatch, RaySamples

_LEAST_TRUNCATION_M = 0.06
"""Several times the noise of a depth camera in a room, and thin enough for what lies behind."""


class RaySamplingConfig(ConfigModel):
    """Samples of a ray."""

    samples_in_band: int = Field(
        10, ge=2, description="Samples of a ray with depth within the truncation of its surface."
    )
    samples_in_free_space: int = Field(
        6, ge=1, description="Samples of a ray with depth between camera and band."
    )
    truncation_m: float = Field(
        0.0,
        ge=0,
        description="Half width in m of the band in which depth supervises the distance; 0 = two "
        "voxels, at least 0.06.",
    )
    near_m: float = Field(0.05, ge=0, description="Nearest sample of a ray, in m from the camera.")

    def resolved(self, voxel_size_m: float) -> "RaySamplingConfig":
        """Fill in what the configuration leaves to the size of the voxels."""
        truncation_m = self.truncation_m or max(_LEAST_TRUNCATION_M, 2 * voxel_size_m)
        return self.model_copy(update={"truncation_m": truncation_m})

    @property
    def samples_per_ray(self) -> int:
        """Samples of every ray."""
        return self.samples_in_band + self.samples_in_free_space


def sample_rays(
    batch: RayBatch, grid: OccupancyGrid, config: RaySamplingConfig, generator: torch.Generator
) -> RaySamples:
    """Stratified samples of every ray, the same number for each.

    A ray with depth is divided into free space and band. One without is marched through
    occupied cells; its unused samples are not valid.
    """
    rays, per_ray = len(batch.origins), config.samples_per_ray
    device = batch.origins.device
    measured = _edges_of_measured(batch, config, generator)
    marched = grid.march_padded(
        batch.origins, batch.directions, batch.valid & ~batch.has_depth, per_ray, generator
    )
    has_depth = batch.has_depth[:, None]
    t_starts = torch.where(has_depth, measured[:, :-1], marched.t_starts.view(rays, per_ray))
    t_ends = torch.where(has_depth, measured[:, 1:], marched.t_ends.view(rays, per_ray))
    valid = (has_depth | marched.valid.view(rays, per_ray)) & batch.valid[:, None]
    ray = torch.arange(rays, device=device)
    return RaySamples(
        t_starts=t_starts.reshape(-1),
        t_ends=t_ends.reshape(-1),
        ray_index=ray.repeat_interleave(per_ray, output_size=rays * per_ray),
        valid=valid.reshape(-1),
        first=ray * per_ray,
        count=valid.sum(dim=1),
    )


def _edges_of_measured(
    batch: RayBatch, config: RaySamplingConfig, generator: torch.Generator
) -> Float[Tensor, "rays edges"]:
    device, free, band = batch.origins.device, config.samples_in_free_space, config.samples_in_band
    band_start = (batch.range_m - config.truncation_m).clamp(min=config.near_m)[:, None]
    band_end = (batch.range_m + config.truncation_m)[:, None]
    # Jittered inner edges make stratified intervals whose midpoints sweep the whole band.
    noise = torch.rand((len(batch.origins), free + band), generator=generator, device=device) - 0.5
    in_free = (torch.arange(free, device=device) + noise[:, :free]) / free
    in_band = (torch.arange(band, device=device) + noise[:, free:]) / band
    free_edges = config.near_m + in_free.clamp(min=0.0) * (band_start - config.near_m)
    band_edges = band_start + in_band.clamp(min=0.0) * (band_end - band_start)
    return torch.cat((free_edges, band_edges, band_end), dim=1)
