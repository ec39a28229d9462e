# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The cosine between rays and surfaces, by depth alone."""

import numpy as np
from tiny_scene import CAMERA

from ineus_core.fusion.incidence import incidence

_SIZE = (CAMERA.height_px, CAMERA.width_px)


def test_a_wall_across_the_view_is_met_by_the_cosine_of_the_ray() -> None:
    found = incidence(np.full(_SIZE, 2.0, np.float32), CAMERA)
    u, v = (np.arange(40) + 0.5 - 20) / 30, (np.arange(30) + 0.5 - 15) / 30
    expected = 1 / np.sqrt(1 + u**2 + v[:, None] ** 2)
    np.testing.assert_allclose(found, expected[::2, ::2], rtol=1e-5)


def test_a_wall_at_45_degrees_is_met_by_the_cosine_to_its_normal() -> None:
    # x = z - 2, so z = 2 / (1 - u) at u on the plane z = 1.
    u = (np.arange(40) + 0.5 - 20) / 30
    depth_m = np.tile((2 / (1 - u)).astype(np.float32), (30, 1))
    found = incidence(depth_m, CAMERA)
    expected = (1 - u) / np.sqrt(2 * (1 + u**2))
    np.testing.assert_allclose(found[7, 3:13], expected[6:26:2], atol=0.06)


def test_beside_an_edge_the_side_without_the_jump_tells_and_in_the_air_none_does() -> None:
    depth_m = np.full(_SIZE, 2.0, np.float32)
    depth_m[:, 20:] = 4.0
    flat = incidence(depth_m, CAMERA)
    assert flat[:, 5:15].min() > 0.8
    depth_m[:, 20] = 3.0
    assert incidence(depth_m, CAMERA)[7, 10] < 0.4
    assert incidence(depth_m[:2, :2], CAMERA.resized(2, 2)).shape == (1, 1)
