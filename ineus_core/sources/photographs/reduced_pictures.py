# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that were cut to their middle and reduced, beside intrinsics of the whole ones.

MonoSDF keeps squares of 384 pixels beside the projections of the pictures that they were cut from.
"""

import logging
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.sources.picture_files import Size
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)
# No principal point is near the middle of two of them.
_KNOWN_SIZES = ((1200, 680), (960, 540), (1600, 1200), (640, 480), (1296, 968))
"""Of Replica, Tanks and Temples, DTU and ScanNet, as MonoSDF cuts them."""
_CENTRED = 0.1


def full_size(
    intrinsics: Float[np.ndarray, "3 3"], size: Size, width_px: int = 0, height_px: int = 0
) -> Size:
    """Return the size of the pictures that intrinsics are for.

    Args:
        size: Of the pictures that are there.
        width_px: As configured; 0: by the principal point, which lies near the middle.
        height_px: Likewise; 0: in proportion to the width.
    """
    if width_px or height_px:
        width = width_px or round(height_px * size[0] / size[1])
        return width, height_px or round(width * size[1] / size[0])
    doubled = np.array((2 * intrinsics[0, 2], 2 * intrinsics[1, 2]))
    if _is_near(doubled, size):
        return size
    return next((known for known in _KNOWN_SIZES if _is_near(doubled, known)), size)


def cut_to_middle(camera: Camera, size: Size, where: str) -> Camera:
    """Return the camera of a picture that was reduced, and before that cut at both sides."""
    if (camera.width_px, camera.height_px) == size:
        return camera
    kept = round(size[0] * camera.height_px / size[1])
    cut = (camera.width_px - kept) / 2
    if cut < -1:
        raise SourceError(
            f"{where}: picture of {size[0]} x {size[1]} pixels cannot be the middle of "
            f"{camera.width_px} x {camera.height_px}; expected full_width_px and full_height_px "
            f"of the pictures that the projections are for"
        )
    _LOG.info(
        "%s: %d x %d pixels are taken for the middle of %d x %d",
        *(where, *size, camera.width_px, camera.height_px),
    )
    middle = replace(camera, width_px=kept, cx=camera.cx - cut)
    return middle.resized(*size)


def _is_near(doubled: np.ndarray, size: Size) -> bool:
    return bool((np.abs(doubled - size) <= _CENTRED * np.array(size)).all())
