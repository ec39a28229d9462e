# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes through sure pixels, for what lies between them in the same colour and cannot be matched.

Inverse depth is linear over a plane. Sure pixels are gathered in cells of the picture and of grey
(a bilateral grid), and the smallest neighbourhood of cells that holds enough of them decides: one
plane goes through all of them, or there is none. So nothing is filled across an edge of depth.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

_CELL_PX, _CELL_GREY = 16, 12.0
_REACHES = (1, 2, 4, 8)
"""Cells to each side, the nearest tried first; of grey it is one."""
_FEWEST = 24.0
"""Weight of sure pixels that a plane takes."""
_FLAT = 0.02
"""Deviation of sure pixels from their plane, as a share of the inverse depth."""
_SURE = 0.02
"""Deviation that is expected of the plane at a filled pixel, likewise."""
_ALIKE_PX = 25.0
"""So many pixels that lie together make the same mistake."""
_STEP_ERROR = 0.3
"""Error of a sure pixel, as a share of what a pixel of the sources is worth."""
_THIN = 1e-7
"""Spread of plane coordinates below which pixels lie on a line."""


def plane_fill(
    inverse_depth: Float[Tensor, "h w"],
    weight: Float[Tensor, "h w"],
    grey: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    pixel_step: float,
) -> Float[Tensor, "h w"]:
    """Return the inverse depth of the plane that a pixel would be on; 0 where there is none.

    Args:
        inverse_depth: 1/m, where the weight is not 0.
        weight: How sure, 0 to 1.
        grey: 0 to 255.
        plane_xy: Where the rays of the pixels meet the plane z = 1.
        pixel_step: Change of inverse depth by a pixel of the sources, 1/m.
    """
    cell, shape = _cells(grey)
    # In double, as variances are small differences of large sums.
    x, y = plane_xy[..., 0].double(), plane_xy[..., 1].double()
    moments = _moments(inverse_depth.double(), weight.double(), x, y, cell, shape)
    gathered = torch.zeros_like(moments)
    for reach in _REACHES:
        gathered = torch.where(gathered[0] >= _FEWEST, gathered, _around(moments, reach))
    fit = _fit(torch.where(gathered[0] >= _FEWEST, gathered, 0.0))
    return _evaluated(fit.reshape(9, -1)[:, cell], x, y, pixel_step)


def _cells(grey: Float[Tensor, "h w"]) -> tuple[Int[Tensor, "h w"], tuple[int, int, int]]:
    """Return the cell of each pixel, and how many there are of grey, down and across."""
    height, width = grey.shape
    rows, columns = -(-height // _CELL_PX), -(-width // _CELL_PX)
    levels = int(255 // _CELL_GREY) + 1
    row = torch.arange(height, device=grey.device)[:, None] // _CELL_PX
    column = torch.arange(width, device=grey.device) // _CELL_PX
    # Also by grey, so that pixels of another colour in the same place do not count.
    level = (grey / _CELL_GREY).long().clamp(0, levels - 1)
    return (level * rows + row) * columns + column, (levels, rows, columns)


def _moments(
    q: Tensor, weight: Tensor, x: Tensor, y: Tensor, cell: Tensor, shape: tuple[int, int, int]
) -> Float[Tensor, "10 levels rows columns"]:
    """Return sums of 1 x y xx xy yy q qx qy qq over the sure pixels of each cell."""
    ones = torch.ones_like(q)
    terms = torch.stack((ones, x, y, x * x, x * y, y * y, q, q * x, q * y, q * q)) * weight
    sums = torch.zeros(10, shape[0] * shape[1] * shape[2], dtype=q.dtype, device=q.device)
    sums.index_add_(1, cell.flatten(), terms.reshape(10, -1))
    return sums.reshape(10, *shape)


def _around(moments: Float[Tensor, "10 l r c"], reach: int) -> Float[Tensor, "10 l r c"]:
    """Return sums over the cells within reach."""
    for axis, by in ((1, 1), (2, reach), (3, reach)):
        # As differences of running sums, which take as long for any reach.
        sums = functional.pad(moments.movedim(axis, -1).cumsum(dim=-1), (1, 0))
        cells = moments.shape[axis]
        at = torch.arange(cells, device=moments.device)
        upper, lower = (at + by + 1).clamp(max=cells), (at - by).clamp(min=0)
        moments = (sums[..., upper] - sums[..., lower]).movedim(-1, axis)
    return moments


def _fit(moments: Float[Tensor, "10 *cells"]) -> Float[Tensor, "9 *cells"]:
    """Plane through what was gathered: middle x y q, slopes, inverse spread xx xy yy, variance.

    The variance is infinite where there is no plane.
    """
    n, x, y, xx, xy, yy, q, qx, qy, qq = moments
    n = n.clamp(min=1e-9)
    x, y, q = x / n, y / n, q / n
    xx, xy, yy = xx / n - x * x + _THIN, xy / n - x * y, yy / n - y * y + _THIN
    qx, qy, qq = qx / n - q * x, qy / n - q * y, qq / n - q * q
    determinant = (xx * yy - xy * xy).clamp(min=_THIN * _THIN)
    inverse_xx, inverse_xy, inverse_yy = yy / determinant, -xy / determinant, xx / determinant
    slope_x, slope_y = inverse_xx * qx + inverse_xy * qy, inverse_xy * qx + inverse_yy * qy
    variance = (qq - slope_x * qx - slope_y * qy).clamp(min=0)
    variance = torch.where(variance < (_FLAT * q) ** 2, variance, torch.inf)
    # What one pixel says of the slopes, all alike say together.
    spread = _ALIKE_PX / n
    inverse = inverse_xx * spread, inverse_xy * spread, inverse_yy * spread
    return torch.stack((x, y, q, slope_x, slope_y, *inverse, variance))


def _evaluated(
    fit: Float[Tensor, "9 h w"], x: Tensor, y: Tensor, pixel_step: float
) -> Float[Tensor, "h w"]:
    """Inverse depth on the plane of each pixel's cell, where that is well known."""
    dx, dy = x - fit[0], y - fit[1]
    q = fit[2] + fit[3] * dx + fit[4] * dy
    far = fit[5] * dx * dx + 2 * fit[6] * dx * dy + fit[7] * dy * dy
    # What the plane has been fitted with, and how far from it the pixel lies (the variance of a
    # regression).
    error = (fit[8] + (_STEP_ERROR * pixel_step) ** 2) * (0.25 + far)
    is_known: Bool[Tensor, "h w"] = (q > 0) & (error < (_SURE * q) ** 2)
    return torch.where(is_known, q, 0.0).float()
