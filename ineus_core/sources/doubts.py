# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and poses that can be read but are hardly meant, said once when a source is opened."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)

_NARROWEST = 8
"""Sides of a picture, one to the other, beyond which it is hardly one of a camera."""
# Pixels of sensors are nearly square, so one of the two would be of another picture size.
_UNEVEN_FOCALS = 1.5
_FEWEST_POSES = 3
_SAME = 1e-6


def warn_of_camera(camera: Camera, where: str, settings: str = "") -> None:
    """Say that the numbers of a camera are odd.

    Args:
        where: Names the source in the message.
        settings: The keys that would set other numbers.
    """
    odd = _odd_numbers(camera)
    if odd:
        _LOG.warning("%s: %s%s", where, odd, f"; {settings} set others" if settings else "")


def warn_of_poses(poses: Iterable[Float[np.ndarray, "4 4"]], where: str) -> None:
    """Say that all poses of a source are the same."""
    held: Sequence[np.ndarray] = list(poses)
    if len(held) >= _FEWEST_POSES and np.ptp(np.stack(held), axis=0).max() < _SAME:
        _LOG.warning(
            "%s: all %d poses are the same, at %s; a camera that stands still shows one side of "
            "things: expected poses that follow the camera",
            *(where, len(held), np.round(held[0][:3, 3], 3).tolist()),
        )


def _odd_numbers(camera: Camera) -> str:
    width, height = camera.width_px, camera.height_px
    if not (0 < camera.cx < width and 0 < camera.cy < height):
        return (
            f"the principal point ({camera.cx:g}, {camera.cy:g}) is outside of the pictures of "
            f"{width} x {height} pixels; expected one near ({width / 2:g}, {height / 2:g}), or "
            f"pictures of another size"
        )
    if max(width, height) > _NARROWEST * min(width, height):
        return f"pictures of {width} x {height} pixels are very narrow for a pinhole camera"
    if max(camera.fx, camera.fy) > _UNEVEN_FOCALS * min(camera.fx, camera.fy):
        return (
            f"focal lengths fx {camera.fx:g} and fy {camera.fy:g} px make pixels that are far "
            f"from square; expected fx near fy"
        )
    return ""
