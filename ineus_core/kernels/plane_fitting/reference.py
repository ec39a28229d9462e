# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in few pixels as small planes, in plain numpy with OpenCV."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

NEAREST_M = 1e-3
"""Nearer returns have no inverse that counts."""
FEWEST_SAMPLES = 0.25
"""Share of them that a pixel needs; sensors leave out pixels, and registered depth whole lines."""
RADIUS_PX = 2
FEWEST_PX = 0.6
"""Share of the pixels around one that its plane needs."""
STEP = 0.08
"""Share of the depth by which the returns in one pixel may differ: more is an edge."""
BEND = 0.006
"""Share of the depth by which those around a pixel may differ from a plane, in the mean."""
NOISE = 2.5
"""They may also differ by so many times what they usually do: so noisy is the sensor."""
ALL = 0.999
"""Weight of the returns around a sample from which it counts as between returns, all four."""


@dataclass(frozen=True)
class SamplePlaces:
    """Where in a picture the samples of small pixels lie, as OpenCV counts pixels."""

    columns: Float[np.ndarray, "samples h w"]
    rows: Float[np.ndarray, "samples h w"]
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx and cy of the small pixels, which have no lens."""


def fitted_planes(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    places: SamplePlaces,
    limits_m: tuple[float, float],
) -> Float[np.ndarray, "h w 3"]:
    """Return what the door says."""
    inverse_m, known = _inverse_depth(depth_m, mask, places, limits_m)
    side = 2 * RADIUS_PX + 1
    ones, along = np.ones(side), np.arange(-RADIUS_PX, RADIUS_PX + 1.0)
    # Counted in floats.
    share = known.astype(np.float64)
    count = _filtered(share, ones, ones)
    is_enough = known & (count > FEWEST_PX * side**2)
    count = np.where(is_enough, count, 1)

    def mean(image: Float[np.ndarray, "h w"], x: int, y: int) -> Float[np.ndarray, "h w"]:
        return _filtered(image, along**x, along**y) / count

    x, y, value = mean(share, 1, 0), mean(share, 0, 1), mean(inverse_m, 0, 0)
    xx, yy, xy = mean(share, 2, 0) - x**2, mean(share, 0, 2) - y**2, mean(share, 1, 1) - x * y
    of_x, of_y = mean(inverse_m, 1, 0) - x * value, mean(inverse_m, 0, 1) - y * value
    # More than half of a square never lie on one line.
    area = np.where(is_enough, xx * yy - xy**2, 1)
    right, down = (of_x * yy - of_y * xy) / area, (of_y * xx - of_x * xy) / area
    # What is left of the variance after the plane: no second pass over the picture.
    squares = mean(inverse_m**2, 0, 0) - value**2
    bend = np.sqrt(np.maximum(squares - right * of_x - down * of_y, 0))
    # Of a sensor that measures by disparity inverse depth has the same noise near and far.
    noise = np.median(bend[is_enough]) if is_enough.any() else 0.0
    is_plane = is_enough & (bend <= np.maximum(BEND * value, NOISE * noise))
    at_pixel = value - right * x - down * y
    fx, fy, cx, cy = places.intrinsics
    column = np.arange(known.shape[1]) + 0.5 - cx
    row = np.arange(known.shape[0])[:, None] + 0.5 - cy
    planes = np.stack((right * fx, down * fy, at_pixel - right * column - down * row), axis=-1)
    return np.where(is_plane[..., None], planes, 0.0).astype(np.float32)


def _filtered(
    image: Float[np.ndarray, "h w"],
    along_rows: Float[np.ndarray, " k"],
    along_columns: Float[np.ndarray, " k"],
) -> Float[np.ndarray, "h w"]:
    return cv2.sepFilter2D(
        # In double, as the bend is a small difference of squares.
        image,
        cv2.CV_64F,
        along_rows,
        along_columns,
        borderType=cv2.BORDER_CONSTANT,
    )


def _inverse_depth(
    depth_m: Float[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"] | None,
    places: SamplePlaces,
    limits_m: tuple[float, float],
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the mean inverse depth of the returns in each small pixel, 0 where few are there."""
    believed = (depth_m >= max(limits_m[0], NEAREST_M)) & (depth_m <= limits_m[1])
    if mask is not None:
        believed &= mask
    # As inverse depth, which is linear over a plane in the picture.
    # Between pixels it is as linear as on them, which depth is not.
    given = np.zeros(believed.shape, np.float32)
    np.divide(1.0, depth_m, where=believed, out=given)
    shape = places.columns.shape
    maps = (of.reshape(-1, shape[2]) for of in (places.columns, places.rows))
    columns, rows = maps
    # Each alone: of two channels OpenCV interpolates at thirty-seconds of a pixel only.
    samples, share = (
        cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT).reshape(
            shape
        )
        for image in (given, believed.astype(np.float32))
    )
    there = share > ALL
    count = there.sum(axis=0)
    # In double: planes are fitted to small differences.
    total = np.where(there, samples, 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    spread = np.where(there, samples, -np.inf).max(axis=0) - np.where(there, samples, np.inf).min(
        axis=0
    )
    # None of them across an edge.
    known = (count >= FEWEST_SAMPLES * len(there)) & (spread < STEP * mean)
    return np.where(known, mean, 0.0), known
