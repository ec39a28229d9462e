# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which version of an operator is taken, by what is installed."""

import pytest
import torch

from ineus_core.kernels import fastest as chooser


@pytest.mark.parametrize(
    ("device", "installed", "expected"),
    [
        ("cpu", {"numba", "triton"}, "numba"),
        ("cpu", {"triton"}, "torch"),
        ("cuda", {"numba"}, "torch"),
        ("mps", {"numba", "triton"}, "torch"),
    ],
)
def test_the_version_for_a_device_if_its_compiler_is_installed(
    device: str, installed: set[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chooser, "find_spec", lambda name: object() if name in installed else None)
    for operator in ("carve", "probe", "nearest_disc"):
        module = chooser.fastest(operator, torch.device(device))
        assert module.__name__ == f"ineus_core.kernels.{operator}_{expected}"
