# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colours of points out of photographs: by hand, behind something, and where nobody looks."""

import numpy as np
import torch
from tiny_scene import CPU, pose, wall_frame
from torch import Tensor

from ineus_core.keyframes import DepthConfig, KeyframeBuffer, KeyframeConfig
from ineus_core.reconstruction.picture_colours import PictureColours
from ineus_core.types import Frame

FIELD = 0.5


def of_field(points: Tensor, normals: Tensor) -> Tensor:
    return torch.full_like(points, FIELD)


def colours(frames: list[Frame], points: list[tuple[float, float, float]]) -> np.ndarray:
    buffer = KeyframeBuffer(
        KeyframeConfig(capacity=4), frames[0].camera, CPU, False, DepthConfig()
    )
    for frame in frames:
        buffer.add(frame)
    at = torch.tensor(points)
    normals = torch.tensor([(0.0, 0.0, -1.0)]).expand_as(at)
    return PictureColours(buffer).colours(of_field, at, normals).numpy()


def plain(index: int, level: int, x: float = 0.0, depth_m: float = 2.0) -> Frame:
    rgb = np.full((30, 40, 3), level, np.uint8)
    return wall_frame(index, depth_m, pose(x), rgb=rgb)


def test_the_colour_between_pixels_by_hand() -> None:
    # Red is 255 / 40 a column; x 0 projects to the border of columns 19 and 20.
    found = colours([wall_frame()], [(0.0, 0.0, 2.0)])
    red = (19 * 255 // 40 + 20 * 255 // 40) / 2
    np.testing.assert_allclose(found[0, 0] * 255, red, atol=1.0)


def test_nearer_and_more_head_on_views_count_more() -> None:
    frames = [plain(0, 100), plain(1, 200, x=1.0)]
    # Seen from 2 m at cosine 1, and from sqrt(5) m at cosine 2 / sqrt(5).
    first, second = 1 / 4, (4 / 5) / 5
    expected = (100 * first + 200 * second) / (first + second)
    np.testing.assert_allclose(colours(frames, [(0.0, 0.0, 2.0)]) * 255, expected, atol=1e-3)


def test_what_hides_a_point_does_not_colour_it() -> None:
    frames = [plain(0, 100), plain(1, 200, depth_m=1.0)]
    np.testing.assert_allclose(colours(frames, [(0.0, 0.0, 2.0)]) * 255, 100, atol=1e-3)


def test_what_nobody_sees_has_the_colour_of_the_field() -> None:
    # Before the wall, beside the picture and behind the camera.
    points = [(0.0, 0.0, 1.0), (2.0, 0.0, 2.0), (0.0, 0.0, -2.0), (0.0, 0.0, 2.0)]
    found = colours([plain(0, 100)], points)
    np.testing.assert_allclose(found[:3], FIELD)
    np.testing.assert_allclose(found[3] * 255, 100, atol=1e-3)
    np.testing.assert_allclose(colours([plain(0, 100)], points[:3]), FIELD)
