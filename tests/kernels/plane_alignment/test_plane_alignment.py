# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Equations of the motion between surfaces: by hand, and numba against plain numpy."""

import numpy as np
import pytest

from ineus_core.kernels.plane_alignment import PlaneViews, alignment_equations, cpu, reference

INTRINSICS = np.array((50.0, 50.0, 20.0, 15.0))


def facing_wall(*distances_m: float) -> PlaneViews:
    """Return views of a wall across their axes: 0 x + 0 y + z / distance = 1."""
    planes = np.zeros((len(distances_m), 30, 40, 3), np.float32)
    planes[..., 2] = 1 / np.array(distances_m)[:, None, None]
    return PlaneViews(planes, np.tile(INTRINSICS, (len(distances_m), 1)))


def cluttered(views: int) -> PlaneViews:
    """Return views of a plane in each pixel, all of them different, some of them missing."""
    rng = np.random.default_rng(3)
    planes = rng.normal(0, 0.05, (views, 30, 40, 3)).astype(np.float32)
    planes[..., 2] += 0.5
    planes[:, 5:9, ::3] = 0
    return PlaneViews(planes, np.tile(INTRINSICS, (views, 1)))


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, 3] = x, y, z
    return motion[None]


def test_a_wall_that_is_5_mm_too_far_away_is_pulled_by_5_mm() -> None:
    views, pair = facing_wall(2.005, 2.0), np.array([[0, 1]])
    found = alignment_equations(views, pair, moved(), 0.01, 1)
    # Weights of 1 / (1 + 1/4)^2, and less by the depth; 1200 pixels; n points at the camera.
    weight = 1200 / 1.25**2 / (1 + (2.005 / 3) ** 4)
    assert found.weight[0] == pytest.approx(weight, rel=1e-5)
    assert found.gradient[0, :3] == pytest.approx((0, 0, 0.005 * weight), abs=1e-3)
    assert found.square[0] == pytest.approx(weight * 0.005**2, rel=1e-4)
    step = np.linalg.lstsq(found.hessian[0], -found.gradient[0], rcond=1e-9)[0]
    assert step == pytest.approx((0, 0, -0.005, 0, 0, 0), abs=1e-5)


def test_a_wall_says_nothing_of_motion_along_it_or_of_turns_about_its_normal() -> None:
    found = alignment_equations(facing_wall(2.0, 2.0), np.array([[0, 1]]), moved(), 0.01, 1)
    assert np.abs(found.hessian[0][[0, 1, 5]]).max() < 1e-9
    assert found.hessian[0][[2, 3, 4], [2, 3, 4]].min() > 1


def test_what_lies_too_far_off_or_faces_away_or_behind_is_not_compared() -> None:
    pair = np.array([[0, 1]])
    far = alignment_equations(facing_wall(2.0, 2.031), pair, moved(), 0.01, 1)
    behind = alignment_equations(facing_wall(2.0, 2.0), pair, moved(z=-3.0), 0.01, 1)
    turned = moved()
    turned[0, :3, :3] = np.array(((0, 0, 1), (0, 1, 0), (-1, 0, 0)))
    aside = alignment_equations(facing_wall(2.0, 2.0), pair, turned, 0.01, 1)
    assert (far.weight[0], behind.weight[0], aside.weight[0]) == (0, 0, 0)


@pytest.mark.parametrize("stride_px", [1, 3, 7])
def test_numba_agrees_with_numpy(stride_px: int) -> None:
    views, pairs = cluttered(3), np.array([[0, 1], [1, 0], [2, 2], [0, 2]])
    motions = np.concatenate([moved(0.01, -0.02, 0.005 * i) for i in range(4)])
    by_numba = cpu.alignment_sums(views, pairs, motions, 0.05, stride_px)
    by_numpy = reference.alignment_sums(views, pairs, motions, 0.05, stride_px)
    assert by_numpy[:, 27].min() > 0
    assert by_numba == pytest.approx(by_numpy, rel=1e-9, abs=1e-9)


def test_the_gradient_is_the_slope_of_the_squares() -> None:
    """Of squares with fixed weights, so of small distances, where these change by little."""
    views, pair = facing_wall(2.0, 2.0), np.array([[0, 1]])
    lower, upper = (alignment_equations(views, pair, moved(z=z), 1.0, 2) for z in (0.009, 0.011))
    middle = alignment_equations(views, pair, moved(z=0.01), 1.0, 2)
    slope = (upper.square[0] - lower.square[0]) / 0.002
    assert slope == pytest.approx(2 * middle.gradient[0, 2], rel=0.02)


def test_no_pairs_give_no_equations_and_views_that_are_not_there_are_refused() -> None:
    views = facing_wall(2.0)
    none = alignment_equations(views, np.zeros((0, 2), np.int64), np.zeros((0, 4, 4)), 0.01, 1)
    assert none.hessian.shape == (0, 6, 6)
    with pytest.raises(ValueError, match="pairs of views up to 1: expected 0 to 0"):
        alignment_equations(views, np.array([[0, 1]]), moved(), 0.01, 1)
