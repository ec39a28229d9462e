# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of triangles that can be counted."""

import numpy as np

from ineus_core.kernels.rasterising import rasterise


def test_each_pixel_of_two_triangles_is_hit_once_with_weights_of_its_centre() -> None:
    """A square of 4 x 3 pixels in two triangles, and nothing beside it."""
    corners = np.array(((1, 1, 1), (1, 4, 1), (5, 4, 1), (5, 1, 1)), dtype=np.float64)
    triangles = np.array(((0, 1, 2), (0, 2, 3)), dtype=np.int32)
    seen = rasterise(corners, triangles, 7, 5)
    rows, columns = np.divmod(seen.pixels, 7)
    assert sorted(zip(rows, columns, strict=True)) == [
        (r, c) for r in (1, 2, 3) for c in (1, 2, 3, 4)
    ]
    centres = np.einsum("pi,pic->pc", seen.weights, corners[triangles[seen.triangles]])
    np.testing.assert_allclose(centres[:, 0], columns + 0.5)
    np.testing.assert_allclose(centres[:, 1], rows + 0.5)


def test_backs_and_what_reaches_behind_the_eye_are_left_out() -> None:
    corners = np.array(((0, 0, 1), (0, 4, 1), (4, 4, 1), (4, 0, 0)), dtype=np.float64)
    for triangle in ((2, 1, 0), (0, 2, 3)):
        seen = rasterise(corners, np.array([triangle], dtype=np.int32), 4, 4)
        assert len(seen.pixels) == len(seen.triangles) == len(seen.weights) == 0


def test_the_larger_inverse_depth_is_nearer() -> None:
    """Two triangles cross: each is seen where it is nearer."""
    low, high = ((0, 0, 1), (0, 8, 1), (8, 8, 3)), ((0, 0, 2), (0, 8, 2), (8, 8, 2))
    corners = np.array((*low, *high), dtype=np.float64)
    seen = rasterise(corners, np.array(((0, 1, 2), (3, 4, 5)), dtype=np.int32), 8, 8)
    columns = seen.pixels % 8
    np.testing.assert_array_equal(seen.triangles, np.where(columns + 0.5 < 4, 1, 0))
