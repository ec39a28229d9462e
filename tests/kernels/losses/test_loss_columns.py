# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The columns of the kernels are those of the table of losses."""

from ineus_core.kernels import losses
from ineus_core.training.losses import loss_names, losses_without_kernel


def test_terms_stand_in_the_order_of_the_table() -> None:
    assert loss_names()[: len(losses.TERMS)] == losses.TERMS
    assert set(losses_without_kernel()).isdisjoint(losses.TERMS)


def test_columns_are_called_as_their_terms() -> None:
    for name in losses.TERMS:
        assert getattr(losses, name.upper()) == loss_names().index(name), name
