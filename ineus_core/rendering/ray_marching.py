# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rays marched through cells: the first steps of each that lie in cells which are set."""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.geometry import ray_box
from ineus_core.kernels.ray_marching import reference as ray_march_torch
from ineus_core.types import RaySamples


class CellMarcher:
    """Makes samples of the steps of rays through the cells of a grid.

    Args:
        cell_m: Side of a cell.
        max_steps: Tried along a ray.
        device: Where rays and cells lie.
    """

    def __init__(self, cell_m: float, max_steps: int, device: torch.device) -> None:
        """Choose the operator."""
        self._cell_m, self._max_steps, self._device = cell_m, max_steps, device
        self._march_padded = _operator(device)

    def padded(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        active: Bool[Tensor, " rays"],
        cells: Bool[Tensor, "gx gy gz"],
        aabb: Float[Tensor, "2 3"],
        step_m: float,
        per_ray: int,
        jitter: Float[Tensor, " rays"],
    ) -> RaySamples:
        """The first steps of each active ray in set cells, equal room for each; the rest is void.

        Args:
            aabb: Box of the cells, world.
            step_m: Length of a step.
            per_ray: Samples that a ray has room for.
            jitter: Place of the first step of each ray, 0 to 1.
        """
        rays = len(origins)
        t_near, t_far = ray_box(origins, directions, aabb)
        t_starts, count = self._march_padded(
            origins,
            directions,
            t_near,
            torch.where(active, t_far, t_near),
            cells,
            aabb[0],
            self._cell_m,
            step_m,
            self._max_steps,
            per_ray,
            jitter,
        )
        valid = torch.arange(per_ray, device=self._device) < count[:, None]
        ray = torch.arange(rays, device=self._device)
        return RaySamples(
            t_starts=t_starts.reshape(-1),
            t_ends=torch.where(valid, t_starts + step_m, t_starts).reshape(-1),
            ray_index=ray.repeat_interleave(per_ray, output_size=rays * per_ray),
            valid=valid.reshape(-1),
            first=ray * per_ray,
            count=count,
        )

    def packed(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        cells: Bool[Tensor, "gx gy gz"],
        aabb: Float[Tensor, "2 3"],
        step_m: float,
        budget: int,
        jitter: Float[Tensor, " rays"],
    ) -> RaySamples:
        """All steps of the rays in set cells, in one budget; arguments as of `padded`."""
        return ray_march_torch.ray_march(
            origins, directions, cells, aabb, step_m, self._max_steps, budget, jitter
        )


def _operator(device: torch.device) -> Callable[..., tuple[Tensor, Tensor]]:
    """The fastest operator there is on a device."""
    if device.type == "cpu" and find_spec("numba") is not None:
        from ineus_core.kernels.ray_marching import cpu as ray_march_numba

        return ray_march_numba.march_padded
    return ray_march_torch.march_padded
