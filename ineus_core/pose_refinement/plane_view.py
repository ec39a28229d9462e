# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The depth of a frame as small planes: less noise than in its pixels, and no lens."""

import functools

import cv2
import numpy as np
from jaxtyping import Bool, Float

from ineus_core.geometry import project, small_pinhole
from ineus_core.types import Camera, Frame

_WIDTH_PX = 160
_SAMPLES = 4
"""Most returns along each side of a pixel that its depth is the mean of."""
_FEWEST_SAMPLES = 0.25
"""Share of them that a pixel needs; sensors leave out pixels, and registered depth whole lines."""
_RADIUS_PX = 2
_FEWEST_PX = 0.6
"""Share of the pixels around one that its plane needs."""
_STEP = 0.08
"""Share of the depth by which the returns in one pixel may differ: more is an edge."""
_BEND = 0.006
"""Share of the depth by which those around a pixel may differ from a plane, in the mean."""
_NOISE = 2.5
"""They may also differ by so many times what they usually do: so noisy is the sensor."""


def small_camera(camera: Camera) -> Camera:
    """Return the camera without a lens and of few pixels that sees what a camera sees."""
    # Without a lens, so that planes are linear in pixels.
    return small_pinhole(camera, _WIDTH_PX)


def planes_of(frame: Frame, min_m: float, max_m: float) -> Float[np.ndarray, "h w 3"]:
    """Fit a plane a x + b y + c z = 1 around each pixel of the small camera; 0 0 0 at an edge.

    Inverse depth is linear in the pixels of a plane, so that each fit is a few sums over those
    pixels around it that have returns.
    """
    inverse_m, known = _inverse_depth(frame, min_m, max_m)
    camera, side = small_camera(frame.camera), 2 * _RADIUS_PX + 1
    ones, along = np.ones(side), np.arange(-_RADIUS_PX, _RADIUS_PX + 1.0)
    # Counted in floats.
    share = known.astype(np.float64)
    count = _filtered(share, ones, ones)
    is_enough = known & (count > _FEWEST_PX * side**2)
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
    is_plane = is_enough & (bend <= np.maximum(_BEND * value, _NOISE * noise))
    at_pixel = value - right * x - down * y
    column = np.arange(camera.width_px) + 0.5 - camera.cx
    row = np.arange(camera.height_px)[:, None] + 0.5 - camera.cy
    planes = np.stack(
        (right * camera.fx, down * camera.fy, at_pixel - right * column - down * row), axis=-1
    )
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
    frame: Frame, min_m: float, max_m: float
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the mean inverse depth of the returns in each small pixel, 0 where few are there."""
    assert frame.depth_m is not None
    believed = (frame.depth_m >= max(min_m, 1e-3)) & (frame.depth_m <= max_m)
    if frame.mask is not None:
        believed &= frame.mask
    # As inverse depth, which is linear over a plane in the picture.
    # Between pixels it is as linear as on them, which depth is not.
    given = np.zeros(believed.shape, np.float32)
    np.divide(1.0, frame.depth_m, where=believed, out=given)
    small = small_camera(frame.camera)
    shape = (-1, small.height_px, small.width_px)
    columns, rows = _places(frame.camera)
    # Each alone: of two channels OpenCV interpolates at thirty-seconds of a pixel only.
    samples, share = (
        cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT).reshape(
            shape
        )
        for image in (given, believed.astype(np.float32))
    )
    # Only samples between returns, all four.
    there = share > 0.999
    count = there.sum(axis=0)
    # In double: planes are fitted to small differences.
    total = np.where(there, samples, 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    spread = np.where(there, samples, -np.inf).max(axis=0) - np.where(there, samples, np.inf).min(
        axis=0
    )
    # None of them across an edge.
    known = (count >= _FEWEST_SAMPLES * len(there)) & (spread < _STEP * mean)
    return np.where(known, mean, 0.0), known


@functools.lru_cache(maxsize=4)
def _places(
    camera: Camera,
) -> tuple[Float[np.ndarray, "rows w"], Float[np.ndarray, "rows w"]]:
    """Return where in a picture the samples of the small pixels lie, as OpenCV counts pixels."""
    small = small_camera(camera)
    along = min(_SAMPLES, max(1, camera.width_px // small.width_px))
    offsets = (np.arange(along) + 0.5) / along
    down, right = np.meshgrid(offsets, offsets, indexing="ij")
    from_centre_x = right.reshape(-1, 1, 1) + np.arange(small.width_px) - small.cx
    from_centre_y = down.reshape(-1, 1, 1) + np.arange(small.height_px)[:, None] - small.cy
    x, y = np.broadcast_arrays(from_centre_x / small.fx, from_centre_y / small.fy)
    rays = np.stack((x, y, np.ones(x.shape)), axis=-1)
    pixels = project(camera, rays.reshape(-1, 3)).reshape(-1, small.width_px, 2) - 0.5
    columns, rows = (np.ascontiguousarray(pixels[..., axis], np.float32) for axis in (0, 1))
    return columns, rows
