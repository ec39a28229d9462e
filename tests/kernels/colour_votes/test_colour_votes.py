# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Votes of views by colour: by hand, and numba against plain numpy."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import pytest

from ineus_core.geometry import look_at
from ineus_core.kernels.colour_votes import (
    ColourViews,
    PointsOfHoles,
    colour_votes,
    cpu,
    lens_of,
    reference,
)
from ineus_core.types import Camera

PINHOLE = Camera(32, 24, 30.0, 30.0, 16.0, 12.0)
BENT = (0.1, -0.05, 0.002, -0.001)
CAMERAS = [
    PINHOLE,
    # Other sizes, and pictures of half and of a third of it.
    Camera(80, 48, 70.0, 72.0, 41.0, 23.0, "plumb_bob", (*BENT, 0.01)),
    Camera(90, 66, 60.0, 60.0, 45.0, 33.0, "equidistant", BENT),
]
REDUCTIONS = [1, 2, 3]
UP = np.array((0.0, 0.0, 1.0))
both = pytest.mark.parametrize("version", [reference, cpu])


def views(
    cameras: Sequence[Camera], reductions: Sequence[int], poses: Sequence[np.ndarray]
) -> ColourViews:
    """Black pictures, with nothing returned."""
    sizes = [(c.height_px // k, c.width_px // k) for c, k in zip(cameras, reductions, strict=True)]
    most_px = max(height * width for height, width in sizes)
    lenses, tilted = zip(*map(lens_of, cameras), strict=True)
    return ColourViews(
        np.zeros((len(cameras), most_px, 3), np.uint8),
        np.zeros((len(cameras), most_px), np.float32),
        np.array(sizes),
        np.array(reductions, np.float64),
        tuple(cameras),
        np.stack(lenses),
        np.array(tilted),
        np.stack(poses),
    )


def one_point(eye_x_m: float, is_edge: bool = False) -> PointsOfHoles:
    """Ask about a black point on the axis, 2 m away, viewed from aside."""
    return PointsOfHoles(
        np.array([[0.0, 0.0, 2.0]]),
        np.zeros((1, 3), np.uint8),
        np.zeros(1, np.int64),
        np.array([is_edge]),
        1,
        np.array((eye_x_m, 0.0, 0.0)),
    )


ALIKE, OTHER, SILENT = [1, 0], [0, 1], [0, 0]


@both
@pytest.mark.parametrize(
    ("brightness", "measured_m", "eye_x_m", "expected"),
    [
        (0, 0.0, 1.0, ALIKE),
        (25, 0.0, 1.0, ALIKE),
        (26, 0.0, 1.0, OTHER),
        # Something stands before it, or nothing is there.
        (26, 1.93, 1.0, SILENT),
        (0, 1.95, 1.0, ALIKE),
        (0, 2.16, 1.0, OTHER),
        # 2 m away 8 degrees are 0.281 m.
        (0, 0.0, 0.27, SILENT),
        (0, 0.0, 0.29, ALIKE),
    ],
)
def test_a_point_on_the_axis(
    version: ModuleType, brightness: int, measured_m: float, eye_x_m: float, expected: list[int]
) -> None:
    view = views([PINHOLE], [1], [np.eye(4)])
    view.rgb[:], view.depth_m[:] = brightness, measured_m
    counted = version.colour_votes(view, one_point(eye_x_m))
    assert counted.tolist() == [[expected, SILENT]]
    counted = version.colour_votes(view, one_point(eye_x_m, is_edge=True))
    assert counted.tolist() == [[expected, expected]]


@both
def test_colours_between_pixels_are_interpolated(version: ModuleType) -> None:
    view = views([PINHOLE], [1], [np.eye(4)])
    # The axis meets the corner of four pixels, of which one is 100: 25 are alike, 26 are not.
    for brightness, expected in ((100, ALIKE), (104, OTHER)):
        view.rgb[0, 11 * 32 + 15] = brightness
        assert version.colour_votes(view, one_point(1.0)).tolist() == [[expected, SILENT]]


@both
def test_what_is_behind_a_camera_or_beside_its_picture_is_not_seen(version: ModuleType) -> None:
    behind, beside = np.diag((-1.0, 1.0, -1.0, 1.0)), np.eye(4)
    # 2 m away the picture ends 1.07 m from its axis, and a pixel before that nobody is asked.
    beside[0, 3] = 1.02
    view = views([PINHOLE, PINHOLE], [1, 1], [behind, beside])
    assert version.colour_votes(view, one_point(1.0)).tolist() == [[SILENT, SILENT]]


def test_numba_agrees_with_numpy_on_cameras_of_any_kind_and_size() -> None:
    rng = np.random.default_rng(0)
    eyes = rng.uniform(-1, 1, (3, 3)) - (0, 3, 0)
    poses = [look_at(eye, np.zeros(3), UP) for eye in eyes]
    view = views(CAMERAS, REDUCTIONS, poses)
    view.rgb[:] = rng.integers(0, 100, view.rgb.shape)
    view.depth_m[:] = rng.uniform(2.5, 4, view.depth_m.shape) * (
        rng.random(view.depth_m.shape) < 0.5
    )
    count = 600
    asked = PointsOfHoles(
        rng.uniform(-1.5, 1.5, (count, 3)),
        rng.integers(0, 100, (count, 3)).astype(np.uint8),
        rng.integers(0, 5, count),
        rng.random(count) < 0.4,
        6,
        np.array((1.5, -3.0, 0.0)),
    )
    by_numpy = reference.colour_votes(view, asked)
    # All holes but the last, which has no point, are voted for and against.
    assert (by_numpy[:5] > 5).all() and not by_numpy[5].any()
    np.testing.assert_array_equal(cpu.colour_votes(view, asked), by_numpy)
    np.testing.assert_array_equal(colour_votes(view, asked), by_numpy)


def test_a_tilted_sensor_is_known() -> None:
    tilted = Camera(
        32, 24, 30.0, 30.0, 16.0, 12.0, "rational_polynomial", (0.0,) * 12 + (0.1, 0.0)
    )
    view = views([tilted], [1], [np.eye(4)])
    assert view.is_tilted.all()
    expected = reference.colour_votes(view, one_point(1.0))
    np.testing.assert_array_equal(colour_votes(view, one_point(1.0)), expected)


def test_pictures_of_another_count_are_refused() -> None:
    view = views([PINHOLE], [1], [np.eye(4)])
    two = views([PINHOLE, PINHOLE], [1, 1], [np.eye(4), np.eye(4)])
    mixed = ColourViews(**{**vars(view), "depth_m": two.depth_m})
    with pytest.raises(ValueError, match="depth of views"):
        cpu.colour_votes(mixed, one_point(1.0))
