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


def test_there_is_no_plane_beside_a_hole_or_across_a_step() -> None:
    frame = of_plane(CAMERA)
    assert frame.depth_m is not None
    frame.depth_m[60, 80] = 0.0
    frame.depth_m[:, 120:] *= 1.5
    known = (planes_of(frame, 0.1, 10.0) != 0).any(axis=-1)
    assert not known[58:63, 78:83].any()
    assert known[58:63, 83:90].all()
    assert not known[:, 118:122].any()
    masked = replace(frame, mask=np.zeros(frame.depth_m.shape, bool))
    assert not planes_of(masked, 0.1, 10.0).any()
    assert not planes_of(frame, 0.1, 0.5).any()


def test_where_two_walls_meet_there_is_no_plane() -> None:
    planes = planes_of(frame_at(0, np.eye(4)), 0.1, 10.0)
    length = np.linalg.norm(planes, axis=-1)
    seen = 1 / length[length > 0]
    # The three faces that the view has are as far away as the box says, and nothing else is.
    off_m = np.abs(seen[:, None] - (2.0, 1.5, 1.2)).min(axis=1)
    assert np.quantile(off_m, 0.99) < 0.02
