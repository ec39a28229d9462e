# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a view of depth tells of another: by hand, and numba against plain numpy."""

import numpy as np
import pytest

from ineus_core.kernels.depth_comparison import (
    LOOKS_THROUGH,
    SHOWS,
    TELLS_NOTHING,
    DepthViews,
    Window,
    compare_depth,
    cpu,
    reference,
)

INTRINSICS = np.array((50.0, 50.0, 20.0, 15.0))


def facing_walls(*distances_m: float) -> DepthViews:
    depth_m = np.zeros((len(distances_m), 30, 40), np.float32)
    depth_m[:] = np.array(distances_m)[:, None, None]
    return DepthViews(depth_m, depth_m, np.tile(INTRINSICS, (len(distances_m), 1)), 0.05, 0.005)


def moved(x: float = 0.0, z: float = 0.0) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, 3] = x, 0.0, z
    return motion[None]


# At 2 m the tolerance is 0.05 m + 0.005 / m * (2 m)^2 = 0.07 m.
@pytest.mark.parametrize(
    ("second_m", "told"),
    [
        (2.0, SHOWS),
        (2.069, SHOWS),
        (1.931, SHOWS),
        (2.071, LOOKS_THROUGH),
        (1.929, TELLS_NOTHING),  # what is behind something else is hidden
        (0.0, TELLS_NOTHING),
    ],
)
def test_a_wall_at_2_m_is_shown_seen_through_or_hidden(second_m: float, told: int) -> None:
    views = facing_walls(2.0, second_m)
    found = compare_depth(views, np.array([[0, 1]]), moved())
    assert (found == told).all()


def test_half_a_view_aside_only_the_common_half_is_told() -> None:
    # 50 px / 2 m: 0.8 m to the side are 20 columns, half of the picture.
    found = compare_depth(facing_walls(2.0, 2.0), np.array([[0, 1]]), moved(x=0.8))
    assert (found[0, :, :20] == SHOWS).all()
    assert (found[0, :, 20:] == TELLS_NOTHING).all()


def test_a_missing_return_nearby_keeps_a_view_from_looking_through() -> None:
    views = facing_walls(2.0, 3.0)
    nearest_m = views.nearest_m.copy()
    nearest_m[1, :, 10] = 0
    views = DepthViews(views.depth_m, nearest_m, views.intrinsics, 0.05, 0.005)
    found = compare_depth(views, np.array([[0, 1]]), moved())
    assert (found[0, :, 10] == TELLS_NOTHING).all()
    assert (np.delete(found[0], 10, axis=1) == LOOKS_THROUGH).all()


def test_what_lies_behind_the_second_camera_is_not_compared() -> None:
    found = compare_depth(facing_walls(2.0, 2.0), np.array([[0, 1]]), moved(z=-2.5))
    assert (found == TELLS_NOTHING).all()


@pytest.mark.parametrize("stride_px", [1, 3, 8])
def test_numba_agrees_with_numpy(stride_px: int) -> None:
    rng = np.random.default_rng(2)
    depth_m = rng.uniform(1, 4, (3, 30, 40)).astype(np.float32)
    depth_m[:, ::5, ::3] = 0
    views = DepthViews(depth_m, depth_m, np.tile(INTRINSICS, (3, 1)), 0.5, 0.01)
    pairs = np.array([[0, 1], [1, 0], [2, 2], [0, 2]])
    motions = np.concatenate([moved(0.1 * i, 0.2 - 0.1 * i) for i in range(4)])
    by_numpy = reference.compare_depth(views, pairs, motions, stride_px)
    assert {SHOWS, LOOKS_THROUGH, TELLS_NOTHING} == set(np.unique(by_numpy).tolist())
    assert (cpu.compare_depth(views, pairs, motions, stride_px) == by_numpy).all()


def test_a_row_that_is_none_of_the_views_is_refused() -> None:
    with pytest.raises(ValueError, match="up to 2: expected 0 to 1"):
        cpu.compare_depth(facing_walls(2.0, 2.0), np.array([[0, 2]]), moved(), 1)


@pytest.mark.parametrize("side_px", [1, 4, 5])
@pytest.mark.parametrize("is_masked", [False, True])
def test_depth_around_pixels_by_numba_is_that_by_opencv(side_px: int, is_masked: bool) -> None:
    rng = np.random.default_rng(side_px)
    depth_m = rng.uniform(0.5, 3, (30, 40)).astype(np.float32)
    mask = rng.random(depth_m.shape) < 0.98 if is_masked else None
    # Some of them outside, some between two pixels.
    columns, rows = (
        (0.5 * rng.integers(-6, 2 * side + 6, (200, 3))).astype(np.float32) for side in (40, 30)
    )
    arguments = depth_m, mask, Window(columns, rows, side_px), (0.52, 2.98)
    by_numba, by_numpy = (version.depth_around(*arguments) for version in (cpu, reference))
    assert (by_numpy[0] == 0).any() and (by_numpy[1] > 0).any()
    for one, other in zip(by_numba, by_numpy, strict=True):
        np.testing.assert_array_equal(one, other)
