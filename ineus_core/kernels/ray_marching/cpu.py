# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching of rays through an occupancy grid on a CPU; a ray stops once it has its samples."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.jit import in_parallel, jit
from ineus_core.kernels.ray_marching import reference
from ineus_core.kernels.shapes import expect_shape

march_packed = reference.march_packed
"""Without depth, for which it is, the field takes nearly all the time of a step."""

_LEAST = 256
"""Rays of a thread."""


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
    rays = len(origins)
    expect_shape("origins", origins, (rays, 3))
    expect_shape("directions", directions, (rays, 3))
    for name, values in (("t_near", t_near), ("t_far", t_far), ("jitter", jitter)):
        expect_shape(name, values, (rays,))
    expect_shape("occupied", occupied, (-1, -1, -1))
    expect_shape("low_m", low_m, (3,))
    t_starts = np.zeros((len(origins), per_ray), np.float32)
    count = np.zeros(len(origins), np.int64)
    in_parallel(
        _march,
        rays,
        origins.contiguous().numpy(),
        directions.contiguous().numpy(),
        t_near.contiguous().numpy(),
        t_far.contiguous().numpy(),
        occupied.numpy(),
        low_m.numpy(),
        np.float32(cell_m),
        np.float32(step_m),
        max_steps,
        jitter.numpy(),
        t_starts,
        count,
        least=_LEAST,
    )
    return torch.from_numpy(t_starts), torch.from_numpy(count)


@jit(error_model="numpy")
def _march(  # type: ignore[no-untyped-def]
    begin,
    end,
    origins,
    directions,
    t_near,
    t_far,
    occupied,
    low_m,
    cell_m,
    step_m,
    max_steps,
    jitter,
    t_starts,
    count,
):
    per_ray = t_starts.shape[1]
    # Unsigned, as a signed index is compared with 0 each time.
    for r in range(np.uint64(begin), np.uint64(end)):
        found = 0
        for k in range(max_steps):
            start = t_near[r] + (np.float32(k) + jitter[r]) * step_m
            # What the reference finds by trying all steps of all rays, a ray here stops at.
            if found == per_ray or start >= t_far[r]:
                break
            # The cell of its midpoint decides about a step.
            middle = start + np.float32(0.5) * step_m
            x = np.int64(np.floor((origins[r, 0] + directions[r, 0] * middle - low_m[0]) / cell_m))
            y = np.int64(np.floor((origins[r, 1] + directions[r, 1] * middle - low_m[1]) / cell_m))
            z = np.int64(np.floor((origins[r, 2] + directions[r, 2] * middle - low_m[2]) / cell_m))
            if x < 0 or y < 0 or z < 0:
                continue
            if x >= occupied.shape[0] or y >= occupied.shape[1] or z >= occupied.shape[2]:
                continue
            if occupied[x, y, z]:
                t_starts[r, found] = start
                found += 1
        count[r] = found
