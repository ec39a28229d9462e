# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of two keyframes say of the motion between them, and where a new one fits.

Versions: plain numpy, numba in one call for each question, so that the interpreter's lock is let
go once. Both run on the host, where poses are asked for while a GPU has steps to do.
"""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.kernels.plane_alignment import PlaneViews
from ineus_core.kernels.plane_registration.reference import FINE_M
from ineus_core.kernels.pose_graph import PairQuadrics

__all__ = ["FINE_M", "registered", "surface_quadrics"]


def surface_quadrics(
    views: PlaneViews,
    pairs: Int[np.ndarray, "n 2"],
    poses: Float[np.ndarray, "n 2 4 4"],
    scale_m: float,
) -> PairQuadrics:
    """Compare the surfaces of pairs of views, at the motions between their poses.

    Args:
        pairs: Rows of `views`.
        poses: Of both views of each pair.
        scale_m: Distance at which a point weighs a quarter.

    Raises:
        ValueError: Shapes or rows that do not fit.
    """
    return fastest("plane_registration", HOST).surface_quadrics(views, pairs, poses, scale_m)


def registered(
    views: PlaneViews,
    view: int,
    others: Int[np.ndarray, " n"],
    poses: Float[np.ndarray, "n 4 4"],
    expected: Float[np.ndarray, "4 4"],
    sure: float,
) -> Float[np.ndarray, "4 4"]:
    """Return the pose of a view at which its surfaces lie on those of others.

    Where these say nothing, the pose stays as it is expected.

    Args:
        view: Row of `views`.
        others: Rows of `views`.
        poses: Of the others.
        expected: Where it begins, and what it is held to.
        sure: Square distances of surfaces, in m2, over those of the expected pose.

    Raises:
        ValueError: Shapes or rows that do not fit.
    """
    operator = fastest("plane_registration", HOST)
    return operator.registered(views, view, others, poses, expected, sure)
