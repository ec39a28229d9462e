# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding of depth images in RVL (Wilson, "Fast lossless depth image compression", 2017).

The one version is compiled by numba: in plain Python an image would take seconds.
"""

import numpy as np
from jaxtyping import UInt16, UInt32

from ineus_core.kernels.dispatch import HOST, fastest


def decode_rvl(
    words: UInt32[np.ndarray, " n"], pixels: int
) -> UInt16[np.ndarray, " pixels"] | None:
    """Return the pixels of a stream of 32-bit words, or None if it ends before them.

    Raises:
        MissingDependencyError: numba is not installed.
    """
    return fastest("rvl", HOST).decode_rvl(words, pixels)
