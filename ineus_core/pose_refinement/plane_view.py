# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The depth of a frame as small planes: less noise than in its pixels, and no lens."""

import functools

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import project, small_pinhole
from ineus_core.kernels.plane_fitting import SamplePlaces, fitted_planes
from ineus_core.types import Camera, Frame

_WIDTH_PX = 160
_SAMPLES = 4
"""Most returns along each side of a pixel that its depth is the mean of."""
_ON_PIXEL = 1e-4
"""Of a sample's distance from a pixel's centre, in pixels, that is rounding."""


def small_camera(camera: Camera) -> Camera:
    """Return the camera without a lens and of few pixels that sees what a camera sees."""
    # Without a lens, so that planes are linear in pixels.
    return small_pinhole(camera, _WIDTH_PX)


def planes_of(frame: Frame, min_m: float, max_m: float) -> Float[np.ndarray, "h w 3"]:
    """Fit a plane a x + b y + c z = 1 around each pixel of the small camera; 0 0 0 at an edge."""
    assert frame.depth_m is not None
    return fitted_planes(frame.depth_m, frame.mask, _places(frame.camera), (min_m, max_m))


@functools.lru_cache(maxsize=4)
def _places(camera: Camera) -> SamplePlaces:
    """Return where in a picture the samples of the small pixels lie."""
    small = small_camera(camera)
    along = min(_SAMPLES, max(1, camera.width_px // small.width_px))
    offsets = (np.arange(along) + 0.5) / along
    down, right = np.meshgrid(offsets, offsets, indexing="ij")
    from_centre_x = right.reshape(-1, 1, 1) + np.arange(small.width_px) - small.cx
    from_centre_y = down.reshape(-1, 1, 1) + np.arange(small.height_px)[:, None] - small.cy
    x, y = np.broadcast_arrays(from_centre_x / small.fx, from_centre_y / small.fy)
    rays = np.stack((x, y, np.ones(x.shape)), axis=-1)
    # OpenCV counts pixels from the centre of the first one.
    pixels = project(camera, rays.reshape(-1, 3)).reshape(*x.shape, 2) - 0.5
    # On a pixel nothing is to be done between pixels.
    on_pixel = np.rint(pixels)
    pixels = np.where(np.abs(pixels - on_pixel) < _ON_PIXEL, on_pixel, pixels)
    columns, rows = (np.ascontiguousarray(pixels[..., axis], np.float32) for axis in (0, 1))
    return SamplePlaces(columns, rows, (small.fx, small.fy, small.cx, small.cy))
