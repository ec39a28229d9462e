# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Splatting of the depth of one camera into another.

Versions: plain numpy, numba in one pass over the returns.
"""

import numpy as np
from jaxtyping import Float

from ineus_core.kernels.depth_splatting import reference
from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.types import Camera

_TILTED = 12
"""More coefficients than these describe a tilted sensor, which only the reference knows."""


def splat_depth(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
    registered: Float[np.ndarray, "color_h color_w"],
) -> None:
    """Lower `registered` to the depths in m that fall on its pixels.

    Every return covers as many pixels as its own pixel spans there, up to `MOST_PX` a side.

    Args:
        depth_m: Along the axis of its camera; what is not finite or not above 0 is no return.
        depth_camera: Camera of `depth_m`.
        color_camera: Camera of `registered`.
        color_from_depth: Pose of the depth camera in the frame of the other one.
        registered: Changed in place.
    """
    is_tilted = len(color_camera.distortion) > _TILTED
    operator = reference if is_tilted else fastest("depth_splatting", HOST)
    operator.splat_depth(depth_m, depth_camera, color_camera, color_from_depth, registered)
