# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Our matcher gives the sets that message_filters' ApproximateTimeSynchronizer gives."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from ineus_core.sources.bags.matcher import NearestStampMatcher

message_filters = pytest.importorskip(
    "message_filters", reason="needs message_filters, which comes with a ROS distribution"
)

pytestmark = pytest.mark.ros

MS = 1_000_000
TOLERANCE_MS = 12


def message(stamp_ms: float) -> Any:
    from builtin_interfaces.msg import Time

    seconds, rest = divmod(round(stamp_ms * MS), 1_000_000_000)
    return SimpleNamespace(header=SimpleNamespace(stamp=Time(sec=seconds, nanosec=rest)))


def events(streams: int, jitter_ms: float, loss: float, seed: int) -> list[tuple[int, float]]:
    """List stream and stamp of each message of 10 s at 30 Hz, in the order of arrival."""
    rng = random.Random(seed)
    made = []
    for index in range(300):
        for stream in range(streams):
            stamp_ms = 1000 + index * 1000 / 30 + rng.uniform(-jitter_ms, jitter_ms)
            if rng.random() >= loss:
                made.append((stamp_ms + rng.uniform(0, 8), stream, stamp_ms))
    return [(stream, stamp_ms) for _, stream, stamp_ms in sorted(made)]


def by_message_filters(arrivals: list[tuple[int, float]], streams: int) -> list[tuple[int, ...]]:
    filters = [message_filters.SimpleFilter() for _ in range(streams)]
    matcher = message_filters.ApproximateTimeSynchronizer(filters, 60, TOLERANCE_MS * 1e-3)
    sets: list[tuple[int, ...]] = []
    stamps = lambda *found: tuple(  # noqa: E731
        m.header.stamp.sec * 1_000_000_000 + m.header.stamp.nanosec for m in found
    )
    matcher.registerCallback(lambda *found: sets.append(stamps(*found)))
    for stream, stamp_ms in arrivals:
        filters[stream].signalMessage(message(stamp_ms))
    return sets


def by_ours(arrivals: list[tuple[int, float]], streams: int) -> list[tuple[int, ...]]:
    names = [str(stream) for stream in range(streams)]
    matcher = NearestStampMatcher(names, TOLERANCE_MS * MS, 60)
    sets = []
    for stream, stamp_ms in arrivals:
        stamp_ns = round(stamp_ms * MS)
        sets += matcher.add(names[stream], stamp_ns, stamp_ns)
    return sets + matcher.finish()


@pytest.mark.parametrize("streams", [2, 3])
@pytest.mark.parametrize(("jitter_ms", "loss"), [(0.0, 0.0), (3.0, 0.0), (3.0, 0.2), (5.0, 0.4)])
def test_the_sets_are_the_same(streams: int, jitter_ms: float, loss: float) -> None:
    """As long as only one message of a stream can be meant: jitter below half of the period."""
    arrivals = events(streams, jitter_ms, loss, seed=streams)
    ours, theirs = by_ours(arrivals, streams), by_message_filters(arrivals, streams)
    assert len(ours) > 50
    assert sorted(ours) == sorted(theirs)
