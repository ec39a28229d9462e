# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A keyframe as depth from motion holds it: its picture in sizes, and what was measured in it."""

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.errors import SourceError
from ineus_core.geometry import pixel_rays, rigid_inverse
from ineus_core.kernels.stereo_matching import SourceView
from ineus_core.types import Camera, Frame, KeyframeId

_COARSEST_PX = 80
"""Least width of the smallest picture."""
_FLATTEST_Z = 0.1
"""Rays of a wide lens that are nearly across its axis have no depth along it."""
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


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
    pixel_step: float
    """Change of inverse depth by a pixel of the sources, 1/m."""
    sample_m: Float[np.ndarray, "n 3"]
    """Some of its points, in the camera frame."""


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
        grey = self.levels[0].grey
        self.sharpness = float((grey[:, 1:] - grey[:, :-1]).abs().mean())

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

    def from_(self, other: "StereoView") -> Float[Tensor, "3 4"]:
        """Return the transform from the camera of another view into this one."""
        pose = rigid_inverse(self.world_from_camera) @ other.world_from_camera
        return torch.from_numpy(pose[:3].astype(np.float32)).to(self.levels[0].grey.device)

    def as_source_of(self, reference: "StereoView", level: int) -> SourceView:
        """Return the picture in one size, as another view is compared with it."""
        at = self.levels[min(level, len(self.levels) - 1)]
        return SourceView(at.grey, at.usable, at.camera, self.from_(reference))


def _pyramid(frame: Frame, max_width_px: int, device: torch.device) -> list[Level]:
    camera = frame.camera
    grey = frame.rgb.astype(np.float32) @ _LUMA
    usable = np.ones(grey.shape, np.float32)
    if frame.mask is not None:
        usable = frame.mask.astype(np.float32)
    factor = -(-camera.width_px // max_width_px)
    levels: list[Level] = []
    while not levels or camera.width_px // factor >= _COARSEST_PX:
        size = max(2, camera.width_px // factor), max(2, camera.height_px // factor)
        if factor > 1:
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            usable = cv2.resize(usable, size, interpolation=cv2.INTER_AREA)
        camera, factor = _resized(camera, *size), 2
        plane_xy, has_depth = _plane_xy(camera, device)
        levels.append(
            Level(
                camera,
                torch.from_numpy(grey).to(device),
                torch.from_numpy((usable > 0.99).astype(np.float32)).to(device) * has_depth,
                plane_xy,
            )
        )
    return levels


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
    plane = rays[..., :2] / np.maximum(depth, _FLATTEST_Z)
    has_depth = (depth[..., 0] > _FLATTEST_Z).astype(np.float32)
    return torch.from_numpy(plane).to(device), torch.from_numpy(has_depth).to(device)
