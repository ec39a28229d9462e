# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The multi-resolution hash grid (Mueller et al. 2022): value and spatial Jacobian.

Versions: plain torch, numba, Triton and tiny-cuda-nn. A captured step takes `hash_grid_forward`
and `hash_grid_backward_outer` of `gpu.py` by way of `fused_field`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ineus_core.kernels.dispatch import resolve, version
from ineus_core.kernels.hash_grid.layout import HASH_PRIMES, HashGridLayout
from ineus_core.kernels.hash_grid.reference import hash_grid, hash_grid_value

__all__ = [
    "HASH_PRIMES",
    "Encode",
    "EncodeValue",
    "HashGridLayout",
    "encoding",
    "hash_grid",
    "hash_grid_backend",
    "hash_grid_value",
]

Encode = Callable[[Tensor, Tensor, HashGridLayout], tuple[Tensor, Tensor]]
"""As `hash_grid` by one backend."""
EncodeValue = Callable[[Tensor, Tensor, HashGridLayout], Tensor]
"""As `hash_grid_value` by one backend."""


def hash_grid_backend(asked: str, device: torch.device) -> str:
    """Return the backend that `field.backend` stands for; see `dispatch.resolve`."""
    return resolve("field.backend", asked, "hash_grid", device)


def encoding(backend: str) -> tuple[Encode, EncodeValue]:
    """Return `hash_grid` and `hash_grid_value` by a resolved backend."""
    operator = version("hash_grid", backend)
    return operator.hash_grid, operator.hash_grid_value
