# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes as a graph: the poses that pairs of their surfaces and given poses agree on best.

A given pose is the true one, moved by the drift up to it and by noise of its own. Drift is solved
for with the poses: a random walk from none at the first keyframe. Versions: plain numpy with
scipy, numba in one call for each question, so that the interpreter's lock is let go once. Both run
on the host.
"""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.kernels.pose_graph.reference import (
    GivenPoses,
    PairQuadrics,
    in_world,
)

__all__ = [
    "GivenPoses",
    "PairQuadrics",
    "apart_m2",
    "carried_on",
    "in_world",
    "motions_between",
    "pair_offsets",
    "poses_moved",
    "solved_once",
]


def pair_offsets(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> Float[np.ndarray, "n 6"]:
    """Return at which motions of pairs, counted from those they were measured at, poses are."""
    return fastest("pose_graph", HOST).pair_offsets(quadrics, poses)


def apart_m2(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> Float[np.ndarray, " n"]:
    """Return by how much the mean square distance is larger at poses than at its least."""
    return fastest("pose_graph", HOST).apart_m2(quadrics, poses)


def solved_once(
    quadrics: PairQuadrics,
    given: GivenPoses,
    poses: Float[np.ndarray, "n 4 4"],
    drift: Float[np.ndarray, "n 6"],
    surface_m: float,
    is_free: Bool[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n 4 4"], Float[np.ndarray, "n 6"]]:
    """Return better poses and drift by one Gauss-Newton step; the others stay as they are.

    Args:
        drift: Motions from the given poses to those without drift.
        surface_m: How far apart surfaces usually lie when poses are right.
        is_free: Which keyframes are moved; of the first one the drift stays.
    """
    return fastest("pose_graph", HOST).solved_once(
        quadrics, given, poses, drift, surface_m, is_free
    )


def carried_on(
    given: Float[np.ndarray, "poses 4 4"], drift: Float[np.ndarray, "n 6"]
) -> Float[np.ndarray, "n 6"]:
    """Return the drift of the keyframe after each if the way between them was told exactly.

    Where the given walk has turned, its steps point elsewhere, too: the same drift would not do.
    """
    return fastest("pose_graph", HOST).carried_on(given, drift)


def motions_between(
    first: Float[np.ndarray, "n 4 4"], second: Float[np.ndarray, "n 4 4"]
) -> Float[np.ndarray, "n 6"]:
    """Do as `motions.between`, which takes some dozen calls of numpy."""
    return fastest("pose_graph", HOST).motions_between(first, second)


def poses_moved(
    poses: Float[np.ndarray, "n 4 4"], by: Float[np.ndarray, "n 6"]
) -> Float[np.ndarray, "n 4 4"]:
    """Do as `motions.moved`, which takes some dozen calls of numpy."""
    return fastest("pose_graph", HOST).poses_moved(poses, by)
