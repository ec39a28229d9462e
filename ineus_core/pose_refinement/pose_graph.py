# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All keyframes at once: the poses that surfaces and given poses agree on best."""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.pose_graph import GivenPoses, solved_once
from ineus_core.pose_refinement.constraints import Constraints
from ineus_core.pose_refinement.pose_noise import PoseNoise

_SURPRISE = 3.0
"""A keyframe that is off by more than so many deviations has a wider one."""


def solved(
    constraints: Constraints,
    given: Float[np.ndarray, "n 4 4"],
    poses: Float[np.ndarray, "n 4 4"],
    drift: Float[np.ndarray, "n 6"],
    noise: PoseNoise,
    surprise: Float[np.ndarray, " n"],
    is_free: Bool[np.ndarray, " n"],
    ages: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n 4 4"], Float[np.ndarray, "n 6"]]:
    """Return better poses and drift by one Gauss-Newton step; the others stay as they are.

    Args:
        drift: Motions from the given poses to those without drift.
        surprise: How far keyframes were off by themselves when they came, in m and rad.
        is_free: Which keyframes are moved; of the first one the drift stays.
    """
    # One pose may be wrong among many that are right.
    # Its prior is wider, so that its neighbours are not pulled along.
    white = np.maximum(noise.white, surprise / _SURPRISE)
    before = GivenPoses(given, white, noise.drift, ages)
    return solved_once(constraints, before, poses, drift, noise.surface_m, is_free)
