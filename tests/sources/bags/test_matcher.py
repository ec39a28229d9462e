# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The matcher on stamps worked out by hand."""

import random

import pytest

from ineus_core.sources.bags.matcher import NearestStampMatcher

MS = 1_000_000


def test_equal_stamps_match_at_once() -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS)
    assert matcher.add("colour", 100 * MS, "c") == []
    assert matcher.add("depth", 100 * MS, "d") == [("c", "d")]


def test_the_nearer_of_two_wins_and_the_other_is_counted() -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS)
    matcher.add("depth", 90 * MS, "10 before")
    matcher.add("colour", 100 * MS, "c")
    assert matcher.add("depth", 106 * MS, "6 after") == [("c", "6 after")]
    assert matcher.dropped == {"depth": 1}


def test_a_constant_lag_is_decided_without_waiting_for_the_next_item() -> None:
    # Depth leads by 5 ms at a period of 33 ms: 5 < 33 / 2, so no later one can be nearer.
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS)
    matcher.add("depth", 62 * MS, "d0")
    matcher.add("depth", 95 * MS, "d1")
    assert matcher.add("colour", 100 * MS, "c1") == [("c1", "d1")]


def test_beyond_the_tolerance_the_leading_item_is_dropped() -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS)
    matcher.add("colour", 100 * MS, "c0")
    assert matcher.add("depth", 121 * MS, "d") == []
    assert matcher.dropped == {"colour": 1}
    assert matcher.add("colour", 141 * MS, "c1") == []
    assert matcher.finish() == [("c1", "d")]


def test_depth_at_a_third_of_the_rate() -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 10 * MS)
    sets = []
    for index in range(9):
        sets += matcher.add("colour", index * 33 * MS, index)
        if index % 3 == 0:
            sets += matcher.add("depth", index * 33 * MS + 4 * MS, -index)
    sets += matcher.finish()
    assert sets == [(0, 0), (3, -3), (6, -6)]
    assert matcher.dropped["colour"] == 6


def test_late_items_take_their_place_within_the_reorder_window() -> None:
    matcher = NearestStampMatcher(("colour",), 0, reorder_ns=10 * MS)
    sets = []
    for stamp in (0, 33, 66, 63, 100, 130):
        sets += matcher.add("colour", stamp * MS, stamp)
    sets += matcher.finish()
    assert [item for (item,) in sets] == [0, 33, 63, 66, 100, 130]


def test_the_queue_is_bounded_when_a_stream_is_silent() -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS, capacity=5)
    for index in range(20):
        assert matcher.add("colour", index * 33 * MS, index) == []
    assert matcher.dropped["colour"] == 15
    assert matcher.finish() == []
    assert matcher.dropped["colour"] == 20


def test_a_restarted_clock_forgets_what_waited() -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS)
    matcher.add("colour", 60_000 * MS, "old")
    assert matcher.add("colour", 0, "new") == []
    assert matcher.dropped == {"colour": 1}
    assert matcher.add("depth", 0, "d") == [("new", "d")]


@pytest.mark.parametrize("first", ["colour", "depth"])
def test_a_restarted_clock_costs_no_pair_whichever_stream_tells_it_first(first: str) -> None:
    matcher = NearestStampMatcher(("colour", "depth"), 20 * MS)
    for stream in ("colour", "depth"):
        matcher.add(stream, 60_000 * MS, stream)
    second = "depth" if first == "colour" else "colour"
    assert matcher.add(first, 0, first) == []
    assert matcher.add(second, 0, second) == [("colour", "depth")]
    assert not matcher.dropped


def test_three_streams() -> None:
    matcher = NearestStampMatcher(("colour", "depth", "mask"), 20 * MS)
    matcher.add("colour", 100 * MS, "c")
    matcher.add("mask", 104 * MS, "m")
    assert matcher.add("depth", 102 * MS, "d") == [("c", "d", "m")]


def test_every_item_is_in_a_set_or_counted() -> None:
    random.seed(1)
    matcher = NearestStampMatcher(("a", "b"), 8 * MS, capacity=7, reorder_ns=5 * MS)
    events = [("a", i * 33 + random.randint(-5, 5)) for i in range(200)]
    events += [("b", i * 21 + random.randint(-5, 5)) for i in range(300)]
    events.sort(key=lambda event: event[1] + random.randint(0, 30))
    sets = [s for name, t in events for s in matcher.add(name, t * MS, t)] + matcher.finish()
    assert len(sets) + matcher.dropped["a"] == 200
    assert len(sets) + matcher.dropped["b"] == 300
    assert all(abs(a - b) <= 8 for a, b in sets)
    assert len(sets) > 60
