# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A new keyframe against those that see the same surfaces: which these are, and where it fits."""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.plane_alignment import PlaneViews, alignment_equations
from ineus_core.kernels.plane_registration import registered as fitted
from ineus_core.pose_refinement.constraints import relative
from ineus_core.pose_refinement.pose_noise import PoseNoise

_WIDE = 0.003
"""Least deviation of a given pose, in m and rad, by which a new keyframe is held to it."""
_COARSE_STRIDE_PX, _COARSE_SCALE_M = 12, 0.05
_FEWEST = 10.0
_RECENT = 3
_MOST = 10


def neighbours(
    views: PlaneViews, rows: Int[np.ndarray, " n"], poses: Float[np.ndarray, "n 4 4"]
) -> Int[np.ndarray, "pairs 2"]:
    """Pair the last keyframe with those whose surfaces it sees: the newest, and the most alike."""
    last = len(poses) - 1
    earlier = np.arange(last)
    pairs = np.stack((np.full(last, last), earlier), axis=1)
    motions = relative(poses, pairs)
    # With all that are held, so coarsely; only whose surfaces are the same is asked.
    seen = alignment_equations(views, rows[pairs], motions, _COARSE_SCALE_M, _COARSE_STRIDE_PX)
    order = [number for number in np.argsort(-seen.weight) if seen.weight[number] > _FEWEST]
    recent = [number for number in order if number >= last - _RECENT]
    return pairs[list(dict.fromkeys(recent + order))[:_MOST]]


def registered(
    views: PlaneViews,
    rows: Int[np.ndarray, " n"],
    poses: Float[np.ndarray, "n 4 4"],
    pairs: Int[np.ndarray, "pairs 2"],
    noise: PoseNoise,
) -> Float[np.ndarray, "4 4"]:
    """Return the pose of the last keyframe at which its surfaces lie on those of its neighbours.

    Where these say nothing, the pose stays as it is.
    """
    # Wide, as one pose may be wrong among many that are right; the graph weighs it with all.
    spread = max(_WIDE, noise.white + noise.drift)
    # The information of surfaces counts in square distances, so the prior is brought to these.
    sure = (noise.surface_m / spread) ** 2
    others = pairs[:, 1]
    return fitted(views, int(rows[-1]), rows[others], poses[others], poses[-1], sure)
