# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colours and depth of a keyframe in few pixels, and what another view shows in their place."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from ineus_core.geometry import cached_pixel_rays, project, rigid_inverse
from ineus_core.types import Camera, Frame

_WIDTH_PX = 80
_DARKEST, _BRIGHTEST = 12, 250
"""Of 255: below, noise and rounding are large; above, a sensor may be saturated."""
_LARGEST_STEP = 1.0
"""Of the logarithm of a colour around a pixel; more is an edge, which is not met exactly."""
_SAME_SURFACE = 1.15
"""Ratio of depths next to each other up to which they are of one surface."""
_FAR_M = 1e6
_SURE = 0.5
"""Confidence from which estimated depth is believed."""
_NEAREST_M = 0.05
_TOLERANCE_M, _TOLERANCE_PER_M = 0.05, 0.005
"""By which depth of the same surface may differ; the noise of sensors grows with its square."""


@dataclass(frozen=True)
class ColourView:
    """A frame in few pixels, with its lens."""

    camera: Camera
    depth_m: Float[np.ndarray, "h w"]
    """Of what can be compared: not at an edge of depth, saturated or very dark; 0 elsewhere."""
    log_rgb: Float[np.ndarray, "h w 3"]
    step: Float[np.ndarray, "h w"]
    """By how much this changes around a pixel, in the mean of the channels."""

    @classmethod
    def of(cls, frame: Frame, min_m: float, max_m: float) -> "ColourView":
        """Reduce a frame with depth; depth outside of the limits is not believed."""
        camera = _small(frame.camera)
        around = np.ones((3, 3), np.uint8)
        # Blurred, as a point is not met exactly.
        rgb = cv2.blur(_reduced(frame.rgb, camera), (3, 3))
        log_rgb = np.log(np.maximum(rgb, np.float32(1)))
        grey = log_rgb.mean(axis=-1)
        step = cv2.dilate(grey, around) - cv2.erode(grey, around)
        # The mean of a cell with some saturated pixels is too dark, and looks like any other.
        saturated = cv2.dilate(_saturated(frame.rgb, camera).astype(np.uint8), around) > 0
        usable = (rgb > _DARKEST).all(axis=-1) & ~saturated
        depth_m = _believed_depth(frame, camera, min_m, max_m)
        usable &= (step < _LARGEST_STEP) & ~_at_edge(depth_m)
        return cls(camera, np.where(usable, depth_m, np.float32(0)), log_rgb, step)

    def samples(
        self, most: int
    ) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
        """Return points in the camera, the logarithm of their colours, and its steps."""
        (found,) = np.nonzero(self.depth_m.reshape(-1))
        if len(found) > most:
            found = found[np.linspace(0, len(found) - 1, most).astype(int)]
        rays = cached_pixel_rays(self.camera, 1).reshape(-1, 3)[found]
        # Depth is along the axis, and not along the ray.
        along = self.depth_m.reshape(-1)[found].astype(np.float64) / rays[:, 2]
        log_rgb, step = self.log_rgb.reshape(-1, 3)[found], self.step.reshape(-1)[found]
        return rays * along[:, None], log_rgb, step


def colours_in(
    views: Sequence[ColourView], points_m: Float[np.ndarray, "views n 3"]
) -> tuple[Float[np.ndarray, "views n 3"], Bool[np.ndarray, "views n"]]:
    """Return the logarithm of the colours that points, in the camera of each view, have in it.

    And which of them lie on a surface that the view shows well.
    """
    z = points_m[..., 2]
    shown = z > _NEAREST_M
    pixels = _pixels(views, np.where(shown[..., None], points_m, (0.0, 0.0, 1.0)))
    # A lens may turn far points around into numbers that no integer holds.
    pixels = np.clip(np.nan_to_num(pixels, nan=-1.0), -1.0, 1e6).astype(np.float32)
    size_px = np.array([(view.camera.width_px, view.camera.height_px) for view in views])
    shown &= ((pixels >= 0) & (pixels < size_px[:, None])).all(axis=-1)
    within = np.where(shown[..., None], pixels, 0).astype(int)
    # Between pixels, as rounding moves a point by half of one. OpenCV counts from centres.
    pixels -= np.float32(0.5)
    there_m, colours = np.empty(z.shape), np.empty((*z.shape, 3), np.float32)
    for view, at, pixel, depth_m, colour in zip(
        views, within, pixels, there_m, colours, strict=True
    ):
        depth_m[:] = view.depth_m[at[:, 1], at[:, 0]]
        colour[:] = cv2.remap(
            view.log_rgb, pixel[:, None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[:, 0]
    limit_m = _TOLERANCE_M + _TOLERANCE_PER_M * z**2
    return colours, shown & (there_m > 0) & (np.abs(there_m - z) <= limit_m)


def _pixels(
    views: Sequence[ColourView], points_m: Float[np.ndarray, "views n 3"]
) -> Float[np.ndarray, "views n 2"]:
    """Project points in the camera of each view."""
    cameras = [view.camera for view in views]
    pixels = np.empty((*points_m.shape[:2], 2))
    # Together, as nearly always all have the same one.
    for camera in dict.fromkeys(cameras):
        which = [at for at, other in enumerate(cameras) if other == camera]
        found = project(camera, points_m[which].reshape(-1, 3))
        pixels[which] = found.reshape(len(which), -1, 2)
    return pixels


def in_other_cameras(
    points_m: Float[np.ndarray, "n 3"],
    world_from_camera: Float[np.ndarray, "4 4"],
    world_from_others: Float[np.ndarray, "others 4 4"],
) -> Float[np.ndarray, "others n 3"]:
    """Move points from one camera into other ones."""
    motions = rigid_inverse(world_from_others) @ world_from_camera
    return points_m @ motions[:, :3, :3].transpose(0, 2, 1) + motions[:, None, :3, 3]


def _small(camera: Camera) -> Camera:
    width_px = min(_WIDTH_PX, camera.width_px)
    height_px = max(1, round(camera.height_px * width_px / camera.width_px))
    return camera.resized(*camera.no_narrower(width_px, height_px))


def _reduced(rgb: np.ndarray, camera: Camera) -> Float[np.ndarray, "h w 3"]:
    """Average a picture to the size of a camera."""
    size = camera.width_px, camera.height_px
    if rgb.shape[1] > 2 * size[0]:
        # Bytes are averaged faster, but rounded; four of them halve that.
        rgb = cv2.resize(rgb, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_AREA)
    return cv2.resize(rgb.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _at_edge(depth_m: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Tell which pixels have others around whose depth is another surface's."""
    around = np.ones((3, 3), np.uint8)
    nearest_m = cv2.erode(np.where(depth_m > 0, depth_m, np.float32(_FAR_M)), around)
    farthest_m = cv2.dilate(depth_m, around)
    return (farthest_m > _SAME_SURFACE * depth_m) | (depth_m > _SAME_SURFACE * nearest_m)


def _saturated(rgb: np.ndarray, camera: Camera) -> Bool[np.ndarray, "h w"]:
    """Tell which small pixels hold one that is saturated in any channel."""
    _, is_bright = cv2.threshold(rgb, _BRIGHTEST, 255, cv2.THRESH_BINARY)
    size = camera.width_px, camera.height_px
    return (cv2.resize(is_bright, size, interpolation=cv2.INTER_AREA) > 0).any(axis=-1)


def _believed_depth(
    frame: Frame, camera: Camera, min_m: float, max_m: float
) -> Float[np.ndarray, "h w"]:
    """Pick depth at the centres of small pixels; 0 where it is not believed."""
    assert frame.depth_m is not None
    rows, columns = (
        ((2 * np.arange(small) + 1) * given) // (2 * small)
        for small, given in (
            (camera.height_px, frame.camera.height_px),
            (camera.width_px, frame.camera.width_px),
        )
    )
    pick = np.ix_(rows, columns)
    depth_m = frame.depth_m[pick]
    believed = (depth_m >= min_m) & (depth_m <= max_m)
    if frame.mask is not None:
        believed &= frame.mask[pick]
    if frame.depth_confidence is not None:
        believed &= frame.depth_confidence[pick] >= _SURE
    return np.where(believed, depth_m, np.float32(0)).astype(np.float32)
