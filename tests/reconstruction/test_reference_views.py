# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The last keyframes as reference views: which are remembered, and how."""

from dataclasses import replace

import numpy as np

from ineus_core.reconstruction.reference_views import (
    ReferenceViews,
    reduced,
    reduced_rgb,
    reduction_of,
)
from ineus_core.types import Camera, Frame

SMALL = Camera(4, 3, 4.0, 4.0, 2.0, 1.5)
LARGE = Camera(320, 240, 300.0, 300.0, 160.0, 120.0)


def frame(number: int, camera: Camera, depth_m: float) -> Frame:
    shape = camera.height_px, camera.width_px
    pose = np.eye(4)
    pose[0, 3] = number
    rgb = np.full((*shape, 3), number, np.uint8)
    return Frame(number, camera, pose, rgb, np.full(shape, depth_m, np.float32))


def remember(views: ReferenceViews, given: Frame) -> None:
    k = reduction_of(given.camera)
    assert given.depth_m is not None
    views.remember(given, reduced_rgb(given, k), reduced(given.depth_m, k), k)


def test_the_oldest_gives_way_and_sizes_may_differ() -> None:
    views = ReferenceViews(2)
    for number, camera in enumerate((SMALL, LARGE, SMALL)):
        remember(views, frame(number, camera, 1.0 + number))
    held = views.held()
    by_number = dict(zip(held.world_from_camera[:, 0, 3].tolist(), range(2), strict=True))
    assert set(by_number) == {1, 2}
    large, small = by_number[1], by_number[2]
    assert held.sizes_px[large].tolist() == [120, 160] and held.reductions[large] == 2
    assert held.sizes_px[small].tolist() == [3, 4] and held.reductions[small] == 1
    assert held.cameras[large] == LARGE and held.cameras[small] == SMALL
    assert (held.rgb[large] == 1).all() and (held.depth_m[large] == 2).all()
    assert (held.rgb[small, :12] == 2).all() and (held.depth_m[small, :12] == 3).all()


def test_a_keyframe_that_comes_again_is_remembered_once_in_its_place() -> None:
    views = ReferenceViews(2)
    remember(views, frame(0, SMALL, 1.0))
    remember(views, frame(1, SMALL, 2.0))
    remember(views, replace(frame(0, SMALL, 3.0)))
    assert views.held().depth_m[:, 0].tolist() == [3.0, 2.0]
    remember(views, frame(2, SMALL, 4.0))
    # It is still the oldest.
    assert sorted(views.held().depth_m[:, 0].tolist()) == [2.0, 4.0]


def test_poses_of_those_that_are_remembered_move() -> None:
    views = ReferenceViews(2)
    remember(views, frame(0, SMALL, 1.0))
    moved = np.eye(4)
    moved[1, 3] = 5.0
    views.move({(0, frame(0, SMALL, 1.0).camera_id): moved, (9, 0): np.eye(4)})
    np.testing.assert_array_equal(views.held().world_from_camera, moved[None])
