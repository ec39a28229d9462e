# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rays through the occupancy grid: the steps of each that lie in cells with something in them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.geometry import ray_box
from ineus_core.kernels.ray_marching import march_packed, march_padded
from ineus_core.kernels.ray_sampling import padded_samples
from ineus_core.rendering.occupancy import OccupancyGrid
from ineus_core.types import RaySamples


def march_all(
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    budget: int,
    jitter: Float[Tensor, " rays"],
) -> RaySamples:
    """Return all occupied steps of the rays in one budget."""
    return march_packed(
        origins, directions, grid.occupied, grid.aabb, grid.step_m, grid.max_steps, budget, jitter
    )


def march_first(
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    active: Bool[Tensor, " rays"],
    per_ray: int,
    generator: torch.Generator,
) -> RaySamples:
    """Return the first occupied steps of each active ray, in equal room for each."""
    jitter = torch.rand(len(origins), generator=generator, device=origins.device)
    return _padded(grid, origins, directions, active, grid.occupied, grid.step_m, per_ray, jitter)


def march_seen(
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    per_ray: int,
    step_m: float | None = None,
) -> RaySamples:
    """Return the first steps of each ray where a surface has been seen, without jitter.

    Args:
        step_m: Length of a step, if not that of training.
    """
    # Without jitter: the same view is to look the same twice.
    half = torch.full((len(origins),), 0.5, device=origins.device)
    active = torch.ones(len(origins), dtype=torch.bool, device=origins.device)
    return _padded(
        grid, origins, directions, active, grid.cells_of_view, step_m or grid.step_m, per_ray, half
    )


def _padded(
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    active: Bool[Tensor, " rays"],
    cells: Bool[Tensor, "gx gy gz"],
    step_m: float,
    per_ray: int,
    jitter: Float[Tensor, " rays"],
) -> RaySamples:
    # A ray that is not active gets no length instead of being left out: shapes stay the same.
    t_near, t_far = ray_box(origins, directions, grid.aabb)
    t_starts, count = march_padded(
        origins, directions, t_near, torch.where(active, t_far, t_near), cells, grid.aabb[0],
        grid.cell_m, step_m, grid.max_steps, per_ray, jitter,
    )  # fmt: skip
    valid = torch.arange(per_ray, device=origins.device) < count[:, None]
    return padded_samples(t_starts, torch.where(valid, t_starts + step_m, t_starts), valid)
