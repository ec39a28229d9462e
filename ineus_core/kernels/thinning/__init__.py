# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Thinning of points: no two that stay are neighbours.

The one version is compiled by numba, as each point depends on those before it.
"""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.dispatch import HOST, fastest


def thinned(points: Float[np.ndarray, "n 3"], radius: float) -> Bool[np.ndarray, " n"]:
    """Tell which points stay where each, in the order given, removes all later ones in a radius.

    Args:
        points: In any unit.
        radius: In the same unit.

    Raises:
        MissingDependencyError: numba is not installed.
    """
    return fastest("thinning", HOST).thinned(points, radius)
