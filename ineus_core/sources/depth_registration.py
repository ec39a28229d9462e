# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of a camera of its own, as the colour camera beside it would have measured it."""

import functools
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import cached_pixel_rays, project
from ineus_core.types import Camera

_OVERLAP = 1.1
"""Neighbours that are turned against the pixels would else leave cracks between them."""
_MOST_PX = 8
_TILTED = 12
"""More coefficients than these describe a tilted sensor."""


def register_depth(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
) -> Float[np.ndarray, "color_h color_w"]:
    """Depth along the axis of the colour camera, float32; the nearest where several meet.

    Every return covers as many colour pixels as its own pixel spans there.
    """
    size = (color_camera.height_px, color_camera.width_px)
    registered = np.full(size, np.inf, np.float32)
    given = (depth_m, depth_camera, color_camera, color_from_depth, registered)
    if find_spec("numba") is not None and len(color_camera.distortion) <= _TILTED:
        splat_by_numba(*given)
    else:
        splat_by_numpy(*given)
    registered[np.isinf(registered)] = 0.0
    return registered


def splat_by_numba(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
    registered: Float[np.ndarray, "color_h color_w"],
) -> None:
    """Lower `registered` to the depths that fall on its pixels."""
    from ineus_core.kernels.images.splat_depth import splat_depth

    color = color_camera
    distortion = np.zeros(12)
    distortion[: len(color.distortion)] = color.distortion
    splat_depth(
        depth_m,
        _plane(depth_camera),
        color_from_depth,
        np.array((color.fx, color.fy, color.cx, color.cy)),
        color.distortion_model == "equidistant",
        distortion,
        _spread(depth_camera, color),
        _MOST_PX,
        registered,
    )


def splat_by_numpy(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
    registered: Float[np.ndarray, "color_h color_w"],
) -> None:
    """The same in plain numpy, which takes 30 times as long."""
    hit = (depth_m > 0) & np.isfinite(depth_m)
    measured_m = depth_m[hit].astype(np.float64)
    plane = np.pad(
        _plane(depth_camera)[hit].astype(np.float64), ((0, 0), (0, 1)), constant_values=1
    )
    points = plane * measured_m[:, None] @ color_from_depth[:3, :3].T + color_from_depth[:3, 3]
    in_front = points[:, 2] > 1e-3
    points, measured_m = points[in_front], measured_m[in_front]
    pixels = project(color_camera, points)
    kept = np.isfinite(pixels).all(axis=1)
    points, pixels = points[kept], pixels[kept]
    spread_px = _spread(depth_camera, color_camera) * measured_m[kept] / points[:, 2]
    half_px = 0.5 * np.clip(spread_px, 1, _MOST_PX)[:, None]
    first, last = np.ceil(pixels - half_px - 0.5), np.ceil(pixels + half_px - 0.5) - 1
    height_px, width_px = registered.shape
    most = int((last - first).max(initial=-1)) + 1
    for down in range(most):
        for right in range(most):
            at = first + np.array((right, down))
            inside = (at <= last).all(axis=1) & (at >= 0).all(axis=1)
            inside &= (at[:, 0] < width_px) & (at[:, 1] < height_px)
            column, row = at[inside].astype(np.int64).T
            np.minimum.at(registered, (row, column), points[inside, 2].astype(np.float32))


def _spread(depth_camera: Camera, color_camera: Camera) -> float:
    """Colour pixels along the side of a depth pixel."""
    ratio = max(color_camera.fx / depth_camera.fx, color_camera.fy / depth_camera.fy)
    return _OVERLAP * ratio


@functools.lru_cache(maxsize=4)
def _plane(camera: Camera) -> Float[np.ndarray, "h w 2"]:
    """Where the view rays meet the plane z = 1; far away for those that hardly do."""
    rays = cached_pixel_rays(camera)
    return np.ascontiguousarray(rays[..., :2] / np.maximum(rays[..., 2:], 1e-6))
