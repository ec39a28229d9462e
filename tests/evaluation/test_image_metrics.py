# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Image figures, by hand and against scikit-image."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ineus_core.evaluation import depth_l1_m, psnr, ssim


def noisy_pair(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make a smooth picture and the same with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :60]
    smooth = 128 + 60 * np.sin(x / 7)[..., None] * np.cos(y / 5)[..., None] * np.ones(3)
    noisy = smooth + rng.normal(0, 15, smooth.shape)
    return smooth.astype(np.uint8), noisy.clip(0, 255).astype(np.uint8)


def test_psnr_of_a_constant_difference() -> None:
    """Off by 51 of 255, a fifth: 20 log10 5 = 13.98 dB."""
    black = np.zeros((4, 4, 3), dtype=np.uint8)
    assert psnr(black, black + np.uint8(51)) == pytest.approx(20 * math.log10(5))
    assert psnr(black, black) == math.inf


def test_psnr_looks_at_the_mask_only() -> None:
    """The bad pixel is masked away; no pixel at all gives no figure."""
    a, b = np.zeros((2, 2, 3), dtype=np.uint8), np.zeros((2, 2, 3), dtype=np.uint8)
    b[0, 0] = 255
    mask = np.array(((False, True), (True, True)))
    assert psnr(a, b, mask) == math.inf
    assert psnr(a, b, ~mask) == pytest.approx(0.0)
    assert math.isnan(psnr(a, b, np.zeros((2, 2), dtype=bool)))


def test_figures_agree_with_scikit_image() -> None:
    """The window of the paper: Gaussian, 11 x 11, sigma 1.5, population covariance."""
    smooth, noisy = noisy_pair()
    assert psnr(smooth, noisy) == pytest.approx(peak_signal_noise_ratio(smooth, noisy))
    theirs = structural_similarity(
        smooth,
        noisy,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert ssim(smooth, noisy) == pytest.approx(theirs, abs=1e-6)


def test_ssim_of_equal_pictures_is_one_and_does_not_depend_on_the_order() -> None:
    """The figure is symmetric."""
    smooth, noisy = noisy_pair(1)
    assert ssim(smooth, smooth) == pytest.approx(1.0)
    assert ssim(smooth, noisy) == pytest.approx(ssim(noisy, smooth))


def test_depth_error_counts_holes_of_ours_and_not_of_the_sensor() -> None:
    """Errors 0.1 and 0, a hole of 3 m, and a pixel without a return: (0.1 + 0 + 3) / 3."""
    measured = np.array(((1.0, 2.0), (3.0, 0.0)), dtype=np.float32)
    rendered = np.array(((1.1, 2.0), (0.0, 9.0)), dtype=np.float32)
    assert depth_l1_m(rendered, measured) == pytest.approx(3.1 / 3)
    assert math.isnan(depth_l1_m(rendered, np.zeros_like(measured)))


def test_pictures_of_different_sizes_are_refused() -> None:
    """By the check of shapes in the tests (a TypeError), by the function itself elsewhere."""
    small = np.zeros((8, 20, 3), dtype=np.uint8)
    with pytest.raises((ValueError, TypeError), match="19"):
        psnr(small, small[:, 1:])


def test_a_picture_smaller_than_the_window_has_no_ssim() -> None:
    small = np.zeros((10, 20, 3), dtype=np.uint8)
    assert math.isnan(ssim(small, small))
    assert ssim(np.zeros((11, 20, 3), np.uint8), np.zeros((11, 20, 3), np.uint8)) == 1.0
