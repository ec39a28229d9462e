# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of the rays of a whole image, in plain torch."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.geometry import ray_box
from ineus_core.kernels.ray_marching.reference import march_padded
from ineus_core.types import RaySamples

CLEAR = 8.0
"""Distances times sharpness beyond which a sample hides, or leaves, less than 1/2000."""


def march_view(
    origin: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    cells: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    per_ray: int,
) -> tuple[RaySamples, Float[Tensor, "samples 3"]]:
    """Return the first steps of each ray in set cells; see the door."""
    rays = len(directions)
    origins, half = origin.expand(rays, 3), torch.full((rays,), 0.5, device=directions.device)
    t_near, t_far = ray_box(origins, directions, aabb)
    # Cells are cubes, so that one axis tells.
    cell_m = float(aabb[1, 0] - aabb[0, 0]) / cells.shape[0]
    t_starts, count = march_padded(
        origins, directions, t_near, t_far, cells, aabb[0], cell_m, step_m, max_steps, per_ray,
        half,
    )  # fmt: skip
    used = torch.arange(per_ray, device=directions.device) < count[:, None]
    samples = _packed(t_starts[used], used.nonzero()[:, 0], count, step_m)
    t_mid = (samples.t_starts + 0.5 * step_m)[:, None]
    return samples, origin + directions[samples.ray_index] * t_mid


def keep_visible(
    samples: RaySamples,
    points: Float[Tensor, "samples 3"],
    sdf: Float[Tensor, " samples"],
    inv_s: Float[Tensor, ""],
    step_m: float,
) -> tuple[RaySamples, Float[Tensor, "kept 3"]]:
    """Leave out what lies clearly before the surface of a ray or behind it; see the door."""
    is_before = (sdf - 0.5 * step_m) * inv_s > CLEAR
    is_behind = (sdf + 0.5 * step_m) * inv_s < -CLEAR
    # From the first sample that may show something to the first that hides all the others.
    begun = _earlier_on_ray(~is_before, samples) + (~is_before).long() > 0
    kept = begun & (_earlier_on_ray(is_behind, samples) == 0)
    ray = samples.ray_index.long()
    count = torch.zeros_like(samples.count).index_add(0, ray, kept.to(samples.count.dtype))
    return _packed(samples.t_starts[kept], ray[kept], count, step_m), points[kept]


def _earlier_on_ray(
    flags: Bool[Tensor, " samples"], samples: RaySamples
) -> Int[Tensor, " samples"]:
    """Count the flags of the samples before each one on its ray."""
    before = flags.long().cumsum(0) - flags.long()
    return before - before[samples.first.long()[samples.ray_index.long()]]


def _packed(
    t_starts: Float[Tensor, " samples"],
    ray_index: Int[Tensor, " samples"],
    count: Int[Tensor, " rays"],
    step_m: float,
) -> RaySamples:
    valid = torch.ones_like(t_starts, dtype=torch.bool)
    first = count.cumsum(0) - count
    return RaySamples(t_starts, t_starts + step_m, ray_index, valid, first, count)
