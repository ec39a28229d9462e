# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in few pixels without a lens, and masks of these back in all pixels."""

import numpy as np

from ineus_core.dynamic_objects.depth_view import in_all_pixels, small_camera, small_depth
from ineus_core.types import Camera, Frame

CAMERA = Camera(640, 480, 400.0, 400.0, 320.0, 240.0)


def frame(depth_m: np.ndarray, camera: Camera = CAMERA) -> Frame:
    rgb = np.zeros((*depth_m.shape, 3), np.uint8)
    return Frame(0, camera, np.eye(4), rgb, depth_m.astype(np.float32))


def test_one_pixel_of_four_by_four_is_compared() -> None:
    small = small_camera(CAMERA)
    assert (small.width_px, small.height_px, small.fx) == (160, 120, 100.0)
    depth_m = np.full((480, 640), 2.0)
    depth_m[:, 320:] = 3.0
    depth, nearest = small_depth(frame(depth_m), 0.1, 10.0)
    assert (depth[:, :80] == 2).all() and (depth[:, 80:] == 3).all()
    # The window is 12 pixels wide: beside the edge it still holds the nearer side.
    assert nearest[60, 80] == 2 and nearest[60, 84] == 3


def test_a_hole_is_no_return_and_spoils_the_least_around_it() -> None:
    depth_m = np.full((480, 640), 2.0)
    depth_m[240:244, 320:324] = 0
    depth, nearest = small_depth(frame(depth_m), 0.1, 10.0)
    assert depth[60, 80] == 0 and (depth == 0).sum() == 1
    assert nearest[60, 80] == 0 and nearest[59, 79] == 0 and nearest[50, 80] == 2


def test_limits_and_masks_of_the_frame_hold() -> None:
    depth_m = np.full((480, 640), 12.0)
    assert not small_depth(frame(depth_m), 0.1, 10.0)[0].any()


def test_a_small_pixel_stands_for_the_pixels_in_it() -> None:
    small = np.zeros((120, 160), bool)
    small[10, 20] = True
    mask = in_all_pixels(small, CAMERA)
    assert mask[40:44, 80:84].all() and mask.sum() == 16


def test_pixels_that_a_lens_bends_beyond_the_small_picture_are_in_no_small_pixel() -> None:
    wide = Camera(640, 480, 400.0, 400.0, 320.0, 240.0, "plumb_bob", (-0.2, 0, 0, 0, 0))
    mask = in_all_pixels(np.ones((120, 160), bool), wide)
    assert mask[240, 320] and not mask[0, 0]


def test_without_a_lens_pixels_are_found_as_by_projection() -> None:
    # 639 x 479: the small picture is no whole part of it. A lens that bends nothing is one still.
    plain = Camera(639, 479, 400.0, 401.0, 310.0, 245.0)
    lens = Camera(639, 479, 400.0, 401.0, 310.0, 245.0, "plumb_bob", (1e-12, 0, 0, 0, 0))
    small = np.random.default_rng(0).random((120, 160)) < 0.5
    assert (in_all_pixels(small, plain) == in_all_pixels(small, lens)).mean() > 0.999
