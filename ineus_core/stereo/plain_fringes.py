# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in plain regions of a picture that is that of a thing before them.

The window in which a pixel of a plain wall is matched reaches over the edge of a thing before the
wall, and that edge is all that it has to match: the wall gets the depth of the thing, some 10
pixels wide, in all pictures alike. Whether a plain region lies beside such an edge, or around a
mark on it, only its plane tells: what lies off it, or in a region without one, is not believed.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ineus_core.stereo.plain_regions import WIDTH_PX, even_regions

_OFF = 0.02
"""Share of the depth above which a pixel does not lie on a plane."""
_LEAST_PART, _LEAST_SURE = 0.06, 0.05
"""Share of a region that lies on its plane, and of that part which has sure depth."""


def without_fringes(
    rgb: UInt8[np.ndarray, "H W 3"],
    depth: Float[np.ndarray, "h w"],
    is_sure: Bool[np.ndarray, "h w"],
    planes: Float[np.ndarray, "h w"],
    shared: Float[np.ndarray, "h w"],
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the planes of plain regions that are no fringes themselves, and what is a fringe.

    Args:
        rgb: The picture, of any size.
        depth: Along the optical axis, in any unit; 0 where there is none.
        is_sure: Where it is.
        planes: The same on the planes of plain regions by this depth; 0 where none is known.
        shared: The same on planes that other pictures confirm, which are no fringes.
    """
    regions = _plain_regions(rgb, depth.shape)
    is_off = np.abs(depth - planes) > _OFF * planes
    area, filled, sure = (
        np.bincount(regions[of], minlength=regions.max() + 1)
        for of in (regions > 0, planes > 0, is_sure & ~is_off & (planes > 0))
    )
    # Else it is the strip beside an edge, or lies between one or two of them.
    is_plane = (filled >= _LEAST_PART * area) & (sure >= _LEAST_SURE * filled)
    is_known = (planes > 0) & (is_plane[regions] | (regions == 0))
    planes = np.where(is_known, planes, shared)
    is_off = np.abs(depth - planes) > _OFF * planes
    return planes, (regions > 0) & (depth > 0) & ((planes == 0) | is_off)


def _plain_regions(
    rgb: UInt8[np.ndarray, "H W 3"], shape: tuple[int, ...]
) -> Int[np.ndarray, "h w"]:
    """Return the numbers of large connected regions of even colour; 0 outside of all."""
    k = max(1, round(shape[1] / WIDTH_PX))
    size = shape[1] // k, shape[0] // k
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    found = np.zeros(grey.shape, np.int32)
    for number, region in enumerate(even_regions(grey), start=1):
        found[region > 0] = number
    return cv2.resize(found, shape[::-1], interpolation=cv2.INTER_NEAREST)
