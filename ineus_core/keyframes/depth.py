# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth of a frame is believed, and the world rays and points of what is."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field, model_validator

from ineus_core.config_model import ConfigModel
from ineus_core.geometry import cached_pixel_rays
from ineus_core.types import Frame


class DepthConfig(ConfigModel):
    """The depth that is believed, wherever a frame comes from."""

    # Of limits that differed, all had to be kept: the narrowest.
    merged: ClassVar = {"min_m": max, "max_m": min}

    min_m: float = Field(0.1, ge=0, description="Returns nearer than this count as none, in m.")
    max_m: float = Field(
        10.0,
        gt=0,
        le=1000,
        description="Returns farther than this count as none, in m; the step of stored depth is "
        "1/32767 of it.",
    )

    @model_validator(mode="after")
    def _limits_rise(self) -> "DepthConfig":
        if self.min_m >= self.max_m:
            raise ValueError(f"min_m {self.min_m:g}, max_m {self.max_m:g}: expected min_m below")
        return self


def has_returns(frame: Frame) -> bool:
    """Tell whether a frame has depth anywhere, which that of a sensor that fails has not."""
    return frame.depth_m is not None and bool(
        ((frame.depth_m > 0) & (frame.depth_m < np.inf)).any()
    )


def believed_depth(
    frame: Frame, config: DepthConfig, stride_px: int = 1
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return every so many rows and columns of the depth, and where it is a return to believe.

    Raises:
        ValueError: The frame has no depth.
    """
    if frame.depth_m is None:
        raise ValueError(f"frame at {frame.stamp_ns} ns: expected one with depth")
    depth_m = frame.depth_m[::stride_px, ::stride_px]
    # Above 0 also where `min_m` is 0: 0 stands for no return.
    is_return = (depth_m > 0) & (depth_m >= config.min_m) & (depth_m <= config.max_m)
    if frame.mask is not None:
        is_return &= frame.mask[::stride_px, ::stride_px]
    return depth_m, is_return


def world_rays(
    frame: Frame, config: DepthConfig, stride_px: int = 1
) -> tuple[Float[np.ndarray, "rays 3"], Float[np.ndarray, " rays"]]:
    """Return world directions and ranges, -1 without a return, of pixels that are not masked."""
    depth_m, is_return = believed_depth(frame, config, stride_px)
    in_camera = cached_pixel_rays(frame.camera, stride_px)
    # Depth is along the optical axis, range along the ray, whose z is the cosine between them.
    range_m = np.where(is_return, depth_m / in_camera[..., 2], np.float32(-1.0))
    directions = in_camera @ frame.world_from_camera[:3, :3].T.astype(np.float32)
    if frame.mask is None:
        return directions.reshape(-1, 3), range_m.reshape(-1)
    used = frame.mask[::stride_px, ::stride_px]
    return directions[used], range_m[used]


def world_points(
    frame: Frame, config: DepthConfig, stride_px: int = 1
) -> Float[np.ndarray, "n 3"]:
    """Return the points that the returns of a frame lie at, in double precision."""
    depth_m, is_return = believed_depth(frame, config, stride_px)
    rays = cached_pixel_rays(frame.camera, stride_px)[is_return]
    in_camera = rays * (depth_m[is_return] / rays[:, 2])[:, None]
    pose = frame.world_from_camera
    return in_camera @ pose[:3, :3].T + pose[:3, 3]
