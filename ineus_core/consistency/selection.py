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
_STEP = 0.06
"""Share of the width by which pictures of one group move from one to the next."""
_MOST_READ = 400
"""Frames that are read of a source that can only be read in order."""
_THUMBNAIL_PX = 160
_LOST = 1.0

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
    span = count / ANCHORS
    for anchor in range(ANCHORS):
        # Groups of a short sequence overlap: a camera that moves slowly needs many frames.
        first = min(round(anchor * span), count - 1)
        views += _group(read, first, count, anchor)
    return views


def _group(read: ReadFrame, first: int, end: int, anchor: int) -> list[View]:
    """Read a frame and those that follow as soon as the picture has moved by the step."""
    frame = read(first)
    views = [view_of(frame, first, anchor)]
    last, last_index, stride = thumbnail(frame), first, 1
    # A few groups may begin with many frames of a camera that stands still.
    for _ in range(4 * A_GROUP):
        index = last_index + stride
        if index >= end or len(views) == A_GROUP:
            break
        frame = read(index)
        small = thumbnail(frame)
        share = moved_share(last, small)
        if share < _STEP and index + 1 < end:
            growth = min(4.0, 1.2 * _STEP / max(share, 1e-3))
            # By how far it has moved so far: a slow camera is read in longer steps.
            stride = min(max(stride + 1, int(stride * growth)), end - 1 - last_index)
            continue
        views.append(view_of(frame, index, anchor))
        last, last_index = small, index
        if share > 3 * _STEP and stride > 1:
            stride //= 2
    return views


def _unordered(read: ReadFrame, poses: list[np.ndarray]) -> list[View]:
    """Read some photographs, and to each those that are turned against it the least.

    The angle between two views is the same whether poses are inverted, of other axes or not.
    """
    count = len(poses)
    views = []
    for anchor in range(min(ANCHORS, count)):
        first = round((anchor + 0.5) * count / min(ANCHORS, count) - 0.5)
        near = sorted(range(count), key=lambda other: _angle(poses[first], poses[other]))
        views += [view_of(read(index), index, anchor) for index in near[:A_GROUP]]
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
