# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A keyframe as depth from motion holds it: its picture in sizes, and what was measured in it."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ineus_core.errors import SourceError
from ineus_core.geometry import pixel_rays, rigid_inverse
from ineus_core.kernels.host_copy import HostCopy, write_to
from ineus_core.kernels.stereo_matching import SourceView, reduced
from ineus_core.types import Camera, Frame, KeyframeId

_COARSEST_PX = 80
"""Least width of the smallest picture."""
FLATTEST_Z = 0.1
"""Rays of a wide lens that are nearly across its axis have no depth along it."""


@dataclass(frozen=True)
class Level:
    """The picture in one size."""

    camera: Camera
    grey: Float[Tensor, "h w"]
    usable: Float[Tensor, "h w"]
    """1 where the picture may be used, else 0."""
    plane_xy: Float[Tensor, "h w 2"]
    """Where the rays of the pixels meet the plane z = 1."""


@dataclass(frozen=True)
class MeasuredDepth:
    """What the sweep has found, before any check."""

    inverse_depth: Float[Tensor, "h w"]
    """1/m; 0 where there is none."""
    cost: Float[Tensor, "h w"]
    margin: Float[Tensor, "h w"]
    """How much more the best of all other depths costs, at the coarsest level."""
    roughness: Float[Tensor, "h w"]
    """How far it is from the median around it, 0 to 1 for 5 % of it."""
    pixel_step: float
    """Change of inverse depth by a pixel of the sources, 1/m."""
    sample: HostCopy
    """Some of its points, in the camera frame, each with 1, or 0 where it is none."""

    @property
    def sample_m(self) -> Float[np.ndarray, "n 3"]:
        """Some of its points, in the camera frame."""
        rows = self.sample.array()
        return rows[rows[:, 3] > 0, :3].astype(np.float64)


class StereoView:
    """A keyframe with what it takes to match it."""

    def __init__(self, frame: Frame, max_width_px: int, device: torch.device) -> None:
        """Reduce the picture.

        Raises:
            SourceError: The sensor of the camera is tilted.
        """
        if any(frame.camera.distortion[12:]):
            raise SourceError(
                f"camera with tilted sensor, distortion {frame.camera.distortion}: depth from "
                "motion expects the last two coefficients to be 0; set stereo.enabled to false"
            )
        self.id: KeyframeId = (frame.stamp_ns, frame.camera_id)
        self.world_from_camera = frame.world_from_camera
        self.levels = _pyramid(frame, max_width_px, device)
        """Finest first."""
        self.measured: MeasuredDepth | None = None
        self.is_settled = False
        """Whether `measured` is from the best sources that it will have."""
        self.is_done = False
        """Whether its final depth has been given out."""
        self.sharpness = _sharpness(frame, self.camera)

    @property
    def camera(self) -> Camera:
        """Of the picture in its largest size."""
        return self.levels[0].camera

    @property
    def position_m(self) -> Float[np.ndarray, " 3"]:
        """Of the camera, in the world."""
        return self.world_from_camera[:3, 3]

    @property
    def sample_m(self) -> Float[np.ndarray, "n 3"]:
        """Some points on surfaces, in the world."""
        if self.measured is None:
            return np.zeros((0, 3))
        return self.measured.sample_m @ self.world_from_camera[:3, :3].T + self.position_m

    def from_(self, other: "StereoView") -> Float[np.ndarray, "3 4"]:
        """Return the transform from the camera of another view into this one."""
        pose = rigid_inverse(self.world_from_camera) @ other.world_from_camera
        return pose[:3].astype(np.float32)

    def as_source_of(self, reference: "StereoView") -> list[SourceView]:
        """Return the picture in all sizes, as another view is compared with it."""
        pose = self.from_(reference)
        return [SourceView(at.grey, at.usable, at.camera, pose) for at in self.levels]


def _sharpness(frame: Frame, camera: Camera) -> float:
    """Mean step of grey from pixel to pixel, on the host, where the picture is anyway."""
    stride = max(1, frame.camera.width_px // camera.width_px)
    # Green alone, and of some rows: it is compared between views, and need not be exact.
    green = frame.rgb[:: 4 * stride, ::stride, 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=1)).mean())


def _pyramid(frame: Frame, max_width_px: int, device: torch.device) -> list[Level]:
    camera = frame.camera
    # On the device: three bytes a pixel are sent, not four.
    grey = _on(device, frame.rgb).float() @ _luma(device)
    usable = None if frame.mask is None else _on(device, frame.mask).float()
    factor = -(-camera.width_px // max_width_px)
    levels: list[Level] = []
    while not levels or camera.width_px // factor >= _COARSEST_PX:
        narrow = camera.no_narrower(camera.width_px // factor, camera.height_px // factor)
        size = max(2, narrow[1]), max(2, narrow[0])
        if factor > 1:
            grey = reduced(grey, size)
            usable = None if usable is None else reduced(usable, size)
        camera, factor = _resized(camera, *size[::-1]), 2
        plane_xy, has_depth = _plane_xy(camera, device)
        # A smaller pixel is usable only if all that it is the mean of was.
        met = has_depth if usable is None else (usable > 0.99).float() * has_depth
        levels.append(Level(camera, grey, met, plane_xy))
    return levels


def _on(device: torch.device, image: Shaped[np.ndarray, "..."]) -> Shaped[Tensor, "..."]:
    dtype = torch.bool if image.dtype == np.bool_ else torch.uint8
    result = torch.empty(image.shape, dtype=dtype, device=device)
    write_to(result, image)
    return result


@functools.lru_cache(maxsize=4)
def _luma(device: torch.device) -> Float[Tensor, " 3"]:
    return torch.tensor((0.299, 0.587, 0.114), device=device)


def _resized(camera: Camera, width_px: int, height_px: int) -> Camera:
    x, y = width_px / camera.width_px, height_px / camera.height_px
    return replace(
        camera,
        width_px=width_px,
        height_px=height_px,
        fx=camera.fx * x,
        fy=camera.fy * y,
        cx=camera.cx * x,
        cy=camera.cy * y,
    )


@functools.lru_cache(maxsize=32)
def _plane_xy(camera: Camera, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where rays meet the plane z = 1, and 1 for those that do, kept for the cameras of a rig."""
    rays = pixel_rays(camera)
    depth = rays[..., 2:]
    plane = rays[..., :2] / np.maximum(depth, FLATTEST_Z)
    has_depth = (depth[..., 0] > FLATTEST_Z).astype(np.float32)
    return torch.from_numpy(plane).to(device), torch.from_numpy(has_depth).to(device)
