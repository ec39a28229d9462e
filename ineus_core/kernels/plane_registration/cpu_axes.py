# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The axes of small symmetric matrices, for kernels: by Jacobi's turns."""

import numpy as np

from ineus_core.kernels.jit import jit

_SWEEPS = 30
"""Six or seven are enough; a bound, so that what is no number ends, too."""
_NOTHING = 1e-16
"""Of the largest on the diagonal, what is left beside it."""


@jit(error_model="numpy")
def axes_of(matrix, axes):  # type: ignore[no-untyped-def]
    """Write the eigenvectors of a symmetric matrix as columns; it becomes diagonal."""
    size = len(matrix)
    for i in range(size):
        for j in range(size):
            axes[i, j] = 1.0 if i == j else 0.0
    for _ in range(_SWEEPS):
        largest, left = 0.0, 0.0
        for i in range(size):
            largest = max(largest, abs(matrix[i, i]))
            for j in range(i):
                left = max(left, abs(matrix[i, j]))
        if left <= _NOTHING * largest:
            break
        for i in range(1, size):
            for j in range(i):
                if matrix[i, j] != 0:
                    _turn(matrix, axes, i, j)


@jit(error_model="numpy")
def _turn(matrix, axes, i, j):  # type: ignore[no-untyped-def]
    """Turn two axes in their plane, so that nothing is left between them."""
    half = 0.5 * (matrix[j, j] - matrix[i, i]) / matrix[i, j]
    # The smaller of both turns; none where its ratio is more than a number holds.
    tangent = 1 / (abs(half) + np.sqrt(half * half + 1))
    tangent = tangent if half >= 0 else -tangent
    cosine = 1 / np.sqrt(tangent * tangent + 1)
    sine = tangent * cosine
    for k in range(len(matrix)):
        at_i, at_j = matrix[k, i], matrix[k, j]
        matrix[k, i], matrix[k, j] = cosine * at_i - sine * at_j, sine * at_i + cosine * at_j
        at_i, at_j = axes[k, i], axes[k, j]
        axes[k, i], axes[k, j] = cosine * at_i - sine * at_j, sine * at_i + cosine * at_j
    for k in range(len(matrix)):
        at_i, at_j = matrix[i, k], matrix[j, k]
        matrix[i, k], matrix[j, k] = cosine * at_i - sine * at_j, sine * at_i + cosine * at_j
    matrix[i, j] = matrix[j, i] = 0.0
