# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and poses that are read but said to be odd."""

import numpy as np
import pytest

from ineus_core.sources.doubts import warn_of_camera, warn_of_poses
from ineus_core.types import Camera


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (Camera(640, 480, 500, 500, 820, 240), "the principal point (820, 240) is outside of the"),
        (Camera(640, 480, 500, 500, 320, -3), "the principal point (320, -3) is outside of the"),
        (Camera(900, 100, 500, 500, 450, 50), "pictures of 900 x 100 pixels are very narrow"),
        (Camera(640, 480, 500, 300, 320, 240), "fx 500 and fy 300 px make pixels that are far"),
    ],
)
def test_odd_cameras(camera: Camera, message: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_camera(camera, "here", "source.x.fx")
    assert message in caplog.text
    assert caplog.text.count("source.x.fx set others") == 1


def test_usual_ones_are_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_camera(Camera(640, 480, 525, 520, 350, 200), "here")
    poses = [np.eye(4) for _ in range(3)]
    poses[2][0, 3] = 0.01
    warn_of_poses(poses, "here")
    warn_of_poses(poses[:2], "here")
    assert not caplog.records


def test_poses_that_are_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    pose = np.eye(4)
    pose[:3, 3] = (1, 2, 3)
    warn_of_poses([pose] * 4, "here")
    assert "here: all 4 poses are the same, at [1.0, 2.0, 3.0]" in caplog.text
