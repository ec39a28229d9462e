# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Views are undistorted as their lens says, whatever number of lenses there is."""

import numpy as np
import pytest

from ineus_core.consistency import views
from ineus_core.geometry import project
from ineus_core.types import Camera, Frame

LENSES = [
    ("plumb_bob", (0.26, -0.95, 0.001, 0.002, 1.16)),
    ("plumb_bob", (-0.3, 0.1, 0.0, 0.0, 0.0)),
    ("equidistant", (-0.02, 0.01, -0.005, 0.001)),
]


def camera_with(model: str, distortion: tuple[float, ...]) -> Camera:
    return Camera(640, 480, 520.0, 515.0, 318.0, 244.0, model, distortion)


@pytest.mark.parametrize(("model", "distortion"), LENSES)
def test_the_map_of_a_lens_is_that_of_every_pixel(
    model: str, distortion: tuple[float, ...]
) -> None:
    camera = camera_with(model, distortion)
    columns, rows = views._distorted_pixels(camera, 640, 480)
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    rays = np.stack(
        ((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)), -1
    )
    exact = project(camera, rays.reshape(-1, 3)).reshape(480, 640, 2) - 0.5
    np.testing.assert_allclose(columns, exact[..., 0], atol=0.05)
    np.testing.assert_allclose(rows, exact[..., 1], atol=0.05)


def test_a_lens_is_asked_for_few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs with a camera each would else take longer than all the rest."""
    asked: list[int] = []

    def counted(camera: Camera, points: np.ndarray) -> np.ndarray:
        asked.append(len(points))
        return project(camera, points)

    monkeypatch.setattr(views, "project", counted)
    camera = camera_with("plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0123))
    rgb = np.zeros((480, 640, 3), np.uint8)
    assert views.view_of(Frame(1, camera, np.eye(4), rgb, None), 0).grey.shape == (480, 640)
    assert 0 < sum(asked) < 640 * 480 / 10
