# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of the rays of a whole image, in two passes: by cells, then by what is seen.

Versions: plain torch, Triton (a thread takes a ray).
"""

from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest
from ineus_core.types import RaySamples


def march_view(
    origin: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    cells: Bool[Tensor, "gx gy gz"],
    aabb: Float[Tensor, "2 3"],
    step_m: float,
    max_steps: int,
    per_ray: int,
) -> tuple[RaySamples, Float[Tensor, "samples 3"]]:
    """Return the first steps of each ray in set cells, packed, and their midpoints in the world.

    Waits for the device once, for the number of samples.

    Args:
        origin: Of all rays, world.
        directions: Unit length.
        cells: Grid over the box.
        aabb: Box, world.
        step_m: Length of a step; the first begins half a step behind the entry into the box.
        max_steps: Steps tried on a ray.
        per_ray: Most samples of a ray.
    """
    return fastest("image_rays", directions.device).march_view(
        origin, directions, cells, aabb, step_m, max_steps, per_ray
    )


def keep_visible(
    samples: RaySamples,
    points: Float[Tensor, "samples 3"],
    sdf: Float[Tensor, " samples"],
    inv_s: Float[Tensor, ""],
    step_m: float,
) -> tuple[RaySamples, Float[Tensor, "kept 3"]]:
    """Leave out what lies clearly before the surface of a ray or behind it.

    That is what can neither hide nor show 1/2000 of anything (`reference.CLEAR`). Waits once.

    Args:
        samples: Of `march_view`.
        points: Their midpoints, world.
        sdf: Distance there, m.
        inv_s: Sharpness, 1/m.
        step_m: Length of a step.
    """
    operator = fastest("image_rays", sdf.device)
    return operator.keep_visible(samples, points, sdf, inv_s, step_m)
