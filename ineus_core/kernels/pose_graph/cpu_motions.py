# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Motions between rigid transforms, one at a time, for kernels; see `ineus_core.motions`."""

import numpy as np

from ineus_core.kernels.jit import jit


@jit()
def offset_of(first, second, second_from_first, offset):  # type: ignore[no-untyped-def]
    """Write the motion of a pair, counted from one, at which the poses of both are."""
    turned, shifted_m = np.empty((3, 3)), np.empty(3)
    # Of the first pose in the second camera.
    for i in range(3):
        shifted_m[i] = 0.0
        for k in range(3):
            shifted_m[i] += second[k, i] * (first[k, 3] - second[k, 3])
        for j in range(3):
            turned[i, j] = 0.0
            for k in range(3):
                turned[i, j] += second[k, i] * first[k, j]
    motion = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            motion[i, j] = 0.0
            for k in range(3):
                motion[i, j] += turned[i, k] * second_from_first[j, k]
    for i in range(3):
        offset[i] = shifted_m[i]
        for k in range(3):
            offset[i] -= motion[i, k] * second_from_first[k, 3]
    _vector(motion, offset[3:])


@jit()
def between(first, second, motion):  # type: ignore[no-untyped-def]
    """Write by what `moved` brings the first pose to the second one."""
    turned = np.empty((3, 3))
    for i in range(3):
        motion[i] = second[i, 3] - first[i, 3]
        for j in range(3):
            turned[i, j] = 0.0
            for k in range(3):
                turned[i, j] += second[i, k] * first[j, k]
    _vector(turned, motion[3:])


@jit()
def moved(pose, by, result):  # type: ignore[no-untyped-def]
    """Write a pose that is shifted and turned about itself, along the axes of the world."""
    angle = np.sqrt(by[3] * by[3] + by[4] * by[4] + by[5] * by[5])
    once, half = _sinc(angle), _sinc(0.5 * angle)
    twice = 0.5 * half * half
    cross = np.zeros((3, 3))
    cross_of(by[3:], cross)
    turn = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            turn[i, j] = (1.0 if i == j else 0.0) + once * cross[i, j]
            for k in range(3):
                turn[i, j] += twice * cross[i, k] * cross[k, j]
    for i in range(3):
        result[i, 3] = pose[i, 3] + by[i]
        for j in range(3):
            result[i, j] = 0.0
            for k in range(3):
                result[i, j] += turn[i, k] * pose[k, j]
    for j in range(4):
        result[3, j] = pose[3, j]


@jit()
def cross_of(vector, matrix):  # type: ignore[no-untyped-def]
    """Write the matrix whose product with a vector is the cross product."""
    matrix[0, 1], matrix[0, 2] = -vector[2], vector[1]
    matrix[1, 0], matrix[1, 2] = vector[2], -vector[0]
    matrix[2, 0], matrix[2, 1] = -vector[1], vector[0]


@jit()
def _sinc(angle):  # type: ignore[no-untyped-def]
    return np.sin(angle) / angle if angle > 1e-12 else 1.0


@jit()
def _vector(turn, vector):  # type: ignore[no-untyped-def]
    """Write the rotation vector of a rotation of less than half a turn."""
    vector[0] = 0.5 * (turn[2, 1] - turn[1, 2])
    vector[1] = 0.5 * (turn[0, 2] - turn[2, 0])
    vector[2] = 0.5 * (turn[1, 0] - turn[0, 1])
    sine = np.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    # For small turns angle and sine are the same.
    if sine > 1e-9:
        cosine = 0.5 * (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1)
        share = np.arctan2(sine, cosine) / sine
        for i in range(3):
            vector[i] *= share
