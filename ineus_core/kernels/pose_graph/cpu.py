# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes as a graph, by numba: one call for each question."""

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.pose_graph.cpu_blocks import ROW, solved_blocks
from ineus_core.kernels.pose_graph.cpu_motions import between, cross_of, moved, offset_of
from ineus_core.kernels.pose_graph.reference import (
    DOUBTED,
    LEAST_DRIFT,
    GivenPoses,
    PairQuadrics,
)
from ineus_core.kernels.shapes import expect_shape


def pair_offsets(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> Float[np.ndarray, "n 6"]:
    """Return what the door says."""
    offsets = np.empty((len(quadrics), 6))
    _offsets(*_plain(quadrics, poses), offsets)
    return offsets


def apart_m2(
    quadrics: PairQuadrics, poses: Float[np.ndarray, "keyframes 4 4"]
) -> Float[np.ndarray, " n"]:
    """Return what the door says."""
    apart = np.empty(len(quadrics))
    information, best = (plain(of, np.float64) for of in (quadrics.information, quadrics.best))
    _apart(*_plain(quadrics, poses), information, best, apart)
    return apart


def solved_once(
    quadrics: PairQuadrics,
    given: GivenPoses,
    poses: Float[np.ndarray, "n 4 4"],
    drift: Float[np.ndarray, "n 6"],
    surface_m: float,
    is_free: Bool[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n 4 4"], Float[np.ndarray, "n 6"]]:
    """Return what the door says."""
    expect_shape("given", given.poses, poses.shape)
    expect_shape("drift", drift, (len(poses), 6))
    steady = 1 / (max(given.drift, LEAST_DRIFT) ** 2 * np.maximum(np.diff(given.ages), 1.0))
    better, drift = poses.copy(), drift.copy()
    number = np.full((2, len(poses)), -1)
    number[:, is_free] = np.arange(2 * int(is_free.sum())).reshape(2, -1)
    # The whole walk may be shifted: its beginning is held.
    if is_free[0]:
        number[1][number[1] >= 0] -= 1
        number[1, 0] = -1
    _solve(
        *_plain(quadrics, poses),
        *(plain(of, np.float64) for of in (quadrics.information, quadrics.pull, quadrics.best)),
        *(plain(of, np.float64) for of in (given.poses, given.white)),
        steady,
        surface_m,
        number,
        better,
        drift,
    )
    return better, drift


def carried_on(
    given: Float[np.ndarray, "poses 4 4"], drift: Float[np.ndarray, "n 6"]
) -> Float[np.ndarray, "n 6"]:
    """Return what the door says."""
    count = len(given) - 1
    expect_shape("given", given, (count + 1, 4, 4))
    expect_shape("drift", drift, (count, 6))
    expected = np.empty((count, 6))
    _carry_all_on(plain(given, np.float64), plain(drift, np.float64), expected)
    return expected


def motions_between(
    first: Float[np.ndarray, "n 4 4"], second: Float[np.ndarray, "n 4 4"]
) -> Float[np.ndarray, "n 6"]:
    """Return what the door says."""
    count = len(first)
    expect_shape("first", first, (count, 4, 4))
    expect_shape("second", second, (count, 4, 4))
    motions = np.empty((count, 6))
    _all_between(plain(first, np.float64), plain(second, np.float64), motions)
    return motions


def poses_moved(
    poses: Float[np.ndarray, "n 4 4"], by: Float[np.ndarray, "n 6"]
) -> Float[np.ndarray, "n 4 4"]:
    """Return what the door says."""
    count = len(poses)
    expect_shape("poses", poses, (count, 4, 4))
    expect_shape("by", by, (count, 6))
    result = np.empty((count, 4, 4))
    _move_all(plain(poses, np.float64), plain(by, np.float64), result)
    return result


def _plain(quadrics: PairQuadrics, poses: np.ndarray) -> tuple[np.ndarray, ...]:
    pairs = plain(quadrics.pairs, np.int64)
    expect_shape("poses", poses, (-1, 4, 4))
    if len(pairs) and not (0 <= pairs.min() and pairs.max() < len(poses)):
        raise ValueError(f"pairs of keyframes up to {pairs.max()}: expected 0 to {len(poses) - 1}")
    return pairs, plain(quadrics.second_from_first, np.float64), plain(poses, np.float64)


@jit()
def _all_between(first, second, motions):  # type: ignore[no-untyped-def]
    for one in range(len(motions)):
        between(first[one], second[one], motions[one])


@jit()
def _move_all(poses, by, result):  # type: ignore[no-untyped-def]
    for one in range(len(poses)):
        moved(poses[one], by[one], result[one])


@jit()
def _carry_all_on(given, drift, expected):  # type: ignore[no-untyped-def]
    at = np.empty((4, 4))
    for one in range(len(drift)):
        moved(given[one], drift[one], at)
        _carry_on(given[one], given[one + 1], at, expected[one])


@jit()
def _offsets(pairs, motions, poses, offsets):  # type: ignore[no-untyped-def]
    for pair in range(len(pairs)):
        offset_of(poses[pairs[pair, 0]], poses[pairs[pair, 1]], motions[pair], offsets[pair])


@jit()
def _apart(pairs, motions, poses, information, best, apart):  # type: ignore[no-untyped-def]
    away = np.empty(6)
    for pair in range(len(pairs)):
        offset_of(poses[pairs[pair, 0]], poses[pairs[pair, 1]], motions[pair], away)
        for i in range(6):
            away[i] -= best[pair, i]
        apart[pair] = 0.0
        for i in range(6):
            for j in range(6):
                apart[pair] += away[i] * information[pair, i, j] * away[j]


@jit()
def _solve(  # type: ignore[no-untyped-def]
    pairs, motions, poses, information, pull, best, given, white, steady, surface_m, number,
    better, drift,
):  # fmt: skip
    size = number.max() + 1
    # A pair of keyframes each, a keyframe and its drift, and the drift of the next one.
    most = len(pairs) + 2 * len(poses)
    diagonal, across = np.zeros((size, 6, ROW)), np.zeros((most, 6, ROW))
    edges, right = np.empty((most, 2), np.int64), np.zeros((size, 6))
    count = 0
    for pair in range(len(pairs)):
        first, second = pairs[pair]
        edges[count] = number[0, first], number[0, second]
        count += _add_surfaces(
            poses[first], poses[second], motions[pair], information[pair], pull[pair], best[pair],
            surface_m, edges[count], diagonal, across[count], right,
        )  # fmt: skip
    for one in range(len(poses)):
        edges[count] = number[0, one], number[1, one]
        count += _add_given(
            given[one], poses[one], drift[one], white[one], edges[count], diagonal, across[count],
            right,
        )  # fmt: skip
    for one in range(len(poses) - 1):
        edges[count] = number[1, one + 1], number[1, one]
        count += _add_walk(
            given[one : one + 2], drift[one : one + 2], steady[one], edges[count], diagonal,
            across[count], right,
        )  # fmt: skip
    steps = solved_blocks(diagonal, edges[:count], across, right)
    for one in range(len(poses)):
        if number[0, one] >= 0:
            moved(poses[one], steps[number[0, one]], better[one])
        if number[1, one] >= 0:
            for i in range(6):
                drift[one, i] += steps[number[1, one], i]


# Each adds to the system what one thing says, and tells whether both that it is about are solved
# for: only then is the block across them used.
@jit()
def _add_surfaces(  # type: ignore[no-untyped-def]
    first_pose, second_pose, motion, information, pull, best, surface_m, edge, diagonal, across,
    right,
):  # fmt: skip
    """Add what the surfaces of a pair say."""
    first, second = edge
    if first < 0 and second < 0:
        return False
    offset, towards = np.empty(6), pull.copy()
    offset_of(first_pose, second_pose, motion, offset)
    apart, say = 0.0, 0.0
    for i in range(6):
        say += information[i, i]
        for j in range(6):
            towards[i] += information[i, j] * offset[j]
            apart += (offset[i] - best[i]) * information[i, j] * (offset[j] - best[j])
    doubt = apart / max(DOUBTED**2 * say * surface_m**2, 1e-18)
    # Geman and McClure: a pair that lies far apart lets go.
    weight = 1 / ((1 + doubt) * (1 + doubt) * surface_m**2)
    world, along = np.zeros((6, 6)), np.zeros(6)
    turned(second_pose, information, towards, weight, world, along)
    # A motion of the first keyframe, about itself, is one about the second.
    about, arm_m = np.eye(6), np.empty(3)
    for i in range(3):
        arm_m[i] = first_pose[i, 3] - second_pose[i, 3]
    cross_of(arm_m, about[:3, 3:])
    # The same as about' world, as the information is symmetric.
    meets = np.zeros((6, 6))
    add_product(about, world, 1.0, meets)
    for i in range(6):
        for j in range(6):
            if first >= 0:
                right[first, j] -= about[i, j] * along[i]
                for k in range(6):
                    diagonal[first, i, j] += meets[i, k] * about[k, j]
            if second >= 0:
                diagonal[second, i, j] += world[i, j]
            if first >= 0 and second >= 0:
                across[i, j] = -meets[i, j]
        if second >= 0:
            right[second, i] += along[i]
    return first >= 0 and second >= 0


@jit()
def turned(pose, information, pull, weight, world, along):  # type: ignore[no-untyped-def]
    """Write the information and the pull of a camera along the axes of the world."""
    half = np.zeros((6, 6))
    for i in range(6):
        for k in range(3):
            at = i // 3 * 3 + k
            along[i] += weight * pose[i % 3, k] * pull[at]
            for j in range(6):
                half[i, j] += weight * pose[i % 3, k] * information[at, j]
    for i in range(6):
        for j in range(6):
            for k in range(3):
                world[i, j] += half[i, j // 3 * 3 + k] * pose[j % 3, k]


@jit()
def _add_given(given, pose, drift, white, edge, diagonal, across, right):  # type: ignore[no-untyped-def]
    """Add that a pose is the given one, moved by its drift."""
    number, walk = edge
    if number < 0:
        return False
    off, sure = np.empty(6), 1 / white**2
    between(given, pose, off)
    for i in range(6):
        off[i] = (off[i] - drift[i]) * sure
        across[i, i] = -sure
        diagonal[number, i, i] += sure
        right[number, i] -= off[i]
        if walk >= 0:
            diagonal[walk, i, i] += sure
            right[walk, i] += off[i]
    return walk >= 0


@jit()
def _add_walk(given, drift, steady, edge, diagonal, across, right):  # type: ignore[no-untyped-def]
    """Add that drift goes on; where a keyframe turns, the one after it swings about it."""
    later, earlier = edge
    if later < 0 and earlier < 0:
        return False
    at, expected, swing, arm_m = np.empty((4, 4)), np.empty(6), np.eye(6), np.empty(3)
    moved(given[0], drift[0], at)
    _carry_on(given[0], given[1], at, expected)
    for i in range(3):
        arm_m[i] = at[i, 3] - given[1, i, 3] - expected[i]
    cross_of(arm_m, swing[:3, 3:])
    for i in range(6):
        change = (drift[1, i] - expected[i]) * steady
        if later >= 0:
            diagonal[later, i, i] += steady
            right[later, i] -= change
        for j in range(6):
            across[i, j] = -swing[i, j] * steady
            if earlier >= 0:
                right[earlier, j] += swing[i, j] * change
    if earlier >= 0:
        add_product(swing, swing, steady, diagonal[earlier])
    return later >= 0 and earlier >= 0


@jit()
def add_product(first, second, weight, total):  # type: ignore[no-untyped-def]
    """Add the product of two matrices, the first one transposed."""
    for k in range(6):
        for i in range(6):
            for j in range(6):
                total[i, j] += weight * first[k, i] * second[k, j]


@jit()
def _carry_on(given, given_next, at, expected):  # type: ignore[no-untyped-def]
    """Write the drift of the next keyframe if the way to it was told exactly."""
    there = np.zeros((4, 4))
    for i in range(3):
        there[i, 3] = at[i, 3]
        for j in range(3):
            # Of the way in the given camera: turned by the given pose, and again by the drift.
            turn = 0.0
            for k in range(3):
                turn += at[i, k] * given[j, k]
            there[i, 3] += turn * (given_next[j, 3] - given[j, 3])
            for k in range(3):
                there[i, k] += turn * given_next[j, k]
    between(given_next, there, expected)
