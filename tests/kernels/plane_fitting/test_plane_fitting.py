# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes in the pixels of a depth image: by hand, and numba against plain numpy."""

import numpy as np
import pytest

from ineus_core.kernels.plane_fitting import SamplePlaces, cpu, fitted_planes, reference

SIZE = 24, 32
INTRINSICS = (30.0, 32.0, 15.0, 13.0)


def places(between_px: float) -> SamplePlaces:
    """Look at each pixel twice, some of a pixel aside, from beyond one edge to beyond another."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    aside = np.float32(between_px)
    return SamplePlaces(
        np.stack((columns, columns + aside)), np.stack((rows, rows - aside)), INTRINSICS
    )


def noisy_wall() -> np.ndarray:
    rng = np.random.default_rng(3)
    depth_m = np.full(SIZE, 2.0, np.float32)
    depth_m[:, 20:] = 3.0
    depth_m += rng.normal(0, 0.002, SIZE).astype(np.float32)
    depth_m[rng.random(SIZE) < 0.1] = 0
    depth_m[3, 4], depth_m[5, 6] = np.nan, np.inf
    return depth_m


def test_a_wall_across_the_axis_is_the_plane_z_over_its_distance() -> None:
    depth_m = np.full(SIZE, 2.0, np.float32)
    planes = fitted_planes(depth_m, None, places(0.0), (0.1, 10.0))
    assert np.abs(planes[3:-3, 3:-3] - (0.0, 0.0, 0.5)).max() < 1e-6


@pytest.mark.parametrize("between_px", [0.0, 0.25, 0.7])
@pytest.mark.parametrize("is_masked", [False, True])
def test_numba_agrees_with_numpy(between_px: float, is_masked: bool) -> None:
    depth_m, looks = noisy_wall(), places(between_px)
    mask = np.random.default_rng(4).random(SIZE) < 0.9 if is_masked else None
    by_numpy = reference.fitted_planes(depth_m, mask, looks, (0.1, 2.9999))
    by_numba = cpu.fitted_planes(depth_m, mask, looks, (0.1, 2.9999))
    known = (by_numpy != 0).any(axis=-1)
    assert 0.3 < known.mean() < 0.9
    assert (known == (by_numba != 0).any(axis=-1)).all()
    assert np.abs(by_numpy - by_numba).max() < 1e-5


def test_places_of_no_number_and_far_outside_show_nothing() -> None:
    looks = places(0.0)
    looks.columns[:, :, 16:] = np.nan
    looks.rows[:, 12:] = 1e9
    planes = cpu.fitted_planes(np.full(SIZE, 2.0, np.float32), None, looks, (0.1, 10.0))
    assert (planes[2:10, 2:14] != 0).any(axis=-1).all()
    assert not planes[:, 16:].any() and not planes[12:].any()


def test_a_mask_of_another_shape_is_refused() -> None:
    depth_m = np.full(SIZE, 2.0, np.float32)
    with pytest.raises(ValueError, match="mask"):
        cpu.fitted_planes(depth_m, np.ones((2, 2), bool), places(0.0), (0.1, 10.0))
