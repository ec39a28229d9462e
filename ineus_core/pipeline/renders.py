# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered views as files: colour, depth and normals of each."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from ineus_core.evaluation import normal_colours
from ineus_core.files import replace_file
from ineus_core.types import RenderedImage

_GREY = 128
"""Of files of normals where there is no surface: the colour of a normal of length 0."""


def save_renders(directory: Path, renders: Iterable[tuple[str, RenderedImage]]) -> None:
    """Write colour, depth in millimetres and normals of each view as PNG."""
    for name, image in renders:
        normals = normal_colours(image.normal, nothing=_GREY)
        # Millimetres, as most programs read depth in PNG; 16 bits end at 65.5 m.
        depth_mm = np.clip(np.round(image.depth_m * 1000), 0, 65535).astype(np.uint16)
        _write_png(directory / f"{name}_rgb.png", image.rgb[..., ::-1])
        _write_png(directory / f"{name}_depth_mm.png", depth_mm)
        _write_png(directory / f"{name}_normal.png", normals[..., ::-1])


def _write_png(path: Path, picture: np.ndarray) -> None:
    _, encoded = cv2.imencode(".png", picture)
    replace_file(path, encoded.tobytes())
