# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Work that rests after it was in vain."""

from ineus_core.timing import Patience


def test_patience_ends_after_so_many_in_vain_and_comes_back() -> None:
    patience = Patience(tries=2, rests=3)
    assert patience.goes_on() and not patience.tell(was_in_vain=True)
    # One that was not begins the count anew.
    assert not patience.tell(was_in_vain=False)
    assert not patience.tell(was_in_vain=True)
    assert patience.tell(was_in_vain=True)
    assert [patience.goes_on() for _ in range(5)] == [False, False, False, True, True]
    assert not patience.tell(was_in_vain=True)
