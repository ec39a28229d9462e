# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of a camera of its own, as the colour camera beside it would have measured it."""

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.kernels.depth_splatting import splat_depth
from ineus_core.types import Camera


def own_depth_camera(
    mode: str,
    color: tuple[Camera | None, str],
    depth: tuple[Camera, str],
) -> Camera | None:
    """Return the camera of depth images if it is not that of the colour images.

    Args:
        mode: `color`: depth is registered to colour in any case; else `auto` or `own`.
        color: Camera and frame id of colour.
        depth: Camera and frame id of its own camera_info.
    """
    if mode == "color":
        return None
    is_there = depth[1] in ("", color[1])
    is_same = color[0] is not None and same_pinhole(color[0], depth[0])
    return None if is_there and is_same else depth[0]


def same_pinhole(a: Camera, b: Camera) -> bool:
    """Decide whether cameras agree but for the distortion, which drivers of depth leave out."""
    if (a.width_px, a.height_px) != (b.width_px, b.height_px):
        return False
    return bool(np.allclose((a.fx, a.fy, a.cx, a.cy), (b.fx, b.fy, b.cx, b.cy), rtol=1e-3))


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
