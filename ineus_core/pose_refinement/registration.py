# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A new keyframe against those that see the same surfaces: which these are, and where it fits."""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.plane_alignment import PlaneViews, alignment_equations
from ineus_core.kernels.pose_graph import in_world
from ineus_core.motions import between, moved, size_m
from ineus_core.pose_refinement.constraints import Constraints, relative
from ineus_core.pose_refinement.pose_noise import PoseNoise

_SCALES_M = (0.03, 0.03, 0.02, 0.01)
"""Of the robust weights, step by step: surfaces are at first as far apart as poses are wrong."""
FINE_M = _SCALES_M[-1]
_STEPS = 10
_WIDE = 0.003
"""Least deviation of a given pose, in m and rad, by which a new keyframe is held to it."""
_STILL_M = 1e-4
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
    poses, expected = poses.copy(), poses[-1:]
    # Wide, as one pose may be wrong among many that are right; the graph weighs it with all.
    spread = max(_WIDE, noise.white + noise.drift)
    scale, finest = 0, len(_SCALES_M) - 1
    for _ in range(_STEPS):
        found = Constraints.measured(views, rows, pairs, relative(poses, pairs), _SCALES_M[scale])
        # Compared anew in each step, as other pixels meet when the pose has moved.
        about, information, pull = in_world(found, poses)
        # The information of surfaces counts in square distances, so the prior is brought to these.
        about_t, sure = about.transpose(0, 2, 1), (noise.surface_m / spread) ** 2
        matrix = sure * np.eye(6) + (about_t @ information @ about).sum(axis=0)
        right = -sure * between(expected, poses[-1:])[0]
        right -= np.einsum("nij,nj->i", about_t, pull)
        motion = np.linalg.solve(matrix, right)
        poses[-1:] = moved(poses[-1:], motion[None])
        is_still = size_m(motion) < _STILL_M
        if is_still and scale == finest:
            break
        # A pose that was right from the start needs no scales between.
        scale = finest if is_still else min(scale + 1, finest)
    return poses[-1]
