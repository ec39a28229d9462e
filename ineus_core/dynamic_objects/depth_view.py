# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The depth of a frame in few pixels without a lens, and masks of these back in all of them."""

import functools

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.geometry import cached_pixel_rays, is_pinhole, project, small_pinhole
from ineus_core.kernels.depth_comparison import Window, depth_around
from ineus_core.types import Camera, Frame

_WIDTH_PX = 160
_AROUND = 3
"""Side, in small pixels, of the window that has to look through a thing."""


def small_camera(camera: Camera) -> Camera:
    """Return the camera without a lens whose pixels are compared."""
    return small_pinhole(camera, _WIDTH_PX)


def small_depth(
    frame: Frame, min_m: float, max_m: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return the depth at the centres of small pixels, and the least around them.

    Both are 0 without a return; the least is 0 where any return around is missing.
    """
    assert frame.depth_m is not None
    return depth_around(frame.depth_m, frame.mask, _window(frame.camera), (min_m, max_m))


def in_all_pixels(
    small: Bool[np.ndarray, "h w"], camera: Camera
) -> Bool[np.ndarray, "height_px width_px"]:
    """Return a mask in the pixels of a camera; False where no small pixel looks."""
    index = _small_pixel_of(camera)
    return (index >= 0) & small.reshape(-1)[np.maximum(index, 0)]


@functools.lru_cache(maxsize=4)
def _window(camera: Camera) -> Window:
    """Return where in a picture the small pixels have their centres, and what is around them."""
    small = small_camera(camera)
    rays = cached_pixel_rays(small, 1)
    pixels = project(camera, rays.reshape(-1, 3)).reshape(*rays.shape[:2], 2) - 0.5
    columns, rows = (np.ascontiguousarray(pixels[..., axis], np.float32) for axis in (0, 1))
    return Window(columns, rows, max(1, round(_AROUND * camera.width_px / small.width_px)))


@functools.lru_cache(maxsize=4)
def _small_pixel_of(camera: Camera) -> Int[np.ndarray, "height_px width_px"]:
    """Return the number of the small pixel that each pixel of a camera lies in; -1: in none."""
    small = small_camera(camera)
    if is_pinhole(camera):
        # A lens that focuses is another camera with each frame, so this has to be fast.
        columns, rows = (
            (2 * np.arange(side_px) + 1) * small_px // (2 * side_px)
            for side_px, small_px in (
                (camera.width_px, small.width_px),
                (camera.height_px, small.height_px),
            )
        )
        return (rows[:, None] * small.width_px + columns).astype(np.int32)
    rays = cached_pixel_rays(camera, 1)
    columns, rows = np.floor(project(small, rays.reshape(-1, 3))).T
    inside = (columns >= 0) & (rows >= 0) & (columns < small.width_px) & (rows < small.height_px)
    index = np.where(inside, rows * small.width_px + columns, -1).astype(np.int32)
    return index.reshape(rays.shape[:2])
