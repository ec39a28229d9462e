# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The graph of keyframes: by hand, and numba against plain numpy and scipy."""

import numpy as np
import pytest

from ineus_core.kernels.pose_graph import GivenPoses, PairQuadrics, cpu, reference
from ineus_core.motions import moved

COUNT = 20


def walk_of(rng: np.random.Generator) -> np.ndarray:
    """Return poses along a line, each turned by about a radian about each axis."""
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    poses[:, 0, 3] = 0.3 * np.arange(COUNT)
    turns = rng.uniform(-1, 1, (COUNT, 3))
    return moved(poses, np.concatenate((np.zeros((COUNT, 3)), turns), axis=1))


def quadrics_of(rng: np.random.Generator, poses: np.ndarray, pairs: np.ndarray) -> PairQuadrics:
    """Return pairs that fix five directions of six, measured at motions that are a little off."""
    factors = rng.normal(0, 1, (len(pairs), 6, 5))
    information = factors @ factors.transpose(0, 2, 1)
    motions = np.linalg.inv(poses[pairs[:, 1]]) @ poses[pairs[:, 0]]
    best, off = rng.normal(0, 0.003, (2, len(pairs), 6))
    pull = -np.einsum("nij,nj->ni", information, best)
    return PairQuadrics(pairs, moved(motions, off), information, pull, best)


def graph(seed: int) -> tuple[PairQuadrics, GivenPoses, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    given = walk_of(rng)
    poses = moved(given, rng.normal(0, 0.01, (COUNT, 6)))
    later = rng.integers(1, COUNT, 60)
    pairs = np.stack((later, (later * rng.random(60)).astype(int)), axis=1)
    ages = np.cumsum(rng.integers(1, 3, COUNT)).astype(float)
    before = GivenPoses(given, rng.uniform(0.001, 0.01, COUNT), 0.002, ages)
    return quadrics_of(rng, poses, pairs), before, poses, rng.normal(0, 0.01, (COUNT, 6))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("held", [[], [0], [3, 4, 5, 9], list(range(15)), list(range(1, COUNT))])
def test_numba_agrees_with_numpy_and_scipy(seed: int, held: list[int]) -> None:
    quadrics, given, poses, drift = graph(seed)
    is_free = np.ones(COUNT, bool)
    is_free[held] = False
    arguments = quadrics, given, poses, drift, 0.001, is_free
    by_numpy, by_numba = reference.solved_once(*arguments), cpu.solved_once(*arguments)
    assert np.abs(by_numpy[0] - poses).max() > 1e-4
    for numpys, numbas in zip(by_numpy, by_numba, strict=True):
        assert np.abs(numpys - numbas).max() < 1e-9
    assert (by_numba[0][held] == poses[held]).all()


def test_offsets_and_distances_agree_with_numpy() -> None:
    quadrics, _, poses, _ = graph(5)
    offsets = reference.pair_offsets(quadrics, poses)
    assert np.abs(offsets).max() > 0.005
    assert np.abs(cpu.pair_offsets(quadrics, poses) - offsets).max() < 1e-12
    apart_m2 = reference.apart_m2(quadrics, poses)
    assert np.abs(cpu.apart_m2(quadrics, poses) - apart_m2).max() < 1e-12


def test_motions_of_many_agree_with_numpy() -> None:
    _, given, poses, drift = graph(2)
    away = reference.poses_moved(poses, 40 * drift)
    assert np.abs(cpu.poses_moved(poses, 40 * drift) - away).max() < 1e-13
    assert np.abs(cpu.motions_between(poses, away) - 40 * drift).max() < 1e-12
    carried = reference.carried_on(given.poses, drift[:-1])
    assert np.abs(carried - drift[:-1]).max() > 1e-3
    assert np.abs(cpu.carried_on(given.poses, drift[:-1]) - carried).max() < 1e-12


def test_two_keyframes_whose_poses_are_as_unsure_meet_halfway() -> None:
    poses = np.tile(np.eye(4), (2, 1, 1))
    # The first one fits best 1 cm along x from where it is.
    best = np.array([[0.01, 0, 0, 0, 0, 0]])
    quadrics = PairQuadrics(np.array([[0, 1]]), np.eye(4)[None], np.eye(6)[None], -best, best)
    given = GivenPoses(poses, np.full(2, 0.5), 1e-5, np.arange(2.0))
    is_free = np.ones(2, bool)
    better, _ = cpu.solved_once(quadrics, given, poses, np.zeros((2, 6)), 0.01, is_free)
    assert better[:, 0, 3] == pytest.approx((0.005, -0.005), abs=1e-5)


def test_a_keyframe_that_is_none_of_the_poses_is_refused() -> None:
    quadrics, _, poses, _ = graph(1)
    with pytest.raises(ValueError, match="expected 0 to 4"):
        cpu.pair_offsets(quadrics, poses[:5])
