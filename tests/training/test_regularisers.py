# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Regularisers by hand and against their definitions."""

import math

import pytest
import torch
from torch import Tensor

from ineus_core.training.regularisers import distortion_error, mask_error, opaque_error
from ineus_core.types import RaySamples


def two_rays(t: Tensor, dt: float, counts: tuple[int, int]) -> RaySamples:
    """Packed samples; what is beyond the counts is not valid."""
    ray = torch.tensor([0] * counts[0] + [1] * counts[1])
    first = torch.tensor([0, counts[0]])
    valid = torch.ones(len(t), dtype=torch.bool)
    return RaySamples(t - dt / 2, t + dt / 2, ray, valid, first, torch.tensor(counts))


def test_mask_by_hand() -> None:
    opacity = torch.tensor([0.25, 0.25, 0.0, 0.9, 0.9])
    foreground = torch.tensor([1.0, 0.0, 1.0, -1.0, 1.0])
    valid = torch.tensor([True, True, True, True, False])
    expected = -(math.log(0.25) + math.log(0.75) + math.log(1e-3)) / 3
    assert mask_error(opacity, foreground, valid).item() == pytest.approx(expected, rel=1e-5)
    nobody = torch.full((5,), -1.0)
    assert mask_error(opacity, nobody, valid).item() == 0.0


def test_a_half_opaque_ray_is_the_worst() -> None:
    valid = torch.ones(1, dtype=torch.bool)
    errors = [opaque_error(torch.tensor([o]), valid).item() for o in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert errors[2] == pytest.approx(math.log(2), rel=1e-5)
    assert errors[0] == pytest.approx(errors[4], rel=1e-3)
    assert errors[0] < errors[1] < errors[2]


def test_distortion_is_the_double_sum_over_pairs_of_each_ray() -> None:
    torch.manual_seed(0)
    counts, dt = (7, 5), 0.1
    t = torch.cat([torch.rand(n).sort().values * 4 for n in counts])
    weights = torch.rand(12, requires_grad=True)
    samples = two_rays(t, dt, counts)
    total = torch.zeros(())
    for part in (slice(0, 7), slice(7, 12)):
        w, m = weights[part], t[part]
        total = total + (w[:, None] * w * (m[:, None] - m).abs()).sum()
        total = total + (w.square() * dt).sum() / 3
    found = distortion_error(weights, samples, torch.ones(2, dtype=torch.bool))
    torch.testing.assert_close(found, total / 2, rtol=1e-4, atol=1e-5)
    ours = torch.autograd.grad(found, weights, retain_graph=True)[0]
    expected = torch.autograd.grad(total / 2, weights)[0]
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
