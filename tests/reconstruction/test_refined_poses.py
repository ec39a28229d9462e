# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses that are off on their way through a reconstruction: refined, or left if asked to."""

from typing import Any

import numpy as np
import pytest
from box_views import apart, frame_at, into_corner, off_by
from tiny_scene import CPU, tiny_config

from ineus_core.reconstruction import Reconstructor

SELECTOR = {"min_translation_m": 0.01}


def corner_stream(mm: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return true and given poses."""
    rng = np.random.default_rng(0)
    true = [into_corner(-0.4 + 0.05 * i) for i in range(16)]
    return true, [off_by(at, tuple(rng.normal(0, mm / 1e3, 3)), (0, 0, 0)) for at in true]


def streamed(true: list[np.ndarray], given: list[np.ndarray], enabled: bool) -> Reconstructor:
    sections: dict[str, dict[str, Any]] = {
        "keyframes": {"capacity": 32},
        "selector": SELECTOR,
        "pose_refinement": {"enabled": enabled},
    }
    reconstructor = Reconstructor(tiny_config(**sections), CPU)
    for number, (at, told) in enumerate(zip(true, given, strict=True)):
        reconstructor.add_frame(frame_at(number, at, told))
        reconstructor.step()
    return reconstructor


def mean_off_mm(reconstructor: Reconstructor, true: list[np.ndarray]) -> float:
    held = reconstructor.keyframe_poses()
    return float(np.mean([apart(pose, true[key[0] // 10**8])[0] for key, pose in held.items()]))


def test_keyframes_are_nearer_to_the_truth_than_they_were_given_and_train_there() -> None:
    true, given = corner_stream(5.0)
    reconstructor = streamed(true, given, enabled=True)
    before_mm = np.mean([apart(a, b)[0] for a, b in zip(given, true, strict=True)])
    assert mean_off_mm(reconstructor, true) < 0.5 * before_mm
    assert reconstructor.counters["poses_refined"] > 0
    buffer = reconstructor.reconstruction.buffer
    for slot, pose in zip(buffer.slots, buffer.poses, strict=True):
        assert buffer.world_from_camera[slot].numpy() == pytest.approx(pose[:3], abs=1e-5)


def test_poses_stay_as_given_where_refinement_is_off_or_they_are_exact() -> None:
    true, given = corner_stream(5.0)
    off = streamed(true, given, enabled=False)
    assert all(
        (pose == given[key[0] // 10**8]).all() for key, pose in off.keyframe_poses().items()
    )
    assert mean_off_mm(streamed(true, true, enabled=True), true) == 0.0
