# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a source are compared: groups of some, apart by how far their pictures moved."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from ineus_core.consistency.views import View, view_of
from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.sources import (
    HasRandomAccess,
    ImageSequence,
    PhotoSet,
    Source,
    frame_count,
    known_poses,
)
from ineus_core.types import Frame

ANCHORS = 5
A_GROUP = 4
_LEAST_GROUPS = 3
"""Of a short source, whose groups are smaller for it."""
_STEP = 0.06
"""Share of the width by which pictures of one group move from one to the next."""
_MOST_READ = 400
"""Frames that are read of a source that can only be read in order."""
_THUMBNAIL_PX = 160
_LOST = 1.0
_SAME_SHAPE = 0.05
"""Share by which the proportions of two pictures may differ that are laid on each other."""

ReadFrame = Callable[[int], Frame]


class Chosen(NamedTuple):
    """The views that are compared."""

    views: list[View]
    stamps_ns: list[int]
    """Of frames that follow each other; empty where frames have no stamps of their own."""


def choose_views(source: Source) -> Chosen:
    """Read the frames that are compared, about twenty, in groups that overlap."""
    count = frame_count(source)
    if isinstance(source, HasRandomAccess) and count:
        if isinstance(source, PhotoSet):
            return Chosen(_unordered(source.frame, known_poses(source) or []), [])
        stamps = source.stamps_ns if isinstance(source, ImageSequence) else []
        return Chosen(_ordered(source.frame, count), stamps)
    frames = list(_first(source, _MOST_READ))
    views = _ordered(lambda index: frames[index], len(frames)) if frames else []
    return Chosen(views, [frame.stamp_ns for frame in frames])


def _first(source: Source, most: int) -> Iterator[Frame]:
    # Of several cameras the first one stands for all: they share the poses of their body.
    frames = (frame for frame in source if frame.camera_id == 0)
    for _ in range(most):
        frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _ordered(read: ReadFrame, count: int) -> list[View]:
    views: list[View] = []
    taken: set[int] = set()
    for anchor in range(ANCHORS):
        # Groups of a short sequence interleave: a camera that moves slowly needs many frames.
        first = _nearest_free(round(anchor * count / ANCHORS), 0, count, taken)
        if first is not None:
            views += _group(read, first, count, anchor, taken)
    return views


def _nearest_free(index: int, begin: int, end: int, taken: set[int]) -> int | None:
    """Return a frame from begin to before end that is not taken: the next one, or else before."""
    later, earlier = range(index, end), range(min(index, end) - 1, begin - 1, -1)
    return next((i for i in (*later, *earlier) if i not in taken), None)


def _size_of_group(count: int) -> int:
    """Return how many frames a group has: fewer of a short source, for there to be more groups."""
    if count < 2 * _LEAST_GROUPS:
        return A_GROUP
    return min(A_GROUP, -(-count // _LEAST_GROUPS))


def _group(read: ReadFrame, first: int, end: int, anchor: int, taken: set[int]) -> list[View]:
    """Read a frame and those that follow as soon as the picture has moved by the step.

    Args:
        taken: Frames of earlier groups, which are left out; those of this one are added.
    """
    frame = read(first)
    views = [view_of(frame, first, anchor)]
    taken.add(first)
    last, last_index, stride = thumbnail(frame), first, 1
    size = _size_of_group(end)
    # A few groups may begin with many frames of a camera that stands still.
    for _ in range(4 * A_GROUP):
        wanted = last_index + stride
        if wanted >= end or len(views) >= size:
            break
        index = _nearest_free(wanted, last_index + 1, end, taken)
        if index is None:
            break
        frame = read(index)
        small = thumbnail(frame)
        share = moved_share(last, small)
        # The last one is taken although it has not moved so far.
        if share < _STEP and index >= wanted and index + 1 < end:
            growth = min(4.0, 1.2 * _STEP / max(share, 1e-3))
            # By how far it has moved so far: a slow camera is read in longer steps.
            stride = min(max(stride + 1, int(stride * growth)), end - 1 - last_index)
            continue
        views.append(view_of(frame, index, anchor))
        taken.add(index)
        last, last_index = small, index
        # The camera has become faster: it is read in shorter steps again.
        if share > 3 * _STEP and stride > 1:
            stride //= 2
    return views


def _unordered(read: ReadFrame, poses: list[np.ndarray]) -> list[View]:
    """Read some photographs, and to each those that are turned against it the least.

    The angle between two views is the same whether poses are inverted, of other axes or not.
    """
    count = len(poses)
    views: list[View] = []
    free = set(range(count))
    for anchor in range(min(ANCHORS, count)):
        first = round((anchor + 0.5) * count / min(ANCHORS, count) - 0.5)
        if first not in free:
            continue
        near = sorted(free, key=lambda other: _angle(poses[first], poses[other]))
        near = near[: _size_of_group(count)]
        views += [view_of(read(index), index, anchor) for index in near]
        free.difference_update(near)
    return views


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    trace = np.trace((rigid_inverse(a) @ b)[:3, :3])
    return float(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def thumbnail(frame: Frame) -> np.ndarray:
    """Return the picture in grey and small."""
    height, width = frame.rgb.shape[:2]
    size = _THUMBNAIL_PX, max(1, round(height * _THUMBNAIL_PX / width))
    small = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def moved_share(a: np.ndarray, b: np.ndarray) -> float:
    """Return how far a picture has moved as a share of its width; 1 where nobody knows."""
    if a.shape != b.shape:
        # Sizes may differ by pixels; upright pictures and others show different parts.
        if abs(a.shape[0] - b.shape[0]) > _SAME_SHAPE * a.shape[0]:
            return _LOST
        b = cv2.resize(b, a.shape[::-1], interpolation=cv2.INTER_AREA)
    points = cv2.goodFeaturesToTrack(a, 100, 0.01, 5)
    if points is None or len(points) < 8:
        return _LOST
    found, status, _ = cv2.calcOpticalFlowPyrLK(a, b, points, None, winSize=(15, 15), maxLevel=3)
    kept = status[:, 0] > 0
    if kept.sum() < 0.4 * len(points):
        return _LOST
    motion = np.linalg.norm((found - points)[kept, 0], axis=1)
    return float(np.median(motion)) / a.shape[1]


class StreamSelection:
    """Chooses views of frames that pass, without keeping the others.

    Args:
        expected: How many frames will come, about.
    """

    def __init__(self, expected: int) -> None:
        self.views: list[View] = []
        self._gap = expected // ANCHORS
        self._seen = 0
        self._group: list[View] = []
        self._begin = 0
        self._last: np.ndarray | None = None

    def add(self, frame: Frame) -> None:
        """Look at a frame."""
        index, self._seen = self._seen, self._seen + 1
        if index < self._begin or self.is_full:
            return
        small = thumbnail(frame)
        if self._last is not None and moved_share(self._last, small) < _STEP:
            return
        self._last = small
        anchor = len(self.views) // A_GROUP
        try:
            self.views.append(view_of(frame, index, anchor))
        except SourceError:
            return
        if len(self.views) % A_GROUP == 0:
            self._begin, self._last = max(index + 1, (anchor + 1) * self._gap), None

    @property
    def is_full(self) -> bool:
        """Return whether there are enough."""
        return len(self.views) >= 3 * A_GROUP
