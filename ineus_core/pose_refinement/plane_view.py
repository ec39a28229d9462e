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
_RADIUS_PX = 2
_STEP = 0.08
"""Share of the depth by which the returns in one pixel may differ: more is an edge."""
_BEND = 0.006
"""Share of the depth by which those around a pixel may differ from a plane, in the mean."""


def small_camera(camera: Camera) -> Camera:
    """Return the camera without a lens and of few pixels that sees what a camera sees."""
    # Without a lens, so that planes are linear in pixels.
    return small_pinhole(camera, _WIDTH_PX)


def planes_of(frame: Frame, min_m: float, max_m: float) -> Float[np.ndarray, "h w 3"]:
    """Fit a plane a x + b y + c z = 1 around each pixel of the small camera; 0 0 0 at an edge.

    Inverse depth is linear in the pixels of a plane, so that each fit is a few sums.
    """
    inverse_m, known = _inverse_depth(frame, min_m, max_m)
    camera, reach = small_camera(frame.camera), _RADIUS_PX
    side = 2 * reach + 1
    ones, along = np.ones(side), np.arange(-reach, reach + 1.0)
    count, spread = side**2, side * (along**2).sum()
    mean = _filtered(inverse_m, ones, ones) / count
    right = _filtered(inverse_m, along, ones) / spread
    down = _filtered(inverse_m, ones, along) / spread
    squares = _filtered(inverse_m**2, ones, ones) / count
    # What is left of the variance after the plane: no second pass over the picture.
    bend = squares - mean**2 - (right**2 + down**2) * (spread / count)
    # All of them, counted in floats.
    is_plane = (_filtered(known.astype(np.float64), ones, ones) > count - 0.5) & (
        bend <= (_BEND * mean) ** 2
    )
    column = np.arange(camera.width_px) + 0.5 - camera.cx
    row = np.arange(camera.height_px)[:, None] + 0.5 - camera.cy
    planes = np.stack(
        (right * camera.fx, down * camera.fy, mean - right * column - down * row), axis=-1
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
    """Return the mean inverse depth of the returns in each small pixel, 0 where any is missing."""
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
    # In double: planes are fitted to small differences.
    mean = samples.mean(axis=0, dtype=np.float64)
    # Every sample between returns only, and none of them across an edge.
    known = (share.min(axis=0) > 0.999) & (
        samples.max(axis=0) - samples.min(axis=0) < _STEP * mean
    )
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
