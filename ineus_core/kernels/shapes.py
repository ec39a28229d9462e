# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The check that stands before compiled loops, which would read and write out of bounds."""

import numpy as np
from jaxtyping import Shaped
from torch import Tensor


def expect_shape(
    name: str, array: Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."], shape: tuple[int, ...]
) -> None:
    """Raise `ValueError` with both shapes unless an array has the one that is expected.

    Args:
        shape: Expected; -1 stands for any length.
    """
    found = tuple(array.shape)
    if found == shape:
        return
    fits = len(found) == len(shape) and all(
        want in (-1, have) for have, want in zip(found, shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} of shape {found}: expected {shape}")
