# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""When the field stands for what was fused: only where returns say that it is better."""

import numpy as np

from ineus_core.fusion import FieldShare


def _tell(share: FieldShare, slot: int, field: float, fused: float, returns: int) -> None:
    errors = np.tile([field, fused, fused, field], (returns, 1))
    share.tell(np.full(returns, slot), 3, errors)


def test_the_better_one_has_the_share_and_a_fifth_better_has_all_of_it() -> None:
    share = FieldShare(0.001)
    _tell(share, 0, 0.02, 0.01, 32)
    _tell(share, 1, 0.009, 0.01, 32)
    _tell(share, 2, 0.005, 0.01, 32)
    found = share.shares(np.arange(3))
    np.testing.assert_allclose(found[:, 0], [0, 0.5, 1], atol=1e-6)
    # Colours were told the other way round.
    np.testing.assert_allclose(found[:, 1], [1, 0, 0], atol=1e-6)


def test_what_was_fused_is_not_better_than_its_voxels_are_fine() -> None:
    share = FieldShare(0.001)
    _tell(share, 0, 0.0009, 1e-5, 32)
    _tell(share, 1, 0.0012, 1e-5, 32)
    found = share.shares(np.arange(3))[:2]
    # Colours have no such limit: those of the field are off by 1e-5 here, the others by more.
    np.testing.assert_allclose(found, [[0.5, 1.0], [0.0, 1.0]], atol=1e-6)


def test_few_returns_say_nothing() -> None:
    share = FieldShare(0.001)
    _tell(share, 1, 0.001, 0.01, 15)
    assert not share.shares(np.arange(3)).any()
    _tell(share, 1, 0.001, 0.01, 1)
    assert share.shares(np.arange(3))[1, 0] == 1
    share.forget(np.array([1, 7]))
    assert not share.shares(np.arange(3)).any()


def test_what_was_long_ago_fades() -> None:
    share = FieldShare(0.001)
    _tell(share, 0, 0.05, 0.01, 64)
    assert share.shares(np.arange(3))[0, 0] == 0
    for _ in range(10):
        _tell(share, 0, 0.005, 0.01, 64)
    assert share.shares(np.arange(3))[0, 0] == 1


def test_what_was_told_comes_back_in_other_slots() -> None:
    share = FieldShare(least_error_m=1e-6)
    errors = np.tile((0.5, 1.0, 1.0, 1.0), (20, 1))
    share.tell(np.full(20, 3), 4, errors)
    other = FieldShare(least_error_m=1e-6)
    other.resume(np.array([1, 0]), 2, share.told(np.array([3, 7])))
    assert other.shares(np.arange(2)).tolist() == [[0, 0], [1, 0]]
