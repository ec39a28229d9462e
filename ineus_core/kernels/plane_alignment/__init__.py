# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far surfaces that two views show lie apart, and the equations of the motion that closes it.

Versions: plain numpy, numba in one pass over the pixels. Both run on the host, whatever device
trains: the poses of a frame are asked for while a GPU has steps to do, which each answer of its
own would have to wait for.
"""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.kernels.plane_alignment.reference import AlignmentEquations, PlaneViews

__all__ = ["AlignmentEquations", "PlaneViews", "alignment_equations"]


def alignment_equations(
    views: PlaneViews,
    pairs: Int[np.ndarray, "pairs 2"],
    second_from_first: Float[np.ndarray, "pairs 4 4"],
    scale_m: float,
    stride_px: int,
) -> AlignmentEquations:
    """Return the normal equations of the motion of each first view that brings it on its second.

    Points of the first view are compared with the plane in the pixel of the second that they fall
    on (Chen & Medioni 1991). Those whose normals disagree, or that lie more than three scales off,
    count as other surface; the rest weigh by Geman and McClure, and less with the depth, as the
    noise of sensors grows.

    Args:
        pairs: Rows of `views`.
        second_from_first: Rigid.
        scale_m: Distance at which a point weighs a quarter.
        stride_px: Of each so many rows and columns of the first view, one is compared.
    """
    operator = fastest("plane_alignment", HOST)
    sums = operator.alignment_sums(views, pairs, second_from_first, scale_m, stride_px)
    return AlignmentEquations.of_sums(sums)
