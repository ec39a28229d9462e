# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which version of an operator is taken, by what is installed."""

import pytest
import torch

from ineus_core.kernels import dispatch


@pytest.mark.parametrize(
    ("device", "installed", "expected"),
    [
        ("cpu", {"numba", "triton"}, "cpu"),
        ("cpu", {"triton"}, "reference"),
        ("cuda", {"numba"}, "reference"),
        ("mps", {"numba", "triton"}, "reference"),
    ],
)
def test_the_version_for_a_device_if_its_compiler_is_installed(
    device: str, installed: set[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {name: object() for name in installed}
    monkeypatch.setattr(dispatch, "find_spec", found.get)
    for operator in ("occupancy", "observed_mask", "nearest_disc"):
        module = dispatch.fastest(operator, torch.device(device))
        assert module.__name__ == f"ineus_core.kernels.{operator}.{expected}"
