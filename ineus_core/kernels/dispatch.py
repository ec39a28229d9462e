# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of the fastest version of an operator that has one for CPUs and one for NVIDIA GPUs."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

_COMPILED_BY = {"cpu": "numba", "cuda": "triton"}
_FILE_OF = {"numba": "cpu", "triton": "gpu", "torch": "reference"}


def fastest(operator: str, device: torch.device) -> ModuleType:
    """Return the module of an operator that is compiled for a device, else its reference."""
    compiler = _COMPILED_BY.get(device.type)
    version = compiler if compiler and find_spec(compiler) is not None else "torch"
    return import_module(f"ineus_core.kernels.{operator}.{_FILE_OF[version]}")
