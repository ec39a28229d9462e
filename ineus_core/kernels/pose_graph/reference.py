# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes as a graph, in plain numpy with sparse matrices of scipy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from ineus_core.geometry import rigid_inverse
from ineus_core.motions import between, cross_matrices, motions_of, moved

LEAST_DRIFT = 1e-5
DOUBTED = 3.0
"""A pair whose surfaces lie so many times farther apart than usual says a quarter."""
_Block = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PairQuadrics:
    """Pairs of keyframes, and how far apart their surfaces lie around a motion between them.

    With a small motion x of the first keyframe in the camera of the second, counted from
    `second_from_first`, the mean square distance is x' information x + 2 pull' x and a constant.
    """

    pairs: Int[np.ndarray, "n 2"]
    second_from_first: Float[np.ndarray, "n 4 4"]
    information: Float[np.ndarray, "n 6 6"]
    """Without what a direction is told that the scene does not fix."""
    pull: Float[np.ndarray, "n 6"]
    best: Float[np.ndarray, "n 6"]
    """The smallest motion at which the distance is least."""

    def __len__(self) -> int:
        """Pairs."""
        return len(self.pairs)


@dataclass(frozen=True)
class GivenPoses:
    """Poses as they were given, and how far they may be off."""

    poses: Float[np.ndarray, "n 4 4"]
    white: Float[np.ndarray, " n"]
    """Deviation of each by itself."""
    drift: float
    """Deviation that a keyframe adds for all that come after it."""
    ages: Float[np.ndarray, " n"]
    """Numbers of the keyframes by the order in which they came, some left out."""


def pair_offsets(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> Float[np.ndarray, "n 6"]:
    """Return what the door says."""
    first, second = quadrics.pairs.T
    motions = rigid_inverse(poses[second]) @ poses[first]
    return motions_of(motions @ rigid_inverse(quadrics.second_from_first))


def apart_m2(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> Float[np.ndarray, " n"]:
    """Return what the door says."""
    away = pair_offsets(quadrics, poses) - quadrics.best
    return np.einsum("ni,nij,nj->n", away, quadrics.information, away)


def in_world(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> tuple[Float[np.ndarray, "n 6 6"], Float[np.ndarray, "n 6 6"], Float[np.ndarray, "n 6"]]:
    """Return the quadrics at poses, along the axes of the world.

    Also what turns a motion of the first keyframe, about itself, into one about the second.
    """
    count = len(quadrics)
    first, second = poses[quadrics.pairs[:, 0]], poses[quadrics.pairs[:, 1]]
    offsets = pair_offsets(quadrics, poses)
    pull = quadrics.pull + np.einsum("nij,nj->ni", quadrics.information, offsets)
    axes = np.zeros((count, 6, 6))
    axes[:, :3, :3] = axes[:, 3:, 3:] = second[:, :3, :3]
    about = np.tile(np.eye(6), (count, 1, 1))
    about[:, :3, 3:] = -cross_matrices(second[:, :3, 3] - first[:, :3, 3])
    information = axes @ quadrics.information @ axes.transpose(0, 2, 1)
    return about, information, np.einsum("nij,nj->ni", axes, pull)


def solved_once(
    quadrics: PairQuadrics,
    given: GivenPoses,
    poses: Float[np.ndarray, "n 4 4"],
    drift: Float[np.ndarray, "n 6"],
    surface_m: float,
    is_free: Bool[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n 4 4"], Float[np.ndarray, "n 6"]]:
    """Return what the door says."""
    count = len(poses)
    blocks, right = _surface_blocks(quadrics, poses, surface_m)
    prior, prior_right = _prior_blocks(given, poses, drift)
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
    quadrics: PairQuadrics, poses: Float[np.ndarray, "n 4 4"], surface_m: float
) -> tuple[list[_Block], Float[np.ndarray, "n 6"]]:
    """Return the blocks of the matrix, and the right side, of what surfaces say."""
    say = np.trace(quadrics.information, axis1=1, axis2=2)
    usual_m2 = say * surface_m**2
    doubt = apart_m2(quadrics, poses) / np.maximum(DOUBTED**2 * usual_m2, 1e-18)
    # Geman and McClure: a pair that lies far apart lets go.
    weight = (1 + doubt) ** -2 / surface_m**2
    about, information, pull = in_world(quadrics, poses)
    information, pull = information * weight[:, None, None], pull * weight[:, None]
    about_t = about.transpose(0, 2, 1)
    right = np.zeros((len(poses), 6))
    first, second = quadrics.pairs.T
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
    given: GivenPoses, poses: Float[np.ndarray, "n 4 4"], drift: Float[np.ndarray, "n 6"]
) -> tuple[list[_Block], Float[np.ndarray, "2*n 6"]]:
    """Return the same of the given poses: rows of the drift are behind those of the poses."""
    count = len(poses)
    each = np.arange(count)
    one = np.eye(6)
    sure = one / given.white[:, None, None] ** 2
    # Of (pose - drift - given) over its deviation: the same block, by turns with another sign.
    blocks = [
        (each, each, sure),
        (each, each + count, -sure),
        (each + count, each, -sure),
        (each + count, each + count, sure),
    ]
    right = np.zeros((2 * count, 6))
    off = (between(given.poses, poses) - drift) / given.white[:, None] ** 2
    right[:count], right[count:] = -off, off
    # A walk's variance grows with its steps, also those of keyframes that are no longer held.
    steady = 1 / (max(given.drift, LEAST_DRIFT) ** 2 * np.maximum(np.diff(given.ages), 1.0))
    # Likewise of what the drift of a keyframe has more than that of the one before it.
    expected = carried_on(given.poses, drift[:-1])
    # Where a keyframe turns, the one after it swings about it.
    swing = np.tile(one, (count - 1, 1, 1))
    way_m = moved(given.poses[1:], expected)[:, :3, 3]
    way_m -= moved(given.poses[:-1], drift[:-1])[:, :3, 3]
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
    """Return what the door says."""
    way = rigid_inverse(given[:-1]) @ given[1:]
    return between(given[1:], moved(given[:-1], drift) @ way)


motions_between, poses_moved = between, moved
