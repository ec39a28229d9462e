# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of two keyframes say of their motion, and where one fits, in plain numpy."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.plane_alignment.reference import (
    AlignmentEquations,
    PlaneViews,
    alignment_sums,
)
from ineus_core.kernels.pose_graph.reference import PairQuadrics, in_world
from ineus_core.motions import between, moved, size_m

LEVER_M = 2.0
"""How far away surfaces are, about: makes rotations and translations comparable."""
WEAK = 0.003
"""Share of a point's say below which a direction counts as not fixed by the scene."""
ENOUGH = 120.0
"""Points whose say is whole; fewer say less."""
STRIDE_PX = 4
LEAST_WEIGHT = 1e-9
SCALES_M = (0.03, 0.03, 0.02, 0.01)
"""Of the robust weights, step by step: surfaces are at first as far apart as poses are wrong."""
FINE_M = SCALES_M[-1]
STEPS = 10
STILL_M = 1e-4


def surface_quadrics(
    views: PlaneViews,
    pairs: Int[np.ndarray, "n 2"],
    poses: Float[np.ndarray, "n 2 4 4"],
    scale_m: float,
) -> PairQuadrics:
    """Return what the door says."""
    second_from_first = rigid_inverse(poses[:, 1]) @ poses[:, 0]
    sums = alignment_sums(views, pairs, second_from_first, scale_m, STRIDE_PX)
    found = AlignmentEquations.of_sums(sums)
    weight = np.maximum(found.weight, LEAST_WEIGHT)
    # Points of one surface are not independent: more of them do not make it surer.
    share = np.minimum(1.0, weight / ENOUGH)
    unit = np.array((1, 1, 1, 1 / LEVER_M, 1 / LEVER_M, 1 / LEVER_M))
    scaled = found.hessian / weight[:, None, None] * unit * unit[:, None]
    # By its axes: a single wall fixes three of six, and what it says of the others is noise.
    say, axes = np.linalg.eigh(scaled)
    axes = axes * (say > WEAK)[:, None, :]
    across = axes.transpose(0, 2, 1)
    along = np.einsum("nji,nj->ni", axes, found.gradient / weight[:, None] * unit)
    best = -np.einsum("nij,nj->ni", axes, along / np.maximum(say, WEAK)) * unit
    pull = np.einsum("nij,nj->ni", axes, along) / unit * share[:, None]
    information = axes @ (say[..., None] * across) / unit / unit[:, None]
    information *= share[:, None, None]
    return PairQuadrics(pairs, second_from_first, information, pull, best)


def registered(
    views: PlaneViews,
    view: int,
    others: Int[np.ndarray, " n"],
    poses: Float[np.ndarray, "n 4 4"],
    expected: Float[np.ndarray, "4 4"],
    sure: float,
) -> Float[np.ndarray, "4 4"]:
    """Return what the door says."""
    pairs = np.stack((np.full(len(others), view), others), axis=1)
    # Poses of the others, and behind them that which moves.
    poses = np.concatenate((poses, expected[None]))
    graph = np.stack((np.full(len(others), len(others)), np.arange(len(others))), axis=1)
    scale, finest = 0, len(SCALES_M) - 1
    for _ in range(STEPS):
        # Compared anew in each step, as other pixels meet when the pose has moved.
        found = surface_quadrics(views, pairs, poses[graph], SCALES_M[scale])
        about, information, pull = in_world(replace(found, pairs=graph), poses)
        about_t = about.transpose(0, 2, 1)
        matrix = sure * np.eye(6) + (about_t @ information @ about).sum(axis=0)
        right = -sure * between(expected[None], poses[-1:])[0]
        right -= np.einsum("nij,nj->i", about_t, pull)
        motion = np.linalg.solve(matrix, right)
        poses[-1:] = moved(poses[-1:], motion[None])
        is_still = size_m(motion) < STILL_M
        if is_still and scale == finest:
            break
        # A pose that was right from the start needs no scales between.
        scale = finest if is_still else min(scale + 1, finest)
    return poses[-1]
