# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All keyframes at once: the poses that surfaces and given poses agree on best.

A given pose is the true one, moved by the drift up to it and by noise of its own. Drift is solved
for with the poses: a random walk from none at the first keyframe.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from ineus_core.geometry import rigid_inverse
from ineus_core.pose_refinement.constraints import Constraints
from ineus_core.pose_refinement.motions import between, cross_matrices, moved
from ineus_core.pose_refinement.pose_noise import PoseNoise

_LEAST_DRIFT = 1e-5
_DOUBTED = 3.0
"""A pair whose surfaces lie so many times farther apart than usual says a quarter."""
_SURPRISE = 3.0
"""A keyframe that is off by more than so many deviations has a wider one."""
_Block = tuple[np.ndarray, np.ndarray, np.ndarray]


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
    count = len(poses)
    touched = is_free[constraints.pairs].any(axis=1)
    blocks, right = _surface_blocks(constraints.where(touched), poses, noise)
    # One pose may be wrong among many that are right.
    # Its prior is wider, so that its neighbours are not pulled along.
    white = np.maximum(noise.white, surprise / _SURPRISE)
    prior, prior_right = _prior_blocks(given, poses, drift, white, noise.drift, ages)
    right = np.concatenate((right, np.zeros((count, 6)))) + prior_right
    rows, columns, values = (np.concatenate(part) for part in zip(*blocks, *prior, strict=True))
    unknown = np.concatenate((is_free, is_free))
    # The whole walk may be shifted: its beginning is held.
    unknown[count] = False
    number = np.cumsum(unknown) - 1
    kept = unknown[rows] & unknown[columns]
    rows, columns, values = number[rows[kept]], number[columns[kept]], values[kept]
    six = np.arange(6)
    row = np.broadcast_to(rows[:, None, None] * 6 + six[:, None], values.shape)
    column = np.broadcast_to(columns[:, None, None] * 6 + six, values.shape)
    size = 6 * int(unknown.sum())
    matrix = coo_matrix((values.ravel(), (row.ravel(), column.ravel())), shape=(size, size))
    steps = np.zeros((2 * count, 6))
    # Sparse, as a keyframe meets some of the others only. In an order for symmetric matrices, the
    # factors of a hundred keyframes have half as many numbers.
    factors = splu(matrix.tocsc(), "MMD_AT_PLUS_A", 0.0, options={"SymmetricMode": True})
    steps[unknown] = factors.solve(right[unknown].ravel()).reshape(-1, 6)
    return moved(poses, steps[:count]), drift + steps[count:]


def _surface_blocks(
    constraints: Constraints, poses: Float[np.ndarray, "n 4 4"], noise: PoseNoise
) -> tuple[list[_Block], Float[np.ndarray, "n 6"]]:
    """Return the blocks of the matrix, and the right side, of what surfaces say."""
    say = np.trace(constraints.information, axis1=1, axis2=2)
    usual_m2 = say * noise.surface_m**2
    doubt = constraints.apart_m2(poses) / np.maximum(_DOUBTED**2 * usual_m2, 1e-18)
    # Geman and McClure: a pair that lies far apart lets go.
    weight = (1 + doubt) ** -2 / noise.surface_m**2
    about, information, pull = constraints.in_world(poses)
    information, pull = information * weight[:, None, None], pull * weight[:, None]
    about_t = about.transpose(0, 2, 1)
    right = np.zeros((len(poses), 6))
    first, second = constraints.pairs.T
    np.add.at(right, first, -np.einsum("nij,nj->ni", about_t, pull))
    np.add.at(right, second, pull)
    across = information @ about
    return [
        (first, first, about_t @ across),
        (first, second, -about_t @ information),
        (second, first, -across),
        (second, second, information),
    ], right


def _prior_blocks(
    given: Float[np.ndarray, "n 4 4"],
    poses: Float[np.ndarray, "n 4 4"],
    drift: Float[np.ndarray, "n 6"],
    white: Float[np.ndarray, " n"],
    drift_of_one: float,
    ages: Float[np.ndarray, " n"],
) -> tuple[list[_Block], Float[np.ndarray, "2*n 6"]]:
    """Return the same of the given poses: rows of the drift are behind those of the poses."""
    count = len(poses)
    each = np.arange(count)
    one = np.eye(6)
    sure = one / white[:, None, None] ** 2
    # Of (pose - drift - given) over its deviation: the same block, by turns with another sign.
    blocks = [
        (each, each, sure),
        (each, each + count, -sure),
        (each + count, each, -sure),
        (each + count, each + count, sure),
    ]
    right = np.zeros((2 * count, 6))
    off = (between(given, poses) - drift) / white[:, None] ** 2
    right[:count], right[count:] = -off, off
    # A walk's variance grows with its steps, also those of keyframes that are no longer held.
    steady = 1 / (max(drift_of_one, _LEAST_DRIFT) ** 2 * np.maximum(np.diff(ages), 1.0))
    # Likewise of what the drift of a keyframe has more than that of the one before it.
    expected = carried_on(given, drift[:-1])
    # Where a keyframe turns, the one after it swings about it.
    swing = np.tile(one, (count - 1, 1, 1))
    way_m = moved(given[1:], expected)[:, :3, 3] - moved(given[:-1], drift[:-1])[:, :3, 3]
    swing[:, :3, 3:] = -cross_matrices(way_m)
    swing_t = swing.transpose(0, 2, 1)
    chain = steady[:, None, None]
    later, earlier = each[1:] + count, each[:-1] + count
    blocks += [
        (later, later, one * chain),
        (later, earlier, -swing * chain),
        (earlier, later, -swing_t * chain),
        (earlier, earlier, swing_t @ swing * chain),
    ]
    change = (drift[1:] - expected) * steady[:, None]
    right[later] -= change
    right[earlier] += np.einsum("nij,nj->ni", swing_t, change)
    return blocks, right


def carried_on(
    given: Float[np.ndarray, "poses 4 4"], drift: Float[np.ndarray, "n 6"]
) -> Float[np.ndarray, "n 6"]:
    """Return the drift of the keyframe after each if the way between them was told exactly.

    Where the given walk has turned, its steps point elsewhere, too: the same drift would not do.
    """
    way = rigid_inverse(given[:-1]) @ given[1:]
    return between(given[1:], moved(given[:-1], drift) @ way)
