# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What lies behind the box of the scene: a density over all space, contracted into a ball."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field as Setting
from torch import Tensor, nn

from ineus_core.config_model import ConfigModel
from ineus_core.fields.variant import VariantField
from ineus_core.geometry import ray_box
from ineus_core.kernels.compositing import (
    accumulate,
    density_alpha,
    transmittance_weights,
)
from ineus_core.types import RaySamples, RenderedRays

CONTRACTED_SIDE = 4.0
"""Side of the cube around the ball of radius 2 that holds all space."""
_CELLS_PER_UPDATE = 1 << 16
# As instant-ngp has it: what is not found again fades out.
_DECAY = 0.95


class BackgroundConfig(ConfigModel):
    """The field behind the box of the scene."""

    kind: Literal["none", "learned"] = Setting(
        "none",
        description="What is behind the box: nothing but training.background, or a density of its "
        "own, for photographs of more than the object.",
    )
    samples: int = Setting(64, ge=1, description="Samples of a ray behind the box.")
    near_m: float = Setting(
        0.1, gt=0, description="Where a ray that misses the box begins, in m from the camera."
    )
    far_m: float = Setting(1000.0, gt=0, description="Where all rays end, in m from the camera.")
    levels: int = Setting(16, ge=1, le=32, description="Levels of its hash grid.")
    features: int = Setting(2, ge=1, le=8, description="Features of a table entry.")
    log2_entries: int = Setting(
        19, ge=8, le=24, description="Base-2 logarithm of the table entries of a level."
    )
    coarsest_resolution: int = Setting(32, ge=1, description="Cells of the coarsest level.")
    finest_resolution: int = Setting(2048, ge=1, description="Cells of the finest level.")
    hidden: int = Setting(64, ge=8, le=256, description="Width of both networks.")
    geometry_features: int = Setting(
        8, ge=1, le=64, description="Outputs of the density network, density included."
    )
    cells: int = Setting(
        128, ge=8, le=512, description="Cells along a side of its own occupancy grid."
    )
    threshold: float = Setting(
        0.01, gt=0, description="Opacity of a hundredth of half the box above which a cell counts."
    )


class Background(nn.Module):
    """Colour of rays beyond a box.

    Args:
        config: Samples.
        field: Of kind density over the cube of contracted space.
        centre_m: Of the box, world.
        half_side_m: Of the box; what lies within this of the centre is not contracted.
    """

    centre_m: Tensor
    opacity: Tensor

    def __init__(
        self,
        config: BackgroundConfig,
        field: VariantField,
        centre_m: Float[Tensor, " 3"],
        half_side_m: float,
    ) -> None:
        """Count every cell as occupied until it has been asked about."""
        super().__init__()
        self.config, self.field, self.half_side_m = config, field, half_side_m
        self.register_buffer("centre_m", centre_m)
        opacity = torch.ones(config.cells**3, device=centre_m.device)
        self.register_buffer("opacity", opacity)

    def forward(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        aabb: Float[Tensor, "2 3"],
        jitter: Float[Tensor, " rays"],
        valid: Bool[Tensor, " rays"] | None = None,
    ) -> tuple[RenderedRays, RaySamples]:
        """Composite the rays from where they leave the box.

        Args:
            origins: World.
            directions: Unit length.
            aabb: The box, world.
            jitter: 0 to 1, by which the samples of a ray are shifted.
            valid: Rays that are needed, if not all are.
        """
        t_enter, t_exit = ray_box(origins, directions, aabb)
        # Rays that miss the box begin at the camera.
        t_exit = torch.where(t_exit > t_enter, t_exit, torch.zeros_like(t_exit))
        samples = self._samples(t_exit, jitter)
        ray = samples.ray_index
        t_mid = 0.5 * (samples.t_starts + samples.t_ends)
        points = contract(
            (origins[ray] + directions[ray] * t_mid[:, None] - self.centre_m) / self.half_side_m
        )
        is_used = self._occupied(points)
        if valid is not None:
            is_used &= valid[ray]
        # Waits for the device, which costs less than to evaluate all the empty ones.
        used = is_used.nonzero()[:, 0]
        some = self.field(points[used], directions[ray[used]])
        assert some.density is not None
        density = torch.zeros_like(t_mid).index_copy(0, used, some.density * self._per_m)
        rgb = torch.zeros_like(points).index_copy(0, used, some.rgb)
        alpha = density_alpha(density, samples.t_ends - samples.t_starts, samples.valid)
        weights = transmittance_weights(alpha, samples)
        values = torch.cat((rgb, t_mid[:, None], torch.ones_like(t_mid)[:, None]), dim=1)
        total = accumulate(weights, values, ray, len(origins))
        nothing = torch.zeros_like(origins)
        return RenderedRays(total[:, :3], total[:, 3], nothing, total[:, 4], weights), samples

    @property
    def _per_m(self) -> float:
        # The field counts per half of its cube, we per half of the box.
        return (CONTRACTED_SIDE / 2) / self.half_side_m

    def _samples(
        self, t_exit: Float[Tensor, " rays"], jitter: Float[Tensor, " rays"]
    ) -> RaySamples:
        """Intervals that grow with their distance, as what they show is as large in the image."""
        rays, per_ray = len(t_exit), self.config.samples
        # At most half way to the end, so that there is something left to sample.
        t_near = t_exit.clamp(self.config.near_m, 0.5 * self.config.far_m)[:, None]
        edge = torch.arange(per_ray + 1, device=t_exit.device)
        shifted = edge - 1 + jitter[:, None]
        # The first edge is not shifted, so that nothing is left out behind the box.
        share = torch.where(edge == 0, 0.0, shifted.clamp(min=0.0)) / per_ray
        # Even in the logarithm.
        t = t_near * (self.config.far_m / t_near) ** share
        ray = torch.arange(rays, device=t_exit.device)
        return RaySamples(
            t_starts=t[:, :-1].reshape(-1),
            t_ends=t[:, 1:].reshape(-1),
            ray_index=ray.repeat_interleave(per_ray),
            valid=torch.ones(rays * per_ray, dtype=torch.bool, device=t_exit.device),
            first=ray * per_ray,
            count=torch.full_like(ray, per_ray),
        )

    def _occupied(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        # A threshold below the mean, so that the grid is never all empty.
        limit = self.opacity.mean().clamp(max=self.config.threshold)
        return self.opacity[self._cell(points)] >= limit

    def _cell(self, points: Float[Tensor, "n 3"]) -> Int[Tensor, " n"]:
        cells = self.config.cells
        index = ((points / CONTRACTED_SIDE + 0.5) * cells).long().clamp(0, cells - 1)
        return (index[:, 0] * cells + index[:, 1]) * cells + index[:, 2]

    @torch.no_grad()
    def update_grid(self, generator: torch.Generator) -> None:
        """Renew the opacity of random cells, at a random point of each."""
        cells, device = self.config.cells, self.opacity.device
        index = torch.randint(cells**3, (_CELLS_PER_UPDATE,), generator=generator, device=device)
        corner = torch.stack((index // cells**2, index // cells % cells, index % cells), dim=1)
        inside = torch.rand(corner.shape, generator=generator, device=device)
        points = ((corner + inside) / cells - 0.5) * CONTRACTED_SIDE
        step_m = 0.01 * self.half_side_m
        new = -torch.expm1(-self.field.density(points) * self._per_m * step_m)
        # NaN counts as occupied, as in the grid of the box.
        self.opacity[index] = torch.maximum(new.nan_to_num(1.0), self.opacity[index] * _DECAY)


def contract(points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Map what is beyond the unit ball into a shell up to radius 2 (Mip-NeRF 360, eq. 10)."""
    length = torch.linalg.vector_norm(points, dim=1, keepdim=True).clamp(min=1e-9)
    beyond = (2.0 - 1.0 / length) * points / length
    return torch.where(length <= 1.0, points, beyond)
