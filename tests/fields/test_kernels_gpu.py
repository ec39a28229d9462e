# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fields evaluated with gradients by kernels against the same fields in plain torch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ineus_core.fields import FieldConfig, HashSdf, make_field

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
DIFFERENCES = {"gradient": "finite_difference", "gradient_step_m": 0.02}
VARIANTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "six taps": DIFFERENCES,
    "four taps": {**DIFFERENCES, "gradient_taps": 4},
    "weight normalisation": {"weight_norm": True},
    "levels that appear": {"start_levels": 3},
    "no points": {"include_points": False, "init": "depth"},
    "no normal": {"colour": "direction"},
    "plain colour": {"colour": "plain", "feature_activation": "tanh"},
    "other colours": {"colour_activation": "softplus"},
    "density": {"kind": "density"},
    "density without gradient": {"kind": "density", "colour": "direction"},
}


def field_of(settings: dict[str, Any]) -> HashSdf:
    torch.manual_seed(0)
    size = {"levels": 6, "log2_entries": 12, "coarsest_cell_m": 0.4, "finest_cell_m": 0.05}
    init = settings.get("init", "object")
    config = FieldConfig(**{**size, "extent_m": 2.0, "backend": "triton", **settings})
    field = make_field(config, init, np.array([[-1.0] * 3, [1.0] * 3]), 0.05, GPU)
    torch.nn.init.uniform_(field.table, -0.02, 0.02)
    torch.nn.init.uniform_(field.w1, -0.3, 0.3)
    with torch.no_grad():
        # Kernels read half precision, so both read numbers that it has.
        field.table.copy_(field.table.half())
    return field


def outcome(field: HashSdf, by_kernels: bool) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Return what the field says of some points, and gradients of a loss on all of it."""
    generator = torch.Generator().manual_seed(1)
    points = (1.6 * torch.rand((400, 3), generator=generator) - 0.8).to(GPU)
    directions = torch.nn.functional.normalize(torch.randn((400, 3), generator=generator)).to(GPU)
    output = (field if by_kernels else field.by_torch)(points, directions)
    parts = [output.sdf, output.gradient, output.rgb]
    parts += [part for part in (output.laplacian, output.density) if part is not None]
    field.zero_grad()
    total = torch.zeros((), device=GPU)
    for part in parts:
        if part.requires_grad:
            shares = torch.randn(part.shape, generator=generator).to(GPU)
            total = total + (shares * part).sum() / part.detach().norm().clamp(min=1.0)
    total.backward()
    gradients = {n: p.grad for n, p in field.named_parameters() if p.grad is not None}
    return [part.detach() for part in parts], gradients


@pytest.mark.parametrize("name", VARIANTS)
def test_kernels_give_what_torch_gives(name: str) -> None:
    field = field_of(VARIANTS[name])
    assert field._has_kernels
    found, gradients = outcome(field, by_kernels=True)
    expected, their_gradients = outcome(field, by_kernels=False)
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).norm() / theirs.norm().clamp(min=1e-6)) < 1e-2
    assert gradients.keys() == their_gradients.keys()
    for part, theirs in their_gradients.items():
        error = float((gradients[part] - theirs).norm() / theirs.norm().clamp(min=1e-6))
        assert error < 6e-2, (part, error)


@pytest.mark.parametrize(
    "settings", [{"hidden_layers": 2}, {"hidden_activation": "relu"}, {"encoding": "both"}]
)
def test_a_network_that_the_kernels_do_not_know_runs_in_torch(settings: dict[str, Any]) -> None:
    field = field_of(settings)
    assert not field._has_kernels
    found, _ = outcome(field, by_kernels=True)
    assert all(bool(part.isfinite().all()) for part in found)
