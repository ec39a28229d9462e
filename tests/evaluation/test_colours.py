# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth and normals as colours: hand-picked pixels."""

import numpy as np

from ineus_core.evaluation import depth_colours, depth_limits_m, normal_colours
from ineus_core.evaluation.colours import NOTHING


def test_axes_are_colours_and_nothing_is_grey() -> None:
    normal = np.array([[[1, 0, 0], [0, -1, 0], [0, 0, 0], [0, 0.6, 0.8]]], dtype=np.float32)
    colours = normal_colours(normal)
    assert colours.dtype == np.uint8
    expected = [[255, 128, 128], [128, 0, 128], [NOTHING] * 3, [128, 204, 230]]
    assert colours[0].tolist() == expected
    assert normal_colours(normal, nothing=0)[0, 2].tolist() == [0, 0, 0]


def test_near_is_red_far_is_blue_and_nothing_is_grey() -> None:
    depth_m = np.array([[1.0, 1.2, 2.8, 3.0, 0.0, np.nan]], dtype=np.float32)
    (nearest, near, far, farthest, nothing, unknown) = depth_colours(depth_m, 1.0, 3.0)[0]
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert not np.array_equal(nearest, farthest)
    assert nothing.tolist() == unknown.tolist() == [NOTHING] * 3


def test_limits_leave_strays_out_and_never_meet() -> None:
    depth_m = np.full((20, 20), 2.0, dtype=np.float32)
    depth_m[0, 0], depth_m[1] = 9.0, 0.0
    assert depth_limits_m(depth_m) == (2.0, 2.1)
    both = depth_limits_m(depth_m, np.full((20, 20), 4.0, dtype=np.float32))
    assert both == (2.0, 4.0)
    assert depth_limits_m(np.zeros((2, 2), dtype=np.float32)) == (0.0, 1.0)
