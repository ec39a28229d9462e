# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid through tiny-cuda-nn: the error without it, its formula, itself where it is."""

import math
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from tiny_scene import tiny_field
from torch import Tensor

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.kernels.hash_grid import HASH_PRIMES, HashGridLayout, tcnn
from ineus_core.kernels.hash_grid import reference as hash_grid_torch

LAYOUT = HashGridLayout(levels=4, log2_entries=10, base_resolution=6.0, growth=1.7)


class FormulaEncoding(torch.nn.Module):
    """A level of a grid as tiny-cuda-nn documents it: scale b - 1, corners half a cell off."""

    def __init__(self, inputs: int, config: dict[str, Any], dtype: torch.dtype) -> None:
        super().__init__()
        assert (inputs, config["otype"], config["n_levels"]) == (3, "HashGrid", 1)
        self.scale = config["base_resolution"] - 1.0
        self.side = math.ceil(self.scale) + 1
        self.features = config["n_features_per_level"]
        dense = -(-(self.side**3) // 8) * 8
        self.entries = min(dense, 1 << config["log2_hashmap_size"])
        self.params = torch.nn.Parameter(torch.zeros(self.entries * self.features, dtype=dtype))

    def forward(self, points: Tensor) -> Tensor:
        place = points * self.scale + 0.5
        cell = place.detach().floor()
        fraction = place - cell
        rows = self.params.view(-1, self.features)
        result = torch.zeros(())
        for corner in range(8):
            bits = torch.tensor([corner >> axis & 1 for axis in range(3)])
            weight = torch.where(bits == 1, fraction, 1 - fraction).prod(dim=1)
            x, y, z = (cell.long() + bits).unbind(dim=1)
            if self.side**3 <= self.entries:
                row = x + self.side * (y + self.side * z)
            else:
                row = x * HASH_PRIMES[0] ^ y * HASH_PRIMES[1] ^ z * HASH_PRIMES[2]
            result = result + weight[:, None] * rows[row % self.entries]
        return result


@pytest.fixture(params=["formula", pytest.param("tinycudann", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Offer the real package on a GPU that has it, and its formula anywhere."""
    tcnn._encodings.cache_clear()
    if request.param == "tinycudann":
        pytest.importorskip("tinycudann", reason="tinycudann is not installed")
        return torch.device("cuda")
    module = ModuleType("tinycudann")
    module.Encoding = FormulaEncoding  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tinycudann", module)
    request.addfinalizer(tcnn._encodings.cache_clear)
    return torch.device("cpu")


@pytest.mark.parametrize("count", [200, 256])
def test_values_and_gradients_are_those_of_the_twin(device: torch.device, count: int) -> None:
    """It takes 256 points at a time; other numbers are copied, which hides what it refuses."""
    points = torch.rand(count, 3, device=device)
    points[:4] = torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0], [-0.1, 0.3, 0.2], [0, 0, 0]])
    tables = [torch.randn(LAYOUT.entries, 2, device=device).requires_grad_()]
    tables.append(tables[0].detach().clone().requires_grad_())
    weights = torch.randn(LAYOUT.channels, device=device)
    losses = []
    for module, table in zip((tcnn, hash_grid_torch), tables, strict=True):
        features, jacobian = module.hash_grid(points, table, LAYOUT)
        losses.append((features @ weights).square().sum() + (jacobian * jacobian).sum() / 1e3)
        losses[-1].backward()
        if module is tcnn:
            ours = features.detach(), jacobian.detach()
    torch.testing.assert_close(ours[0], features.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours[1], jacobian.detach(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(tables[0].grad, tables[1].grad, rtol=1e-3, atol=1e-3)
    value = tcnn.hash_grid_value(points, tables[0], LAYOUT)
    torch.testing.assert_close(value, ours[0], rtol=1e-5, atol=1e-5)


def test_a_number_of_features_that_it_lacks_is_refused(device: torch.device) -> None:
    layout = replace(LAYOUT, features=3)
    with pytest.raises(ConfigError, match=r"field\.features 3: field\.backend tcnn knows"):
        tcnn.hash_grid_value(torch.rand(5, 3), torch.zeros(layout.entries, 3), layout)


def test_without_gradients_nothing_is_recorded(device: torch.device) -> None:
    table = torch.randn(LAYOUT.entries, 2, device=device).requires_grad_()
    with torch.no_grad():
        features, jacobian = tcnn.hash_grid(torch.rand(5, 3, device=device), table, LAYOUT)
    assert not features.requires_grad
    assert not jacobian.requires_grad


def test_the_package_is_asked_for_by_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(
        MissingDependencyError, match=r"tinycudann is not.*pip install .*'git\+https"
    ):
        tiny_field(backend="tcnn")
