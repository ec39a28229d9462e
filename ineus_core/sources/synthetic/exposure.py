# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Exposure and white balance that change along the way, as those of automatic cameras do."""

import numpy as np
from jaxtyping import Float

_JUMPS = (0.0, 0.5, -0.4, 0.3, -0.5, 0.1, 0.45, -0.2)
"""Of the brightness, in equal parts of the way."""


def gains_at(share: float, change: float) -> Float[np.ndarray, " 3"]:
    """Return what the colours of a frame are multiplied by; 1 for the first one.

    Args:
        share: Of the way, 0 to 1.
        change: Gains are within a factor of 1 + this.
    """
    slow = 0.5 * np.sin(3 * np.pi * share)
    jump = _JUMPS[min(int(share * len(_JUMPS)), len(_JUMPS) - 1)]
    warmth = 0.25 * np.sin(5 * np.pi * share)
    return np.exp(np.log1p(change) * (0.75 * (slow + jump) + warmth * np.array((1.0, 0.0, -1.0))))
