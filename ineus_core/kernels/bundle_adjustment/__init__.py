# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of some views and the points that they see, so that each point is where it is seen.

Versions: plain numpy, numba in one pass over the sightings. Both run on the host.
"""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.bundle_adjustment.reference import PointSightings, median_depth, off_by
from ineus_core.kernels.dispatch import HOST, fastest

__all__ = ["PointSightings", "median_depth", "off_by", "stepped", "triangulated"]


def triangulated(
    sightings: PointSightings, poses: Float[np.ndarray, "views 4 4"]
) -> Float[np.ndarray, "points 3"]:
    """Return the points that are nearest to the rays that see them."""
    return fastest("bundle_adjustment", HOST).triangulated(sightings, poses)


def stepped(
    sightings: PointSightings,
    given: Float[np.ndarray, "views 4 4"],
    poses: Float[np.ndarray, "views 4 4"],
    points: Float[np.ndarray, "points 3"],
    is_free: Bool[np.ndarray, " views"],
    spread: float,
) -> tuple[Float[np.ndarray, "views 4 4"], Float[np.ndarray, "points 3"]]:
    """Return better poses and points by one Gauss-Newton step (bundle adjustment).

    Args:
        given: What poses are held to.
        is_free: Which of them are moved.
        spread: Deviation of the given poses, in rad; that of positions follows by the depth.
    """
    return fastest("bundle_adjustment", HOST).stepped(
        sightings, given, poses, points, is_free, spread
    )
