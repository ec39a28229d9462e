# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The exposure of a picture, fitted to another one, so that a view can be judged without it.

Where exposure varies nobody can know that of a picture that was held out: its gain is fitted on
the left half, and only the right half is judged, as in NeRF in the Wild (Martin-Brualla 2021).
"""

import numpy as np
from jaxtyping import Float, UInt8

_SATURATED = 250


def right_half(image: np.ndarray) -> np.ndarray:
    """Return the half that is judged."""
    return image[:, image.shape[1] // 2 :]


def with_fitted_exposure(
    rendered: UInt8[np.ndarray, "h w 3"], measured: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a rendered picture with the gains that fit its left half to the measured one."""
    half = rendered.shape[1] // 2
    lit = rendered * fitted_gains(rendered[:, :half], measured[:, :half])
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def fitted_gains(
    rendered: UInt8[np.ndarray, "h w 3"], measured: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, " 3"]:
    """Return the gain of each channel by least squares, of what no picture has saturated."""
    is_below = np.maximum(rendered, measured).max(axis=-1) < _SATURATED
    a, b = rendered[is_below].astype(np.float64), measured[is_below].astype(np.float64)
    norm = (a * a).sum(axis=0)
    # A black half says nothing of the exposure.
    return np.where(norm > 0, (a * b).sum(axis=0) / np.maximum(norm, 1.0), 1.0)
