# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Records refuse what does not belong together, and say what they expected."""

import numpy as np
import pytest

from ineus_core.errors import SourceError
from ineus_core.types import Camera, Frame, check_rigid

CAMERA = Camera(4, 3, 5.0, 5.0, 2.0, 1.5)


def moved(z_m: float) -> np.ndarray:
    pose = np.eye(4)
    pose[2, 3] = z_m
    return pose


def parts(**changes: object) -> dict:
    return {
        "stamp_ns": 1,
        "camera": CAMERA,
        "world_from_camera": np.eye(4),
        "rgb": np.zeros((3, 4, 3), dtype=np.uint8),
        "depth_m": np.ones((3, 4), dtype=np.float32),
        "mask": np.ones((3, 4), dtype=bool),
        **changes,
    }


def test_a_frame_with_and_without_depth_and_mask() -> None:
    assert Frame(**parts()).depth_m is not None
    assert Frame(**parts(depth_m=None, mask=None)).mask is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgb": np.zeros((3, 5, 3), dtype=np.uint8)}, "colour image of 5 x 3 .* 4 x 3"),
        ({"depth_m": np.ones((4, 3), dtype=np.float32)}, "depth image of 3 x 4 .* 4 x 3"),
        ({"mask": np.ones((6, 8), dtype=bool)}, "mask of 8 x 6 .* 4 x 3"),
        ({"world_from_camera": np.full((4, 4), np.nan)}, "NaN"),
        ({"world_from_camera": moved(1e30)}, r"pose at \[0.0, 0.0, 1e\+30\] m: .* 1e\+07 m"),
        ({"world_from_camera": moved(-2e7)}, "expected at most"),
        ({"world_from_camera": np.diag((1.0, 1, 1.1, 1))}, "not rigid"),
        ({"world_from_camera": np.diag((1.0, 1, -1, 1))}, "not rigid"),
    ],
)
def test_a_frame_refuses_parts_of_another_size_and_poses_that_are_none(
    changes: dict, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        Frame(**parts(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"fx": 0.0},
        {"fy": -1.0},
        {"cx": np.nan},
        {"fx": np.inf},
        {"distortion_model": "plumb_bob", "distortion": (np.nan, 0.0, 0.0, 0.0, 0.0)},
        {"fx": 1e-300},
        {"fy": 1e9},
        {"cx": 1e30},
        {"cy": -1e9},
        {"distortion_model": "plumb_bob", "distortion": (1e300,)},
        {"width_px": 60_000, "height_px": 40_000, "fx": 5e4, "fy": 5e4},
        {"width_px": 30_000, "height_px": 30_000, "fx": 5e4, "fy": 5e4},
        {"width_px": 2_000, "height_px": 1},
        {"width_px": 0},
        {"height_px": -3},
        {"distortion_model": "fisheye624", "distortion": (0.1,)},
        {"distortion_model": "equidistant", "distortion": (0.1,) * 5},
    ],
)
def test_a_camera_that_projects_nothing_is_refused(changes: dict) -> None:
    good = {"width_px": 4, "height_px": 3, "fx": 5.0, "fy": 5.0, "cx": 2.0, "cy": 1.5}
    with pytest.raises(SourceError, match="expected"):
        Camera(**{**good, **changes})


def test_rigid_within_a_tolerance() -> None:
    slightly_off = np.eye(4)
    slightly_off[0, 0] += 2e-4
    check_rigid(slightly_off)
    with pytest.raises(SourceError, match="not rigid"):
        check_rigid(slightly_off, tolerance=1e-4)
    scaled = np.eye(4)
    scaled[3, 3] = 2.0
    with pytest.raises(SourceError, match=r"last row \[0.0, 0.0, 0.0, 2.0\]"):
        check_rigid(scaled)


def test_foreground_of_another_size_is_refused() -> None:
    with pytest.raises(SourceError, match="foreground of 3 x 2 pixels: expected"):
        Frame(**parts(foreground=np.zeros((2, 3), dtype=bool)))
