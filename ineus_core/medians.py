# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The median of values that are not all known as well."""

import numpy as np
from jaxtyping import Float


def weighted_median(
    values: Float[np.ndarray, "n columns"], weights: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " columns"]:
    """Return the value of each column up to which the weights are half of their sum.

    Args:
        values: One row at least.
        weights: Of the rows, above 0.
    """
    order = np.argsort(values, axis=0)
    reached = np.cumsum(weights[order], axis=0)
    rows = (reached < 0.5 * reached[-1]).sum(axis=0)
    return np.take_along_axis(values, order, axis=0)[rows, np.arange(values.shape[1])]
