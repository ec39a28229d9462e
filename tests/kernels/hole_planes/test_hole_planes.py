# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes through holes of a depth image: by hand, and numba against plain numpy."""

from types import ModuleType

import numpy as np
import pytest

from ineus_core.geometry import pixel_rays
from ineus_core.kernels.hole_planes import cpu, reference
from ineus_core.types import Camera

CAMERA = Camera(160, 120, 130.0, 130.0, 80.0, 60.0)
BELIEVED = (0.1, 10.0)
both = pytest.mark.parametrize("version", [reference, cpu])


def slopes() -> np.ndarray:
    rays = pixel_rays(CAMERA)
    return rays[..., :2] / rays[..., 2:]


def slanted_plane() -> tuple[np.ndarray, np.ndarray]:
    """Inverse depth as a product with the ray, and the depth image."""
    plane = np.array((0.1, -0.05, 0.4))
    return plane, (1.0 / (slopes() @ plane[:2] + plane[2])).astype(np.float32)


def with_hole(depth_m: np.ndarray) -> np.ndarray:
    depth_m = depth_m.copy()
    depth_m[40:70, 60:100] = 0
    return depth_m


@both
def test_a_plane_goes_through_a_hole(version: ModuleType) -> None:
    plane, depth_m = slanted_plane()
    found = version.planar_holes(with_hole(depth_m), slopes(), None, BELIEVED)
    assert len(found) == 1 and len(found.rows) == 30 * 40
    assert (found.rows.min(), found.rows.max()) == (40, 69)
    assert (found.columns.min(), found.columns.max()) == (60, 99)
    np.testing.assert_allclose(found.planes[0], plane, atol=1e-5)
    # Two pixels wide all around.
    assert found.is_edge.sum() == 30 * 40 - 26 * 36


def two_depths(depth_m: np.ndarray) -> np.ndarray:
    """Make an object beside a shadow: the rim is nearer on one side."""
    depth_m[:, :60] *= 0.8
    return depth_m


def a_corner(depth_m: np.ndarray) -> np.ndarray:
    """Two walls that meet within the hole."""
    return depth_m * (1 + 0.4 * np.abs(slopes()[..., 0])).astype(np.float32)


def cut_off(depth_m: np.ndarray) -> np.ndarray:
    """Most of the contour lies outside of the image."""
    depth_m[:, :100] = 0
    depth_m[:45], depth_m[65:] = 0, 0
    return depth_m


def far_away(depth_m: np.ndarray) -> np.ndarray:
    return depth_m * 10


@both
@pytest.mark.parametrize("change", [two_depths, a_corner, cut_off, far_away])
def test_what_is_no_plane_around_a_hole_gives_none(version: ModuleType, change: object) -> None:
    depth_m = with_hole(change(slanted_plane()[1]))  # type: ignore[operator]
    assert len(version.planar_holes(depth_m, slopes(), None, BELIEVED)) == 0


@both
def test_pixels_that_may_not_be_used_are_no_hole(version: ModuleType) -> None:
    depth_m = with_hole(slanted_plane()[1])
    assert len(version.planar_holes(depth_m, slopes(), depth_m > 0, BELIEVED)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_numba_agrees_with_numpy(seed: int) -> None:
    """Holes of any size and shape, also at the border, in a noisy room of two walls."""
    rng = np.random.default_rng(seed)
    _, depth_m = slanted_plane()
    depth_m[:, 110:] *= np.float32(1.3)
    depth_m += rng.normal(0, 0.01, depth_m.shape).astype(np.float32)
    for _ in range(40):
        row, column, size = rng.integers(120), rng.integers(160), rng.integers(2, 20)
        depth_m[row : row + size, column : column + rng.integers(2, 20)] = 0
    depth_m[5, 7], depth_m[30, 40] = np.nan, np.inf
    usable = rng.random(depth_m.shape) < 0.999
    by_numpy = reference.planar_holes(depth_m, slopes(), usable, BELIEVED)
    by_numba = cpu.planar_holes(depth_m, slopes(), usable, BELIEVED)
    assert len(by_numpy) > 3
    # Some are none: of two walls, or too small.
    assert len(by_numpy.rows) < ((depth_m == 0) & usable).sum()
    np.testing.assert_allclose(by_numba.planes, by_numpy.planes, atol=1e-8)
    for name in ("hole", "rows", "columns", "is_edge"):
        np.testing.assert_array_equal(getattr(by_numba, name), getattr(by_numpy, name))


def test_an_image_without_holes_has_none() -> None:
    found = cpu.planar_holes(slanted_plane()[1], slopes(), None, BELIEVED)
    assert len(found) == len(found.rows) == 0


def test_slopes_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="slopes"):
        cpu.planar_holes(slanted_plane()[1], slopes()[1:], None, BELIEVED)
