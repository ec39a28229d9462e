# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes through holes of a depth image, each fitted to the rim of its hole.

Versions: plain numpy with OpenCV, numba in one call. Both run on the host, where depth comes from.
"""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.kernels.hole_planes.reference import PlanarHoles

__all__ = ["PlanarHoles", "planar_holes"]


def planar_holes(
    depth_m: Float[np.ndarray, "h w"],
    slopes: Float[np.ndarray, "h w 2"],
    usable: Bool[np.ndarray, "h w"] | None,
    limits_m: tuple[float, float],
) -> PlanarHoles:
    """Find holes whose whole rim lies on one plane, the largest first.

    The inverse depth of a plane is linear in the slopes of a ray. At the edge of an object, where
    a structured-light sensor sees nothing either, the rim has two depths.

    Args:
        depth_m: 0 where there is no return.
        slopes: x and y of the rays at z = 1.
        usable: False where a pixel shows nothing of the scene; None: all do.
        limits_m: The depth that is believed.
    """
    return fastest("hole_planes", HOST).planar_holes(depth_m, slopes, usable, limits_m)
