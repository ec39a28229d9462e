# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Evidence of a depth image for the cells of a grid, in plain torch."""

import torch
from jaxtyping import Bool, Float, Int8, UInt8
from torch import Tensor


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
    """Update the log odds in place: cells around returns gain, cells that rays pass through lose.

    A cell gains or loses once an image, however many rays touch it, and a return beats a pass.
    A cell that was touched is never 0 again, which stands for unseen.

    Args:
        scratch: Zeros, and zeros again afterwards; room that some versions need.
        origin_cells: Camera in units of cells from the lowest corner.
        truncation_cells: A ray says nothing of this stretch before its return.
        band_cells: Half length of the stretch around the return that gains.
        gains: Of a return, of a pass, and the bound of the log odds.
    """
    hit, miss, limit = gains
    device = log_odds.device
    offsets = torch.arange(0.0, 2 * band_cells + 1e-6, 0.5, device=device)
    surface_t = (range_cells[:, None] - band_cells).clamp(min=0.0) + offsets
    on_surface = surface_t <= range_cells[:, None] + band_cells
    surface = _marked(log_odds, origin_cells, directions, surface_t, on_surface)
    longest = float(range_cells.max()) if len(range_cells) else 0.0
    free_t = torch.arange(0.5, max(longest, 0.5), 1.0, device=device).expand(len(range_cells), -1)
    before = free_t < (range_cells - truncation_cells)[:, None]
    free = _marked(log_odds, origin_cells, directions, free_t, before)
    change = torch.where(surface, hit, torch.where(free, miss, 0))
    value = (log_odds + change).clamp(-limit, limit)
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
