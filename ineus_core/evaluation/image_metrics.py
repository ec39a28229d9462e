# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far a rendered image is from the one that the camera took."""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import correlate1d

_WINDOW_PX = 11
_SIGMA_PX = 1.5


def psnr(
    rendered: UInt8[np.ndarray, "h w 3"],
    measured: UInt8[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"] | None = None,
) -> float:
    """Return the peak signal-to-noise ratio, dB; infinite for equal images.

    Args:
        mask: Pixels to compare, all if not given; NaN if it has none.
    """
    _check_sizes(rendered, measured)
    # Differences of 8-bit values would wrap around.
    squared = (rendered.astype(np.float64) - measured.astype(np.float64)) ** 2
    squared = squared if mask is None else squared[mask]
    if squared.size == 0:
        return float("nan")
    mean = float(squared.mean())
    return float("inf") if mean == 0 else float(10 * np.log10(255.0**2 / mean))


def ssim(rendered: UInt8[np.ndarray, "h w 3"], measured: UInt8[np.ndarray, "h w 3"]) -> float:
    """Return the structural similarity (Wang et al., 2004), mean over the channels.

    The window is a Gaussian of 11 x 11 pixels and sigma 1.5, used only where it fits in the image;
    the constants are 0.01 and 0.03 of the range. NaN if it fits nowhere.
    """
    _check_sizes(rendered, measured)
    if min(rendered.shape[:2]) < _WINDOW_PX:
        return float("nan")
    a, b = rendered.astype(np.float64) / 255, measured.astype(np.float64) / 255
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((numerator / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def depth_l1_m(
    rendered_m: Float[np.ndarray, "h w"], measured_m: Float[np.ndarray, "h w"]
) -> float:
    """Return the mean |difference| of depths where the sensor has a return; NaN without any.

    A pixel without a rendered surface (0) counts with its whole measured depth, so that a hole is
    never better than a wrong surface.
    """
    _check_sizes(rendered_m, measured_m)
    valid = measured_m > 0
    if not valid.any():
        return float("nan")
    difference = rendered_m[valid].astype(np.float64) - measured_m[valid].astype(np.float64)
    return float(np.abs(difference).mean())


def _blur(image: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h2 w2 3"]:
    """Return the Gaussian means where the window fits."""
    reach = _WINDOW_PX // 2
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SIGMA_PX) ** 2)
    window /= window.sum()
    blurred = correlate1d(correlate1d(image, window, axis=0), window, axis=1)
    # Elsewhere the window would see pixels that were made up beyond the edge.
    return blurred[reach:-reach, reach:-reach]


def _check_sizes(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"images of shapes {a.shape} and {b.shape}: expected equal ones")
