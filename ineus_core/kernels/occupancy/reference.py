# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Log odds of the cells of a grid from a depth image, and its rays, in plain torch."""

import math

import torch
from jaxtyping import Bool, Float, Int8, Int16, UInt8
from torch import Tensor

from ineus_core.kernels.occupancy.block_flags import BlockFlags

PASSED, RETURNED = 1, 2
"""Marks of a cell while an image is taken in, the stronger one above the other."""
NO_RETURN = -1e9
"""Range of a ray without a return: no cell is nearer than it."""
UNKNOWN = -math.inf
"""Range of a ray of a pixel that may not be used: not even that there is no return is known."""


def integrate_depth(
    log_odds: Int8[Tensor, "gx gy gz"],
    scratch: UInt8[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    truncation_cells: float,
    band_cells: float,
    gains: tuple[int, int, int],
) -> None:
    """Update the log odds in place; see the door."""
    hit, miss, limit = gains
    device = log_odds.device
    # In halves of a cell, so that none is stepped over.
    offsets = torch.arange(0.0, 2 * band_cells + 1e-6, 0.5, device=device)
    surface_t = (range_cells[:, None] - band_cells).clamp(min=0.0) + offsets
    on_surface = surface_t <= range_cells[:, None] + band_cells
    surface = _marked(log_odds, origin_cells, directions, surface_t, on_surface)
    longest = float(range_cells.max()) if len(range_cells) else 0.0
    # From half a cell on: the cell of the camera itself is not observed.
    free_t = torch.arange(0.5, max(longest, 0.5), 1.0, device=device).expand(len(range_cells), -1)
    before = free_t < (range_cells - truncation_cells)[:, None]
    free = _marked(log_odds, origin_cells, directions, free_t, before)
    change = torch.where(surface, hit, torch.where(free, miss, 0))
    value = (log_odds + change).clamp(-limit, limit)
    # 0 stands for cells that no image has touched.
    value = torch.where((surface | free) & (value == 0), -1, value)
    log_odds.copy_(value)


def _marked(
    log_odds: Int8[Tensor, "gx gy gz"],
    origin: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    t: Float[Tensor, "rays steps"],
    valid: Bool[Tensor, "rays steps"],
) -> Bool[Tensor, "gx gy gz"]:
    shape = torch.tensor(log_odds.shape, device=log_odds.device)
    cell = (origin + directions[:, None] * t[..., None]).floor().long()
    inside = valid & (cell >= 0).all(-1) & (cell < shape).all(-1)
    index = (cell[..., 0] * shape[1] + cell[..., 1]) * shape[2] + cell[..., 2]
    # Cells outside all land in one spare entry.
    marked = torch.zeros(log_odds.numel() + 1, dtype=torch.bool, device=log_odds.device)
    marked[torch.where(inside, index, torch.full_like(index, log_odds.numel())).reshape(-1)] = True
    return marked[:-1].view(log_odds.shape)


def rays_of_depth(
    depth: Int16[Tensor, " pixels"],
    camera_rays: Float[Tensor, "pixels 3"],
    world_from_camera: Float[Tensor, "3 4"],
    depth_step_m: float,
    width_px: int,
    stride_px: int,
    blocks: BlockFlags,
    number: int,
) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, " rays"]]:
    """Return directions and ranges, flag the blocks of the returns; see the door."""
    image = depth.view(-1, width_px)[::stride_px, ::stride_px].reshape(-1)
    in_camera = camera_rays.view(-1, width_px, 3)[::stride_px, ::stride_px].reshape(-1, 3)
    directions = in_camera @ world_from_camera[:, :3].T
    hit = image > 0
    range_m = image.float() * depth_step_m / in_camera[:, 2].clamp(min=1e-6)
    points = world_from_camera[:, 3] + directions[hit] * range_m[hit, None]
    shape = torch.tensor(blocks.flags.shape, device=depth.device)
    for margin_m in (-blocks.margin_m, blocks.margin_m):
        low = torch.tensor(blocks.low, device=depth.device)
        block = torch.floor((points + margin_m) / blocks.block_m).long() - low
        x, y, z = block[((block >= 0) & (block < shape)).all(dim=1)].unbind(dim=1)
        # The first image that had a return in a block keeps its number.
        old = blocks.flags[x, y, z]
        blocks.flags[x, y, z] = torch.where(old == 0, number, old).to(old.dtype)
    return directions, torch.where(hit, range_m, torch.where(image < 0, UNKNOWN, NO_RETURN))
