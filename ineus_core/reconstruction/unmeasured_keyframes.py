# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes without depth of a sensor on their way in: their poses refined, their depth estimated.

Poses are refined by the host alone, on another thread where the device is to train meanwhile.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float

from ineus_core.pose_refinement import PictureRefiner
from ineus_core.reconstruction.estimated_depth import EstimatedDepth
from ineus_core.reconstruction.keyframe_thread import KeyframeThread
from ineus_core.types import Frame, KeyframeId

_Poses = Mapping[KeyframeId, Float[np.ndarray, "4 4"]]


class UnmeasuredKeyframes:
    """Gives keyframes their place and their depth, and inserts them once they have some.

    Args:
        estimated: Measures their depth by each other.
        refiner: Corrects their poses by what their pictures share; None leaves them.
        follow: Gives keyframes that were inserted refined poses.
        insert: Inserts keyframes; whether any was taken.
    """

    def __init__(
        self,
        estimated: EstimatedDepth,
        refiner: PictureRefiner | None,
        follow: Callable[[_Poses], None],
        insert: Callable[[Sequence[Frame]], bool],
    ) -> None:
        """Begin without a keyframe."""
        self._estimated, self._refiner = estimated, refiner
        self._follow, self._insert = follow, insert
        self._beside: KeyframeThread[tuple[Frame, _Poses]] = KeyframeThread("ineus-picture-poses")

    @property
    def counters(self) -> Counter[str]:
        """Of what became of them."""
        return self._estimated.counters

    @property
    def given_up(self) -> Sequence[Frame]:
        """Keyframes without an estimate, as long as there is no other."""
        return self._estimated.given_up

    def take(self, frame: Frame) -> bool:
        """Take a keyframe; whether any was inserted."""
        self.complete()
        return self._insert(self._estimated.add(self._moved(*self._refined(frame))))

    def begin(self, frame: Frame) -> "Future[bool]":
        """Begin to take a keyframe; `complete` ends it, as does each other use of this.

        What it tells of the depth of others is then left to `go_on`.
        """
        self.complete()
        if self._refiner is not None:
            return self._beside.begin(partial(self._refined, frame))
        taken: Future[bool] = Future()
        taken.set_result(self._insert(self._estimated.begin(frame)))
        return taken

    @property
    def is_awaited(self) -> bool:
        """Whether keyframes wait for others to show their depth."""
        return self._estimated.is_awaited

    def show(self, frame: Frame) -> None:
        """Let them be matched with one that a sensor has measured; `go_on` does the rest."""
        self.complete()
        self._estimated.show(frame)

    @property
    def is_busy(self) -> bool:
        """Whether `complete` would have to wait for the other thread."""
        return self._beside.is_busy

    def wait(self, at_most_s: float) -> None:
        """Wait for the other thread, if it has anything to do."""
        self._beside.wait(at_most_s)

    def complete(self) -> None:
        """Insert what has begun, if anything has."""
        self._beside.complete(
            lambda refined: self._insert(self._estimated.begin(self._moved(*refined)))
        )

    def go_on(self) -> bool:
        """Do a part of what the newest keyframe tells of others; False if nothing was left."""
        found = self._estimated.go_on()
        self._insert(found or [])
        return found is not None

    def finish(self) -> bool:
        """Insert the keyframes that still waited, as far as their depth can be told."""
        self.complete()
        return self._insert(self._estimated.finish())

    def move(self, poses: _Poses) -> None:
        """Take poses from outside as the given ones."""
        self.complete()
        self._estimated.move(poses)
        if self._refiner is not None:
            self._refiner.move(poses)

    def _refined(self, frame: Frame) -> tuple[Frame, _Poses]:
        """Return a keyframe with its refined pose, and the poses of those that move with it."""
        if self._refiner is None:
            return frame, {}
        poses = self._refiner.add(frame)
        pose = poses.pop((frame.stamp_ns, frame.camera_id), None)
        return frame if pose is None else replace(frame, world_from_camera=pose), poses

    def _moved(self, frame: Frame, poses: _Poses) -> Frame:
        """Let others follow a keyframe; return it."""
        self._estimated.move(poses)
        self._follow(poses)
        return frame
