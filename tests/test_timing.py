# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Work that rests after it was in vain, or for which there is no time."""

from ineus_core.timing import Patience, TimeShare


def test_a_part_of_a_share_gains_its_part_of_the_time() -> None:
    now_s = [0.0]
    part = TimeShare(0.5, lambda: now_s[0]).part(0.5)
    with part.spent():
        now_s[0] += 1.5
    # Of 0.5 s that are there 1.5 are spent; a quarter of what goes by is added.
    assert [part.is_due() for now_s[0] in (1.6, 4.0)] == [False, False]
    now_s[0] = 5.6
    assert part.is_due()


def test_patience_ends_after_so_many_in_vain_and_comes_back() -> None:
    patience = Patience(tries=2, rests=3)
    assert patience.goes_on() and not patience.tell(was_in_vain=True)
    # One that was not begins the count anew.
    assert not patience.tell(was_in_vain=False)
    assert not patience.tell(was_in_vain=True)
    assert patience.tell(was_in_vain=True)
    assert [patience.goes_on() for _ in range(5)] == [False, False, False, True, True]
    assert not patience.tell(was_in_vain=True)
