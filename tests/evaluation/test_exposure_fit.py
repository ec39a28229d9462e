# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Exposure that is fitted on the left half of a picture."""

import numpy as np
import pytest

from ineus_core.evaluation import right_half, with_fitted_exposure
from ineus_core.evaluation.exposure_fit import fitted_gains


def test_gains_are_those_of_least_squares() -> None:
    a = np.array([[[10, 100, 50], [20, 50, 50]]], np.uint8)
    b = np.array([[[20, 50, 50], [40, 25, 100]]], np.uint8)
    # Of blue: (50 * 50 + 50 * 100) / (50 * 50 + 50 * 50).
    assert fitted_gains(a, b) == pytest.approx([2.0, 0.5, 1.5])


def test_saturated_pixels_and_a_black_half_tell_nothing() -> None:
    a = np.array([[[10, 10, 10], [200, 200, 200]]], np.uint8)
    b = np.array([[[20, 20, 20], [255, 255, 255]]], np.uint8)
    assert fitted_gains(a, b) == pytest.approx([2.0] * 3)
    assert fitted_gains(np.zeros_like(a), b) == pytest.approx([1.0] * 3)


def test_the_left_half_decides_and_the_right_one_is_judged() -> None:
    rendered = np.full((2, 5, 3), 50, np.uint8)
    measured = np.full((2, 5, 3), 100, np.uint8)
    measured[:, 2:] = 7
    lit = with_fitted_exposure(rendered, measured)
    assert (lit == 100).all()
    assert right_half(measured).shape == (2, 3, 3) and (right_half(measured) == 7).all()
