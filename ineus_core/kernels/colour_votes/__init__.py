# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Votes of earlier views whether points are where they are said to be, by their colours.

Versions: plain numpy with OpenCV, numba in one call. Both run on the host.
"""

import numpy as np
from jaxtyping import Int

from ineus_core.kernels.colour_votes import reference
from ineus_core.kernels.colour_votes.reference import ColourViews, PointsOfHoles, lens_of
from ineus_core.kernels.dispatch import HOST, fastest

__all__ = ["ColourViews", "PointsOfHoles", "colour_votes", "lens_of"]


def colour_votes(views: ColourViews, points: PointsOfHoles) -> Int[np.ndarray, "holes 2 2"]:
    """Count votes for points and against them, of all views that can tell.

    Returns:
        For each hole votes for its points and against them, first of all and then of those along
        the contour.
    """
    # A tilted sensor only the reference knows.
    operator = reference if views.is_tilted.any() else fastest("colour_votes", HOST)
    return operator.colour_votes(views, points)
