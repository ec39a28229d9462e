# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Ramps that matching makes of edges are told from surfaces, however these are seen."""

import numpy as np
import pytest
import torch

from ineus_core.stereo.check import is_ramp

FOCAL_PX = 200.0
"""A surface may change by 1.8 % a pixel, the least anywhere, and at half of it by 3.5 %."""
FAR, NEAR = 0.5, 0.7


def ramp_of(*row: float) -> list[bool]:
    return is_ramp(torch.tensor([row] * 3), FOCAL_PX)[1].tolist()


def test_what_lies_between_two_depths_is_a_ramp() -> None:
    found = ramp_of(FAR, FAR, FAR, 0.55, 0.6, 0.65, NEAR, NEAR, NEAR)
    assert found == [False, False, False, True, True, True, False, False, False]


def test_a_step_has_two_rims() -> None:
    assert not any(ramp_of(FAR, FAR, FAR, NEAR, NEAR, NEAR))


def test_depth_that_is_not_known_is_no_edge() -> None:
    assert not any(ramp_of(0.0, 0.5, 0.505, 0.0, 0.6, 0.605, 0.0))
    assert ramp_of(0.0, 0.5, 0.55, 0.6, 0.0) == [False, False, True, False, False]


def test_coarse_pixels_may_differ_more() -> None:
    row = torch.tensor([[0.5, 0.5125, 0.525]] * 3)
    assert is_ramp(row, FOCAL_PX)[1, 1]
    assert not is_ramp(row, FOCAL_PX / 2).any()


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    ("slant_deg", "is_steep"), [(0, False), (60, False), (70, False), (80, True)]
)
def test_a_surface_may_be_seen_aslant(slant_deg: float, is_steep: bool, unit: float) -> None:
    x = np.arange(-4, 5) / FOCAL_PX
    # Inverse depth is linear over a plane.
    q = unit * (1 + np.tan(np.radians(slant_deg)) * np.stack([x] * 3))
    found = is_ramp(torch.from_numpy(q.astype(np.float32)), FOCAL_PX)[1]
    # At the border one side is not known.
    assert found[1:-1].tolist() == [is_steep] * 7
