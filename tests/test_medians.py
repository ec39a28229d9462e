# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Medians of weighted values, by small numbers."""

import numpy as np

from ineus_core.medians import weighted_median


def test_each_column_has_the_value_that_half_of_the_weight_reaches() -> None:
    values = np.array([[3.0, -1.0], [1.0, 5.0], [2.0, 0.0]])
    # Sorted, the weights are 1, 4, 2 and 2, 4, 1, of 7 in all.
    assert weighted_median(values, np.array([2.0, 1.0, 4.0])).tolist() == [2.0, 0.0]
    assert weighted_median(values, np.array([9.0, 1.0, 1.0])).tolist() == [3.0, -1.0]


def test_with_equal_weights_it_is_the_lower_median() -> None:
    values = np.array([[4.0], [1.0], [3.0], [2.0]])
    assert weighted_median(values, np.ones(4)).tolist() == [2.0]
    assert weighted_median(values[:3], np.ones(3)).tolist() == [3.0]
