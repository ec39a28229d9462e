# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of two keyframes say of their motion, and where one fits, by numba."""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.plane_alignment.cpu import add_up
from ineus_core.kernels.plane_alignment.reference import SUMS, PlaneViews
from ineus_core.kernels.plane_registration.cpu_axes import axes_of
from ineus_core.kernels.plane_registration.reference import (
    ENOUGH,
    LEAST_WEIGHT,
    LEVER_M,
    SCALES_M,
    STEPS,
    STILL_M,
    STRIDE_PX,
    WEAK,
)
from ineus_core.kernels.pose_graph.cpu import add_product, turned
from ineus_core.kernels.pose_graph.cpu_blocks import ROW, solved_blocks
from ineus_core.kernels.pose_graph.cpu_motions import between, cross_of, moved
from ineus_core.kernels.pose_graph.reference import PairQuadrics
from ineus_core.kernels.shapes import expect_shape


def surface_quadrics(
    views: PlaneViews,
    pairs: Int[np.ndarray, "n 2"],
    poses: Float[np.ndarray, "n 2 4 4"],
    scale_m: float,
) -> PairQuadrics:
    """Return what the door says."""
    count = len(pairs)
    expect_shape("poses", poses, (count, 2, 4, 4))
    motions, information = np.empty((count, 4, 4)), np.empty((count, 6, 6))
    pull, best = np.empty((2, count, 6))
    _compare(
        *_plain(views, pairs), plain(poses, np.float64), scale_m, motions, information, pull, best
    )
    return PairQuadrics(pairs, motions, information, pull, best)


def registered(
    views: PlaneViews,
    view: int,
    others: Int[np.ndarray, " n"],
    poses: Float[np.ndarray, "n 4 4"],
    expected: Float[np.ndarray, "4 4"],
    sure: float,
) -> Float[np.ndarray, "4 4"]:
    """Return what the door says."""
    expect_shape("poses", poses, (len(others), 4, 4))
    expect_shape("expected", expected, (4, 4))
    pairs = np.empty((len(others), 2), np.int64)
    pairs[:, 0], pairs[:, 1] = view, others
    result = np.empty((4, 4))
    _register(
        *_plain(views, pairs), plain(poses, np.float64), plain(expected, np.float64), sure, result
    )
    return result


def _plain(views: PlaneViews, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(views.planes)
    expect_shape("planes", views.planes, (*views.planes.shape[:3], 3))
    expect_shape("intrinsics", views.intrinsics, (count, 4))
    if len(pairs) and not (0 <= pairs.min() and pairs.max() < count):
        raise ValueError(f"pairs of views up to {pairs.max()}: expected 0 to {count - 1}")
    intrinsics = plain(views.intrinsics, np.float64)
    return plain(views.planes, np.float32), intrinsics, plain(pairs, np.int64)


@jit()
def _compare(planes, intrinsics, pairs, poses, scale_m, motions, information, pull, best):  # type: ignore[no-untyped-def]
    for pair in range(len(pairs)):
        _from_first(poses[pair, 0], poses[pair, 1], motions[pair])
    sums = np.empty((len(pairs), SUMS))
    add_up(0, len(pairs), planes, intrinsics, pairs, motions, scale_m, STRIDE_PX, sums)
    for pair in range(len(pairs)):
        _say(sums[pair], information[pair], pull[pair], best[pair])


@jit()
def _register(planes, intrinsics, pairs, poses, expected, sure, result):  # type: ignore[no-untyped-def]
    count = len(pairs)
    both, motions = np.empty((count, 2, 4, 4)), np.empty((count, 4, 4))
    information, pull, best = np.empty((count, 6, 6)), np.empty((count, 6)), np.empty((count, 6))
    at, off = expected.copy(), np.empty(6)
    result[:] = expected
    scale, finest = 0, len(SCALES_M) - 1
    for _ in range(STEPS):
        for pair in range(count):
            both[pair, 0], both[pair, 1] = result, poses[pair]
        # Compared anew in each step, as other pixels meet when the pose has moved.
        _compare(
            planes, intrinsics, pairs, both, SCALES_M[scale], motions, information, pull, best
        )
        matrix, right = np.zeros((1, 6, ROW)), np.zeros((1, 6))
        between(expected, result, off)
        for i in range(6):
            matrix[0, i, i], right[0, i] = sure, -sure * off[i]
        for pair in range(count):
            _add(result, poses[pair], information[pair], pull[pair], matrix[0], right[0])
        none = np.empty((0, 2), np.int64)
        step = solved_blocks(matrix, none, np.empty((0, 6, ROW)), right)[0]
        at[:] = result
        moved(at, step, result)
        is_still = _size_m(step) < STILL_M
        if is_still and scale == finest:
            break
        # A pose that was right from the start needs no scales between.
        scale = finest if is_still else min(scale + 1, finest)


@jit()
def _from_first(first, second, motion):  # type: ignore[no-untyped-def]
    """Write the motion from a camera to another one, both with poses in the world."""
    for i in range(3):
        for j in range(4):
            motion[i, j] = 0.0
            for k in range(3):
                shift_m = second[k, 3] if j == 3 else 0.0
                motion[i, j] += second[k, i] * (first[k, j] - shift_m)
    for j in range(4):
        motion[3, j] = 1.0 if j == 3 else 0.0


@jit(error_model="numpy")
def _say(sums, information, pull, best):  # type: ignore[no-untyped-def]
    """Write what the sums of a pair say, in the directions that the scene fixes."""
    weight = max(sums[27], LEAST_WEIGHT)
    # Points of one surface are not independent: more of them do not make it surer.
    share = min(1.0, weight / ENOUGH)
    unit, scaled, axes, at = np.ones(6), np.empty((6, 6)), np.empty((6, 6)), 0
    unit[3:] = 1 / LEVER_M
    for i in range(6):
        for j in range(i, 6):
            scaled[i, j] = scaled[j, i] = sums[at] / weight * unit[i] * unit[j]
            at += 1
    # By its axes: a single wall fixes three of six, and what it says of the others is noise.
    axes_of(scaled, axes)
    information[:], pull[:], best[:] = 0.0, 0.0, 0.0
    for axis in range(6):
        say, along = scaled[axis, axis], 0.0
        if not say > WEAK:
            continue
        for i in range(6):
            along += axes[i, axis] * sums[21 + i] / weight * unit[i]
        for i in range(6):
            best[i] -= axes[i, axis] * along / say * unit[i]
            part = axes[i, axis] / unit[i] * share
            pull[i] += part * along
            for j in range(6):
                information[i, j] += part * say * axes[j, axis] / unit[j]


@jit()
def _add(first, second, information, pull, matrix, right):  # type: ignore[no-untyped-def]
    """Add what the surfaces of a pair say of the first pose, along the axes of the world."""
    world, along = np.zeros((6, 6)), np.zeros(6)
    turned(second, information, pull, 1.0, world, along)
    # A motion of the first view, about itself, is one about the second.
    about, arm_m, meets = np.eye(6), np.empty(3), np.zeros((6, 6))
    for i in range(3):
        arm_m[i] = first[i, 3] - second[i, 3]
    cross_of(arm_m, about[:3, 3:])
    # The same as about' world, as the information is symmetric.
    add_product(about, world, 1.0, meets)
    for i in range(6):
        for j in range(6):
            right[j] -= about[i, j] * along[i]
            for k in range(6):
                matrix[i, j] += meets[i, k] * about[k, j]


@jit()
def _size_m(motion):  # type: ignore[no-untyped-def]
    """Return by how much a motion moves what is two metres before a camera, at most."""
    shifted_m = np.sqrt(motion[0] ** 2 + motion[1] ** 2 + motion[2] ** 2)
    return shifted_m + 2.0 * np.sqrt(motion[3] ** 2 + motion[4] ** 2 + motion[5] ** 2)
