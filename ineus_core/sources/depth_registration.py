# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of a camera of its own, as the colour camera beside it would have measured it."""

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.kernels.depth_splatting import splat_depth
from ineus_core.types import Camera


def register_depth(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
) -> Float[np.ndarray, "color_h color_w"]:
    """Return depth along the axis of the colour camera, float32; the nearest where several meet.

    Every return covers as many colour pixels as its own pixel spans there.

    Raises:
        SourceError: The depth has another size than its camera.
    """
    if depth_m.shape != (depth_camera.height_px, depth_camera.width_px):
        raise SourceError(
            f"depth image of {depth_m.shape[1]} x {depth_m.shape[0]} pixels: expected the "
            f"{depth_camera.width_px} x {depth_camera.height_px} of its camera"
        )
    size = (color_camera.height_px, color_camera.width_px)
    registered = np.full(size, np.inf, np.float32)
    splat_depth(depth_m, depth_camera, color_camera, color_from_depth, registered)
    registered[np.isinf(registered)] = 0.0
    return registered
