# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching of rays through an occupancy grid: occupied steps become samples.

Versions of `march_packed`: plain torch, Triton (a warp takes a ray); of `march_padded`: plain
torch, numba. A captured step takes `march_packed_into` of `gpu.py`.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.dispatch import fastest
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
    """Pack the occupied steps of all rays into a budget, ray after ray.

    A ray that no longer fits the budget gets no sample, so that none is composited in part.

    Args:
        origins: World.
        directions: Unit length.
        occupied: Grid over the box.
        aabb: Box, world.
        step_m: Length of a step.
        max_steps: Steps tried on a ray, from where it enters the box.
        budget: Samples of the result.
        jitter: Shift of each ray's steps, in steps, 0 to 1.
    """
    return fastest("ray_marching", origins.device).march_packed(
        origins, directions, occupied, aabb, step_m, max_steps, budget, jitter
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
    """Return starts and number of the first occupied steps of each ray, which all have equal room.

    Args:
        origins: World.
        directions: Unit length.
        t_near: Where each ray begins; a ray with `t_far <= t_near` gets no sample.
        t_far: Where it ends.
        occupied: The grid.
        low_m: Lowest corner of the grid, world.
        cell_m: Side of a cell.
        step_m: Length of a step.
        max_steps: Steps tried on a ray.
        per_ray: Room of each ray.
        jitter: Shift of each ray's steps, in steps, 0 to 1.
    """
    return fastest("ray_marching", origins.device).march_padded(
        origins, directions, t_near, t_far, occupied, low_m, cell_m, step_m, max_steps, per_ray,
        jitter,
    )  # fmt: skip
