# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of one moment to a frame: the same for bags and topics, and refused for the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float

from ineus_core.errors import SourceError
from ineus_core.sources.bags.ros_messages import decode_mask, stamp_ns
from ineus_core.sources.bags.transforms import bare_frame_id
from ineus_core.sources.depth_registration import register_depth
from ineus_core.types import Camera, Frame

Decode = Callable[[Any], np.ndarray]


class UnusableImages(SourceError):
    """Images that make no frame: a drop, counted under its reason."""

    def __init__(self, reason: str, error: Exception) -> None:
        super().__init__(str(error))
        self.reason = reason


@dataclass(frozen=True)
class PlacedImages:
    """Messages of one moment, and what makes them a frame."""

    color: Any
    depth: Any | None
    mask: Any | None
    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    depth_camera: Camera | None
    """None if depth is registered to colour already."""
    color_from_depth: Float[np.ndarray, "4 4"]
    camera_id: int = 0
    stamp_ns: int = 0
    """0: that of the colour image."""


def make_frame(images: PlacedImages, decode_color: Decode, decode_depth: Decode) -> Frame:
    """Decode what belongs together, with depth registered to colour.

    Raises:
        UnusableImages: A part cannot be used.
    """
    reason = "bad_color"
    # Bytes from elsewhere fail in ways that no list of exceptions covers; one image is lost.
    try:
        rgb = decode_color(images.color)
        reason = "bad_depth"
        depth_m = None if images.depth is None else decode_depth(images.depth)
        if depth_m is not None and images.depth_camera is not None:
            depth_m = register_depth(
                depth_m, images.depth_camera, images.camera, images.color_from_depth
            )
        reason = "bad_mask"
        mask = None if images.mask is None else usable_pixels(images.mask, rgb.shape[:2])
        reason = "bad_frame"
        if depth_m is not None and depth_m.shape != rgb.shape[:2]:
            raise SourceError(_other_size(depth_m, rgb))
        return Frame(
            images.stamp_ns or stamp_ns(images.color.header),
            images.camera,
            images.world_from_camera,
            rgb,
            depth_m,
            mask,
            camera_id=images.camera_id,
        )
    except Exception as error:
        raise UnusableImages(reason, error) from error


def frame_id_of(configured: str, of_image: str, of_info: str) -> str:
    """Return where colour is seen from: as configured, else as images say, else as camera_info.

    Some drivers set a frame id in camera_info only.
    """
    return bare_frame_id(configured or of_image or of_info)


def used_depth_frame(frame_id: str, color_said: str, color_used: str) -> str:
    """Return where depth is seen from, which moves with colour if both name the same frame.

    Args:
        frame_id: As depth itself says.
        color_said: Where colour is seen from, as its messages say.
        color_used: Where it is seen from indeed.
    """
    bare = bare_frame_id(frame_id)
    return color_used if bare == color_said else bare


def usable_pixels(message: Any, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Return which pixels may be used: where a mask, of any size, is 0."""
    painted = decode_mask(message)
    if painted.shape != size:
        resized = cv2.resize(
            painted.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT
        )
        painted = resized > 0
    return ~painted


def _other_size(depth_m: np.ndarray, rgb: np.ndarray) -> str:
    return (
        f"depth image of {depth_m.shape[1]} x {depth_m.shape[0]} pixels: expected the "
        f"{rgb.shape[1]} x {rgb.shape[0]} of colour, or a camera_info of its own beside it, by "
        "which it is registered"
    )
