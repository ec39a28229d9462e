# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation without gradients against the torch field: any number of points, each for itself."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from ineus_core.fields import FieldConfig, HashSdf, make_field

pytestmark = pytest.mark.gpu
BOX = np.array([[-1.0, -1, -1], [1, 1, 1]])


def fields() -> tuple[HashSdf, HashSdf]:
    """Return the same field by kernels and by torch."""
    device = torch.device("cuda")
    config = FieldConfig(log2_entries=14)
    both = [
        make_field(config.model_copy(update={"backend": name}), "object", BOX, 0.02, device)
        for name in ("triton", "torch")
    ]
    with torch.no_grad():
        both[0].table.copy_((1e-2 * torch.randn_like(both[0].table)).half().float())
        # The first sphere does not read the features.
        both[0].w1.normal_(0.0, 0.1)
    both[1].load_state_dict(both[0].state_dict())
    both[0].read_half_table(both[0].table.detach().half())
    return both[0], both[1]


def rays(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    points = 2.2 * torch.rand((n, 3), device="cuda") - 1.1
    return points, normalize(torch.randn((n, 3), device="cuda"), dim=1)


@pytest.mark.parametrize("n", [0, 1, 1023, (1 << 18) + 5])
def test_matches_torch(n: int) -> None:
    fused, plain = fields()
    points, directions = rays(n)
    with torch.no_grad():
        ours, twin = fused(points, directions), plain(points, directions)
    assert ours.sdf.shape == (n,) and ours.gradient.shape == ours.rgb.shape == (n, 3)
    for found, expected in (
        (ours.sdf, twin.sdf),
        (fused.sdf(points), plain.sdf(points)),
        (ours.rgb, twin.rgb),
        (ours.gradient, twin.gradient),
    ):
        error = (found - expected).norm() / expected.norm().clamp(min=1e-6)
        assert n == 0 or error < 2e-3


def test_many_points_of_few_rays() -> None:
    fused, plain = fields()
    points, directions = rays(5000)
    index = torch.randint(7, (5000,), device="cuda", dtype=torch.int32)
    ours, twin = (field.along_rays(points, directions[:7], index) for field in (fused, plain))
    assert (ours.rgb - twin.rgb).abs().max() < 1e-2


def test_a_point_has_one_value_whatever_comes_with_it() -> None:
    fused, _ = fields()
    points, _ = rays((1 << 21) + 999)
    order = torch.randperm(len(points), device="cuda")
    assert torch.equal(fused.sdf(points)[order], fused.sdf(points[order]))
    assert torch.equal(fused.sdf(points)[:100], fused.sdf(points[:100]))


def test_the_half_table_is_what_is_read() -> None:
    fused, _ = fields()
    points, directions = rays(100)
    before = fused.sdf(points)
    fused.half_table.zero_()
    assert not torch.equal(fused.sdf(points), before)
    with torch.no_grad():
        assert torch.equal(fused(points, directions).sdf, fused.sdf(points))
