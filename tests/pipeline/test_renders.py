# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered views in files that other programs can measure."""

from pathlib import Path

import cv2
import numpy as np

from ineus_core.pipeline import save_renders
from ineus_core.types import RenderedImage


def test_renders_are_written_as_pictures_that_can_be_measured(tmp_path: Path) -> None:
    depth_m = np.array([[0.0, 1.2345], [70.0, 2.0]], dtype=np.float32)
    normal = np.zeros((2, 2, 3), dtype=np.float32)
    normal[0, 1] = (0, 0, -1)
    rgb = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    image = RenderedImage(rgb, depth_m, normal, np.ones((2, 2), dtype=np.float32))
    save_renders(tmp_path / "renders", [("a", image)])
    names = sorted(path.name for path in (tmp_path / "renders").iterdir())
    assert names == ["a_depth_mm.png", "a_normal.png", "a_rgb.png"]
    read = cv2.imread(str(tmp_path / "renders" / "a_depth_mm.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint16
    assert read.tolist() == [[0, 1234], [65535, 2000]]
    colours = cv2.imread(str(tmp_path / "renders" / "a_rgb.png"))[..., ::-1]
    np.testing.assert_array_equal(colours, rgb)
    normals = cv2.imread(str(tmp_path / "renders" / "a_normal.png"))[..., ::-1]
    assert normals[0, 1].tolist() == [128, 128, 0]
