# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Splatting of the depth of one camera into another, by numba: one pass over the returns."""

import numpy as np
from jaxtyping import Float

from ineus_core.kernels.depth_splatting.reference import MOST_PX, plane_of, spread
from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape
from ineus_core.types import Camera


def splat_depth(
    depth_m: Float[np.ndarray, "h w"],
    depth_camera: Camera,
    color_camera: Camera,
    color_from_depth: Float[np.ndarray, "4 4"],
    registered: Float[np.ndarray, "color_h color_w"],
) -> None:
    """Lower `registered` to the depths that fall on its pixels; see the door."""
    color = color_camera
    expect_shape("depth", depth_m, (depth_camera.height_px, depth_camera.width_px))
    expect_shape("registered", registered, (color.height_px, color.width_px))
    expect_shape("color_from_depth", color_from_depth, (4, 4))
    # k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4, or k1 k2 k3 k4 if equidistant.
    distortion = np.zeros(12)
    distortion[: len(color.distortion)] = color.distortion
    _splat(
        plain(depth_m, np.float32),
        plain(plane_of(depth_camera), np.float32),
        plain(color_from_depth, np.float64),
        np.array((color.fx, color.fy, color.cx, color.cy)),
        color.distortion_model == "equidistant",
        distortion,
        spread(depth_camera, color),
        MOST_PX,
        registered,
    )


@jit(inline="always")
def bend(x, y, is_equidistant, k):  # type: ignore[no-untyped-def]
    """Distort coordinates on the plane z = 1 (models of OpenCV's calib3d)."""
    r2 = x * x + y * y
    if is_equidistant:
        r = np.sqrt(r2)
        # On the axis the angle over the radius is 1, which the division would not say.
        if r < 1e-9:
            return x, y
        angle = np.arctan(r)
        a2 = angle * angle
        bent = angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3]))))
        return x * bent / r, y * bent / r
    radial = (1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))) / (
        1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7]))
    )
    bent_x = x * radial + 2 * k[2] * x * y + k[3] * (r2 + 2 * x * x) + r2 * (k[8] + r2 * k[9])
    bent_y = y * radial + k[2] * (r2 + 2 * y * y) + 2 * k[3] * x * y + r2 * (k[10] + r2 * k[11])
    return bent_x, bent_y


@jit()
def _splat(depth_m, plane, to_from, pinhole, is_equidistant, k, spread, most_px, registered):  # type: ignore[no-untyped-def]
    height_px, width_px = registered.shape
    for row in range(depth_m.shape[0]):
        for column in range(depth_m.shape[1]):
            d = np.float64(depth_m[row, column])
            # Also NaN.
            if not (d > 0 and d < np.inf):
                continue
            # Depth is along the axis, so that the point on the plane z = 1 times it is the point.
            px, py = plane[row, column, 0] * d, plane[row, column, 1] * d
            z = to_from[2, 0] * px + to_from[2, 1] * py + to_from[2, 2] * d + to_from[2, 3]
            if not z > 1e-3:
                continue
            x = to_from[0, 0] * px + to_from[0, 1] * py + to_from[0, 2] * d + to_from[0, 3]
            y = to_from[1, 0] * px + to_from[1, 1] * py + to_from[1, 2] * d + to_from[1, 3]
            bent_x, bent_y = bend(x / z, y / z, is_equidistant, k)
            u, v = pinhole[0] * bent_x + pinhole[2], pinhole[1] * bent_y + pinhole[3]
            half = 0.5 * min(max(spread * d / z, 1.0), np.float64(most_px))
            # In this order a pixel that is NaN or far away falls out.
            if not (u > -half and u < width_px + half and v > -half and v < height_px + half):
                continue
            # Pixels whose centres, at halves, lie within the square.
            first_u, last_u = int(np.ceil(u - half - 0.5)), int(np.ceil(u + half - 0.5))
            first_v, last_v = int(np.ceil(v - half - 0.5)), int(np.ceil(v + half - 0.5))
            value = np.float32(z)
            for j in range(max(first_v, 0), min(last_v, height_px)):
                for i in range(max(first_u, 0), min(last_u, width_px)):
                    # The nearest return hides the others.
                    registered[j, i] = min(registered[j, i], value)
