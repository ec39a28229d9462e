# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in few pixels as small planes, one around each pixel.

Versions: plain numpy with OpenCV, numba in one call. Both run on the host, where depth comes from,
so that no answer waits for a GPU that trains.
"""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.kernels.plane_fitting.reference import SamplePlaces

__all__ = ["SamplePlaces", "fitted_planes"]


def fitted_planes(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    places: SamplePlaces,
    limits_m: tuple[float, float],
) -> Float[np.ndarray, "h w 3"]:
    """Fit a plane a x + b y + c z = 1 around each pixel of a small camera; 0 0 0 at an edge.

    Inverse depth is linear in the pixels of a plane, so that each fit is a few sums over those
    pixels around it that have returns.

    Args:
        mask: Which pixels may be used; None: all.
        places: Where the small pixels look.
        limits_m: Returns nearer or farther count as none.
    """
    return fastest("plane_fitting", HOST).fitted_planes(depth_m, mask, places, limits_m)
