# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Splatting of the depth of one camera into another, in plain numpy."""

import functools

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import pixel_rays, project
from ineus_core.types import Camera

_OVERLAP = 1.1
"""Neighbours that are turned against the pixels would else leave cracks between them."""
MOST_PX = 8
"""Most pixels along the side of a return."""


def splat_depth(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
    registered: Float[np.ndarray, "color_h color_w"],
) -> None:
    """Lower `registered` to the depths that fall on its pixels; see the door."""
    hit = (depth_m > 0) & np.isfinite(depth_m)
    measured_m = depth_m[hit].astype(np.float64)
    plane = np.pad(
        plane_of(depth_camera)[hit].astype(np.float64), ((0, 0), (0, 1)), constant_values=1
    )
    points = plane * measured_m[:, None] @ color_from_depth[:3, :3].T + color_from_depth[:3, 3]
    in_front = points[:, 2] > 1e-3
    points, measured_m = points[in_front], measured_m[in_front]
    pixels = project(color_camera, points)
    kept = np.isfinite(pixels).all(axis=1)
    points, pixels = points[kept], pixels[kept]
    spread_px = spread(depth_camera, color_camera) * measured_m[kept] / points[:, 2]
    # At least the pixel that it falls on; at most so many, or a return next to the lens would
    # cover the picture.
    half_px = 0.5 * np.clip(spread_px, 1, MOST_PX)[:, None]
    first, last = np.ceil(pixels - half_px - 0.5), np.ceil(pixels + half_px - 0.5) - 1
    height_px, width_px = registered.shape
    most = int((last - first).max(initial=-1)) + 1
    for down in range(most):
        for right in range(most):
            at = first + np.array((right, down))
            inside = (at <= last).all(axis=1) & (at >= 0).all(axis=1)
            inside &= (at[:, 0] < width_px) & (at[:, 1] < height_px)
            column, row = at[inside].astype(np.int64).T
            # `at`, as several returns of one call may fall on the same pixel.
            np.minimum.at(registered, (row, column), points[inside, 2].astype(np.float32))


def spread(depth_camera: Camera, color_camera: Camera) -> float:
    """Return the colour pixels along the side of a depth pixel at the same distance."""
    ratio = max(color_camera.fx / depth_camera.fx, color_camera.fy / depth_camera.fy)
    return _OVERLAP * ratio


@functools.lru_cache(maxsize=4)
def plane_of(camera: Camera) -> Float[np.ndarray, "h w 2"]:
    """Return where the view rays meet the plane z = 1; far away for those that hardly do."""
    rays = pixel_rays(camera)
    return np.ascontiguousarray(rays[..., :2] / np.maximum(rays[..., 2:], 1e-6))
