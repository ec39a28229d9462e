# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames decoded by several threads: the same ones in the same order, within a bound."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from tiny_scene import wall_frame

from ineus_core.errors import SourceError
from ineus_core.sources import Run, read_ahead
from ineus_core.sources.reading import one_by_one
from ineus_core.types import Frame

HUNG_S = 60.0


class Numbered:
    """Frames by number; each reading is noted, and may have to wait for others to begin."""

    kind = "numbered"

    def __init__(self, count: int, at_once: int = 1) -> None:
        self.dropped: Counter[str] = Counter()
        self._count = count
        self._together = threading.Barrier(at_once)
        self.began: list[int] = []
        self.missing: set[int] = set()
        self.damaged: set[int] = set()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        readings = ((lambda number=number: self._read(number)) for number in range(self._count))
        return (frame for frame in run(readings) if frame is not None)

    def _read(self, number: int) -> Frame | None:
        self.began.append(number)
        # The first frame is read alone, as nobody knows how large frames are.
        if number > 0:
            self._together.wait(HUNG_S)
        if number in self.damaged:
            raise SourceError(f"{number} is damaged")
        return None if number in self.missing else wall_frame(number)


def numbers(frames: Iterator[Frame]) -> list[int]:
    return [frame.stamp_ns // 100_000_000 for frame in frames]


def test_frames_come_in_order_though_several_are_decoded_at_once() -> None:
    # Three readings each wait for the two others: one thread alone would never come back.
    source = Numbered(10, at_once=3)
    assert numbers(read_ahead(source, threads=3)) == list(range(10))


def test_frames_that_are_left_out_leave_no_gap() -> None:
    source = Numbered(8)
    source.missing = {0, 3, 4, 7}
    assert numbers(read_ahead(source, threads=2)) == numbers(iter(source)) == [1, 2, 5, 6]


def test_no_more_is_read_ahead_than_memory_is_given_for() -> None:
    source = Numbered(50)
    bytes_of_one = wall_frame(0).bytes
    frames = read_ahead(source, threads=8, most_bytes=2 * bytes_of_one)
    for taken in range(1, 20):
        next(frames)
        assert len(source.began) <= taken + 2
    frames.close()  # type: ignore[attr-defined]


def test_an_error_comes_where_its_frame_would_have() -> None:
    source = Numbered(9)
    source.damaged = {5}
    frames = read_ahead(source, threads=4)
    assert numbers(next(frames) for _ in range(5)) == [0, 1, 2, 3, 4]
    with pytest.raises(SourceError, match="5 is damaged"):
        next(frames)


def test_a_source_that_cannot_be_read_ahead_is_read_as_it_is() -> None:
    class Plain:
        def __init__(self) -> None:
            self.dropped: Counter[str] = Counter()

        def __iter__(self) -> Iterator[Frame]:
            return map(wall_frame, range(3))

    assert numbers(read_ahead(Plain())) == [0, 1, 2]


def test_nothing_is_read_of_a_source_without_frames() -> None:
    assert list(read_ahead(Numbered(0))) == []
