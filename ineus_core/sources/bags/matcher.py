# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Bounded matching of messages of several streams by the nearest stamp."""

import bisect
from collections import Counter
from collections.abc import Sequence
from typing import Any

_JUMP_NS = 1_000_000_000
"""A stamp so far behind its stream is a restarted clock or bag, not a late message."""

_WAIT = -1
_NONE = -2


class NearestStampMatcher:
    """Sets of one item a stream, each nearest in stamp to the item of the first stream.

    The first stream leads: each of its items gives a set or is dropped, by rising stamp. An item
    is used once. A choice is made as soon as no later item could be nearer.

    Args:
        streams: Names; the first one leads.
        tolerance_ns: Largest difference of stamps within a set.
        capacity: Items held a stream; the oldest goes first.
        reorder_ns: How late an item of the leading stream may come after one with a later stamp
            and still take its place in the order. Delays all sets by as much.
    """

    def __init__(
        self, streams: Sequence[str], tolerance_ns: int, capacity: int = 64, reorder_ns: int = 0
    ) -> None:
        """Start empty."""
        self.dropped: Counter[str] = Counter()
        """Items that came into no set, by stream."""
        self.streams = tuple(streams)
        self._lead, *self._others = streams
        self._tolerance_ns = tolerance_ns
        self._capacity = capacity
        self._reorder_ns = reorder_ns
        self._stamps: dict[str, list[int]] = {name: [] for name in streams}
        self._items: dict[str, list[Any]] = {name: [] for name in streams}
        self._newest_ns: dict[str, int] = {}
        self._least_gap_ns: dict[str, int] = {}

    def add(self, stream: str, stamp_ns: int, item: Any) -> list[tuple[Any, ...]]:
        """Take an item; return the sets, in the order of the streams, that are now decided."""
        newest_ns = self._newest_ns.get(stream)
        if newest_ns is not None and stamp_ns < newest_ns - _JUMP_NS:
            self._forget_after(stamp_ns + _JUMP_NS)
            newest_ns = None
        if newest_ns is not None:
            gap_ns = abs(stamp_ns - newest_ns)
            # The least, as a dropped message makes a gap look longer than the stream's period.
            self._least_gap_ns[stream] = min(self._least_gap_ns.get(stream, gap_ns), gap_ns)
        self._newest_ns[stream] = stamp_ns if newest_ns is None else max(newest_ns, stamp_ns)
        # Behind equal stamps, so that these keep their order.
        index = bisect.bisect_right(self._stamps[stream], stamp_ns)
        self._stamps[stream].insert(index, stamp_ns)
        self._items[stream].insert(index, item)
        sets = self._take_decided(is_end=False)
        self.drop_oldest(stream, len(self._stamps[stream]) - self._capacity)
        return sets

    def finish(self) -> list[tuple[Any, ...]]:
        """Decide with what there is, as no more will come, and drop the rest."""
        sets = self._take_decided(is_end=True)
        self.clear()
        return sets

    def clear(self) -> None:
        """Drop all that waits."""
        for stream, stamps in self._stamps.items():
            self.drop_oldest(stream, len(stamps))
        self._newest_ns.clear()
        self._least_gap_ns.clear()

    def drop_oldest(self, stream: str, count: int = 1) -> None:
        """Drop the oldest items of a stream."""
        if count > 0:
            del self._stamps[stream][:count], self._items[stream][:count]
            self.dropped[stream] += count

    def waiting(self, stream: str) -> int:
        """Return how many items of a stream wait."""
        return len(self._stamps[stream])

    def oldest_ns(self, stream: str) -> int | None:
        """Return the stamp of the oldest item of a stream, if there is one."""
        return next(iter(self._stamps[stream]), None)

    def _forget_after(self, stamp_ns: int) -> None:
        """Drop what streams hold of the time before a jump; the others will jump as well."""
        for stream, newest_ns in list(self._newest_ns.items()):
            if newest_ns > stamp_ns:
                self.drop_oldest(stream, len(self._stamps[stream]))
                del self._newest_ns[stream]
                self._least_gap_ns.pop(stream, None)

    def _take_decided(self, is_end: bool) -> list[tuple[Any, ...]]:
        sets = []
        lead_stamps = self._stamps[self._lead]
        while lead_stamps:
            stamp_ns = lead_stamps[0]
            # An earlier item of the lead may still come.
            if not is_end and self._newest_ns[self._lead] < stamp_ns + self._reorder_ns:
                break
            picks = [self._pick(stream, stamp_ns, is_end) for stream in self._others]
            if _NONE in picks:
                # Nothing that may still come is near enough.
                self.drop_oldest(self._lead, 1)
            elif _WAIT in picks:
                break
            else:
                sets.append(self._take(picks))
        return sets

    def _pick(self, stream: str, stamp_ns: int, is_end: bool) -> int:
        """Find the index of the item nearest to a stamp, or that there is none, or none yet."""
        stamps = self._stamps[stream]
        after = bisect.bisect_left(stamps, stamp_ns)
        candidates = [index for index in (after - 1, after) if 0 <= index < len(stamps)]
        nearest = min(candidates, key=lambda index: abs(stamps[index] - stamp_ns), default=_NONE)
        distance_ns = abs(stamps[nearest] - stamp_ns) if candidates else 0
        is_within = bool(candidates) and distance_ns <= self._tolerance_ns
        # With the least gap between items known, half of it is as near as any item can come.
        is_nearest = is_within and 2 * distance_ns <= self._least_gap_ns.get(stream, 0)
        has_passed = after < len(stamps) or self._newest_ns.get(stream, stamp_ns) > stamp_ns
        if not (is_end or has_passed or is_nearest or (is_within and distance_ns == 0)):
            return _WAIT
        return nearest if is_within else _NONE

    def _take(self, picks: list[int]) -> tuple[Any, ...]:
        taken = [self._pop(self._lead)]
        for stream, pick in zip(self._others, picks, strict=True):
            # Later items of the lead are nearer to what is left.
            self.drop_oldest(stream, pick)
            taken.append(self._pop(stream))
        return tuple(taken)

    def _pop(self, stream: str) -> Any:
        self._stamps[stream].pop(0)
        return self._items[stream].pop(0)
