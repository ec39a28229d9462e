# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether one view of depth shows the surface of another or looks through it, in plain numpy."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Int8

TELLS_NOTHING, SHOWS, LOOKS_THROUGH = 0, 1, -1
NEAREST_M = 0.05
"""Points nearer to the second camera are not compared: their pixel says little of where it is."""


@dataclass(frozen=True)
class DepthViews:
    """Views of one size, as depth along the axis of a camera without distortion."""

    depth_m: Float[np.ndarray, "views h w"]
    """0 where there is no return."""
    nearest_m: Float[np.ndarray, "views h w"]
    """The least of the returns in and around a pixel; 0 where any of them is missing."""
    intrinsics: Float[np.ndarray, "views 4"]
    """fx, fy, cx and cy of each view."""
    tolerance_m: float
    """By which depth of the same surface may differ close to the camera."""
    tolerance_per_m: float
    """What is added for each square metre of depth: the noise of sensors grows with its square."""


@dataclass(frozen=True)
class Window:
    """Pixels that are looked at, and around them a square."""

    columns: Float[np.ndarray, "h w"]
    """As OpenCV counts pixels: of the nearest one. What lies outside has no return."""
    rows: Float[np.ndarray, "h w"]
    side_px: int
    """Of the square; one of even pixels reaches farther up and to the left."""


def compare_depth(
    views: DepthViews,
    pairs: Int[np.ndarray, "pairs 2"],
    second_from_first: Float[np.ndarray, "pairs 4 4"],
    stride_px: int,
) -> Int8[np.ndarray, "pairs rows columns"]:
    """Return what the door says."""
    height_px, width_px = views.depth_m.shape[1:]
    rows, columns = np.mgrid[
        stride_px // 2 : height_px : stride_px, stride_px // 2 : width_px : stride_px
    ]
    told = np.full((len(pairs), *rows.shape), TELLS_NOTHING, np.int8)
    for number, (first, second) in enumerate(pairs):
        fx, fy, cx, cy = views.intrinsics[first]
        depth_m = views.depth_m[first, rows, columns].astype(np.float64)
        rays = np.stack(
            ((columns + 0.5 - cx) / fx, (rows + 0.5 - cy) / fy, np.ones(rows.shape)), axis=-1
        )
        motion = second_from_first[number]
        points = (rays * depth_m[..., None]) @ motion[:3, :3].T + motion[:3, 3]
        is_ahead = (depth_m > 0) & (points[..., 2] > NEAREST_M)
        # All are divided by it, also those that are left out.
        z = np.where(is_ahead, points[..., 2], 1.0)
        fx, fy, cx, cy = views.intrinsics[second]
        u, v = fx * points[..., 0] / z + cx, fy * points[..., 1] / z + cy
        inside = is_ahead & (u >= 0) & (v >= 0) & (u < width_px) & (v < height_px)
        # Some pixel for those outside, so that the index is one.
        v, u = (np.where(inside, at, 0).astype(int) for at in (v, u))
        there_m = views.depth_m[second, v, u].astype(np.float64)
        nearest_m = views.nearest_m[second, v, u].astype(np.float64)
        tolerance_m = views.tolerance_m + views.tolerance_per_m * z**2
        shows = inside & (there_m > 0) & (np.abs(there_m - z) <= tolerance_m)
        told[number][shows] = SHOWS
        told[number][inside & ~shows & (nearest_m > z + tolerance_m)] = LOOKS_THROUGH
    return told


def depth_around(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    window: Window,
    limits_m: tuple[float, float],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return what the door says."""
    believed = (depth_m >= limits_m[0]) & (depth_m <= limits_m[1])
    if mask is not None:
        believed &= mask
    depth_m = np.where(believed, depth_m, np.float32(0)).astype(np.float32)
    around = np.ones((window.side_px, window.side_px), np.uint8)
    # What lies outside of the picture is as good as no return.
    nearest_m = cv2.erode(depth_m, around, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return tuple(  # type: ignore[return-value]
        cv2.remap(
            image, window.columns, window.rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
        )
        for image in (depth_m, nearest_m)
    )
