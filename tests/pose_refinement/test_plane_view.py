# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes in the pixels of a depth image: exact on a wall, none at edges, right behind a lens."""

from dataclasses import replace

import numpy as np
import pytest
from box_views import CAMERA, frame_at

from ineus_core.geometry import pixel_rays
from ineus_core.pose_refinement.plane_view import planes_of, small_camera
from ineus_core.types import Camera, Frame

PLANE = np.array((0.1, -0.2, 0.5))
"""Of 0.1 x - 0.2 y + 0.5 z = 1."""


def of_plane(camera: Camera) -> Frame:
    rays = pixel_rays(camera).astype(np.float64)
    depth_m = rays[..., 2] / (rays @ PLANE)
    rgb = np.zeros((camera.height_px, camera.width_px, 3), np.uint8)
    return Frame(0, camera, np.eye(4), rgb, depth_m.astype(np.float32))


@pytest.mark.parametrize(
    ("camera", "within"),
    [
        (CAMERA, 1e-5),
        (Camera(640, 480, 400.0, 410.0, 310.0, 250.0), 1e-5),
        (Camera(500, 300, 250.0, 250.0, 250.0, 150.0), 1e-5),
        (Camera(640, 480, 400.0, 400.0, 320.0, 240.0, "plumb_bob", (-0.1, 0.02)), 1e-5),
    ],
)
def test_a_plane_is_found_as_it_is_whatever_the_camera(camera: Camera, within: float) -> None:
    found = planes_of(of_plane(camera), 0.1, 10.0)
    assert found.shape[:2] == (small_camera(camera).height_px, small_camera(camera).width_px)
    middle = found[10:-10, 10:-10]
    assert (middle != 0).any(axis=-1).mean() > 0.99
    assert np.abs(middle - PLANE).max() < within


def test_there_is_no_plane_in_a_hole_or_across_a_step() -> None:
    frame = of_plane(CAMERA)
    assert frame.depth_m is not None
    frame.depth_m[60, 80] = 0.0
    frame.depth_m[30:50, 30:50] = 0.0
    frame.depth_m[:, 120:] *= 1.5
    planes = planes_of(frame, 0.1, 10.0)
    known = (planes != 0).any(axis=-1)
    assert not known[60, 80] and not known[30:50, 30:50].any()
    # Beside a hole two thirds of the pixels tell the plane as well as all.
    assert known[58:60, 78:90].all() and known[30:50, 51:54].all()
    assert np.abs(planes[25:63, 25:90][known[25:63, 25:90]] - PLANE).max() < 1e-5
    assert not known[:, 118:122].any()
    masked = replace(frame, mask=np.zeros(frame.depth_m.shape, bool))
    assert not planes_of(masked, 0.1, 10.0).any()
    assert not planes_of(frame, 0.1, 0.5).any()


def test_a_sensor_that_leaves_out_lines_has_planes_too() -> None:
    """Depth that was registered to a larger picture has such lines."""
    frame = of_plane(Camera(640, 480, 400.0, 400.0, 320.0, 240.0))
    assert frame.depth_m is not None
    frame.depth_m[::5] = frame.depth_m[:, ::5] = 0.0
    middle = planes_of(frame, 0.1, 10.0)[10:-10, 10:-10]
    known = (middle != 0).any(axis=-1)
    assert known.mean() > 0.95
    # The returns that are left are not in the middle of their pixels.
    depth_off = np.abs(middle[known] @ (0, 0, 1) - PLANE[2]) / PLANE[2]
    assert np.median(depth_off) < 0.01


def test_what_a_noisy_sensor_shows_has_planes_but_bends_of_a_good_one_have_none() -> None:
    rng = np.random.default_rng(0)
    frame = of_plane(CAMERA)
    assert frame.depth_m is not None
    # 1.2 %: two times the bend that is allowed without noise.
    inverse_m = (1 + 0.012 * rng.normal(size=frame.depth_m.shape)) / frame.depth_m
    noisy = replace(frame, depth_m=(1 / inverse_m).astype(np.float32))
    middle = planes_of(noisy, 0.1, 10.0)[10:-10, 10:-10]
    known = (middle != 0).any(axis=-1)
    assert known.mean() > 0.95
    assert np.abs(middle[known].mean(axis=0) - PLANE).max() < 0.01
    # Steps of 4 % here and there, of a sensor without noise.
    stepped = frame.depth_m.copy()
    stepped[50:70] *= 1.04
    known = (planes_of(replace(frame, depth_m=stepped), 0.1, 10.0) != 0).any(axis=-1)
    assert not known[49:51].any() and not known[69:71].any() and known[56:64, 5:-5].all()


def test_where_two_walls_meet_there_is_no_plane() -> None:
    planes = planes_of(frame_at(0, np.eye(4)), 0.1, 10.0)
    length = np.linalg.norm(planes, axis=-1)
    seen = 1 / length[length > 0]
    # The three faces that the view has are as far away as the box says, and nothing else is.
    off_m = np.abs(seen[:, None] - (2.0, 1.5, 1.2)).min(axis=1)
    assert np.quantile(off_m, 0.99) < 0.02
