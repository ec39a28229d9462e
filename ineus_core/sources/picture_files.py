# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures with or without alpha, masks, and the size of a picture without reading it."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ineus_core.errors import SourceError


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture, read off its header."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file, though there is a pose for it")
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path}: cannot be read as a picture") from error


def read_picture(
    path: Path,
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "h w"] | None]:
    """Read colour as RGB, and alpha from 0 to 1 where the picture has it."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SourceError(f"{path}: cannot be read as a picture")
    if picture.dtype == np.uint16:
        picture = np.round(picture / 257.0).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise SourceError(f"{path}: values of {picture.dtype}; expected 8 or 16 bits")
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), None
    if picture.shape[2] == 4:
        alpha = picture[..., 3].astype(np.float32) / np.float32(255)
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGB), alpha
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), None


def read_mask(path: Path) -> Float[np.ndarray, "h w"]:
    """Read a mask, from 0 (outside) to 1."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise SourceError(f"{path}: cannot be read as a mask")
    return picture.astype(np.float32) / np.float32(255)
