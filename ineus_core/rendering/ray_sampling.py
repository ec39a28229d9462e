# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the samples of a training ray lie: around the measured surface, else in occupied cells."""

import torch
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.kernels import ray_sampling
from ineus_core.rendering.marching import march_first
from ineus_core.rendering.occupancy import OccupancyGrid
from ineus_core.types import RayBatch, RaySamples

_LEAST_TRUNCATION_M = 0.06
"""Several times the noise of a depth camera in a room, and thin enough for what lies behind."""


class RaySamplingConfig(ConfigModel):
    """Samples of a ray."""

    # Fewer samples on more rays were tried: with 4 + 2 depth L1 of Kinect frames was 6.2 instead
    # of 4.2 cm, as too few tell that the air is free (benchmarks/README.md).
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
    """Return stratified samples of every ray, the same number for each.

    A ray with depth is divided into free space and band. One without is marched through
    occupied cells; its unused samples are not valid.
    """
    free, band = config.samples_in_free_space, config.samples_in_band
    rays, device = len(batch.origins), batch.origins.device
    noise = torch.rand((rays, free + band), generator=generator, device=device) - 0.5
    active = batch.valid & ~batch.has_depth
    marched = march_first(grid, batch.origins, batch.directions, active, free + band, generator)
    return ray_sampling.sample_rays(
        batch, marched, noise, free, band, config.truncation_m, config.near_m
    )
