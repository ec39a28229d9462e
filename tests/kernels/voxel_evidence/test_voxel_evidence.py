# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Voxels that a view looks through: small cases by hand, and numba against plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_scene import pose

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.depth_fusion import COLUMNS, DISTANCE, SIDE, WEIGHT
from ineus_core.kernels.voxel_evidence import (
    DepthView,
    EvidenceLimits,
    cpu,
    forget_contradicted,
    reference,
)

_LIMITS = EvidenceLimits(voxel_m=0.1, least=-2, most=3)
# Its corner [0, 0, k] lies on the axis of a camera in the origin, at z = 1.6 + k / 10.
_AHEAD, _SLOT = np.array([[0, 0, 2]]), np.array([0])
_AT = (0, 0, 0, 4)


def _view(depth_m: float, nearest_m: float | None = None) -> DepthView:
    shape, nearest_m = (24, 32), depth_m if nearest_m is None else nearest_m
    return DepthView(
        np.full(shape, depth_m, np.float32),
        np.full(shape, nearest_m, np.float32),
        (20.0, 20.0, 16.0, 12.0),
        np.eye(4),
        0.05,
        0.005,
    )


def _surface() -> tuple[np.ndarray, np.ndarray]:
    """Return a block with a surface at z = 2.0, and its evidence."""
    values = np.zeros((1, SIDE, SIDE, SIDE, COLUMNS), np.float32)
    values[..., WEIGHT] = 1
    values[..., DISTANCE] = 0.4 - 0.1 * np.arange(SIDE)
    return values, np.zeros((1, SIDE, SIDE, SIDE), np.int8)


def test_surface_goes_when_a_second_view_looks_through_it() -> None:
    values, evidence = _surface()
    assert not forget_contradicted(values, evidence, _SLOT, _AHEAD, _view(4.0), _LIMITS).any()
    assert evidence[_AT] == -1
    gone = forget_contradicted(values, evidence, _SLOT, _AHEAD, _view(4.0), _LIMITS)
    assert gone[_AT] and not values[_AT].any() and evidence[_AT] == 0
    # What is free before it stays.
    assert not gone[0, 0, 0, :4].any() and (values[0, 0, 0, :4, WEIGHT] == 1).all()


def test_views_that_show_it_count_for_it_up_to_a_bound() -> None:
    values, evidence = _surface()
    for _ in range(5):
        forget_contradicted(values, evidence, _SLOT, _AHEAD, _view(2.0), _LIMITS)
    assert evidence[_AT] == 3
    for _ in range(4):
        forget_contradicted(values, evidence, _SLOT, _AHEAD, _view(4.0), _LIMITS)
    assert values[_AT][WEIGHT] == 1
    assert forget_contradicted(values, evidence, _SLOT, _AHEAD, _view(4.0), _LIMITS)[_AT]


@pytest.mark.parametrize(
    "view", [_view(0.0), _view(1.0), _view(4.0, nearest_m=0.0), _view(4.0, nearest_m=2.05)]
)
def test_what_is_hidden_or_beside_an_edge_or_without_a_return_is_not_told_of(
    view: DepthView,
) -> None:
    values, evidence = _surface()
    for _ in range(3):
        assert not forget_contradicted(values, evidence, _SLOT, _AHEAD, view, _LIMITS).any()
    assert evidence[_AT] == 0


def test_numba_does_what_plain_numpy_does() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(-3, 4, (40, 3))
    values = rng.uniform(-0.4, 0.4, (50, SIDE, SIDE, SIDE, COLUMNS)).astype(np.float32)
    evidence = rng.integers(-1, 4, (50, SIDE, SIDE, SIDE)).astype(np.int8)
    slots = rng.permutation(50)[:40]
    depth_m = rng.uniform(0, 5, (24, 32)).astype(np.float32)
    view = replace(
        _view(2.0),
        depth_m=depth_m,
        nearest_m=depth_m * rng.integers(0, 2, depth_m.shape).astype(np.float32),
        camera_from_world=rigid_inverse(pose(x=0.1, z=-2.0, yaw_deg=10.0)),
    )
    theirs = values.copy(), evidence.copy()
    ours = cpu.forget_contradicted(values, evidence, slots, blocks, view, _LIMITS)
    expected = reference.forget_contradicted(*theirs, slots, blocks, view, _LIMITS)
    assert expected.sum() > 50
    np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(values, theirs[0])
    np.testing.assert_array_equal(evidence, theirs[1])


def test_no_block_is_as_good_as_any() -> None:
    values, evidence = _surface()
    none = np.zeros((0, 3), np.int64)
    for version in (cpu, reference):
        gone = version.forget_contradicted(
            values, evidence, np.zeros(0, np.int64), none, _view(4.0), _LIMITS
        )
        assert gone.shape == (0, SIDE, SIDE, SIDE)


def test_what_does_not_fit_is_refused() -> None:
    values, evidence = _surface()
    with pytest.raises(ValueError, match="slots 1 to 1"):
        cpu.forget_contradicted(values, evidence, np.array([1]), _AHEAD, _view(4.0), _LIMITS)
    with pytest.raises(ValueError, match="evidence"):
        cpu.forget_contradicted(values, evidence[:0], _SLOT, _AHEAD, _view(4.0), _LIMITS)
