# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching of rays through an occupancy grid, in plain torch: occupied steps become samples."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.geometry import ray_box
from ineus_core.types import RaySamples


def march_packed(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupied: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    budget: int,
    jitter: Float[Tensor, " rays"],
) -> RaySamples:
    """Pack the occupied steps of all rays into a budget; see the door."""
    rays, device = len(origins), origins.device
    t_near, t_far = ray_box(origins, directions, aabb)
    steps = torch.arange(max_steps, device=device)
    t_starts = t_near[:, None] + (steps + jitter[:, None]) * step_m
    t_mid = t_starts + 0.5 * step_m
    points = origins[:, None] + directions[:, None] * t_mid[..., None]
    shape = torch.tensor(occupied.shape, device=device)
    cell = ((points - aabb[0]) / (aabb[1] - aabb[0]) * shape).floor().long()
    inside = (t_mid < t_far[:, None]) & (cell >= 0).all(-1) & (cell < shape).all(-1)
    cell = cell.clamp(min=0).minimum(shape - 1)
    hit = inside & occupied[cell[..., 0], cell[..., 1], cell[..., 2]]
    count = hit.sum(dim=1)
    last = count.cumsum(0)
    count = torch.where(last <= budget, count, torch.zeros_like(count))
    first = count.cumsum(0) - count
    fits = hit & (last <= budget)[:, None]
    # Steps that are no samples all land in one spare row behind the budget.
    place = torch.where(fits, first[:, None] + hit.cumsum(1) - 1, torch.full_like(steps, budget))

    def pack(values: Tensor) -> Tensor:
        packed = torch.zeros(budget + 1, dtype=values.dtype, device=device)
        return packed.scatter_(0, place.reshape(-1), values.reshape(-1))[:budget]

    ray_index = torch.arange(rays, device=device)[:, None].expand(rays, max_steps)
    packed_starts = pack(t_starts)
    valid = torch.arange(budget, device=device) < count.sum()
    return RaySamples(
        t_starts=packed_starts,
        t_ends=torch.where(valid, packed_starts + step_m, packed_starts),
        ray_index=pack(ray_index),
        valid=valid,
        first=first,
        count=count,
    )


def march_padded(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    t_near: Float[Tensor, " rays"],
    t_far: Float[Tensor, " rays"],
    occupied: Bool[Tensor, "gx gy gz"],
    low_m: Float[Tensor, " 3"],
    cell_m: float,
    step_m: float,
    max_steps: int,
    per_ray: int,
    jitter: Float[Tensor, " rays"],
) -> tuple[Float[Tensor, "rays per_ray"], Int[Tensor, " rays"]]:
    """Return the starts of the first occupied steps and their number; see the door."""
    steps = torch.arange(max_steps, device=t_near.device) + jitter[:, None]
    t_starts = t_near[:, None] + steps * step_m
    points = origins[:, None] + directions[:, None] * (t_starts + 0.5 * step_m)[..., None]
    shape = torch.tensor(occupied.shape, device=t_near.device)
    cell = ((points - low_m) / cell_m).floor().long()
    inside = (t_starts < t_far[:, None]) & (cell >= 0).all(-1) & (cell < shape).all(-1)
    cell = cell.clamp(min=0).minimum(shape - 1)
    hit = inside & occupied[cell[..., 0], cell[..., 1], cell[..., 2]]
    rank = hit.cumsum(dim=1) - 1
    place = torch.where(hit & (rank < per_ray), rank, torch.full_like(rank, per_ray))
    packed = torch.zeros((len(origins), per_ray + 1), device=t_near.device)
    return packed.scatter_(1, place, t_starts)[:, :per_ray], hit.sum(dim=1).clamp(max=per_ray)
