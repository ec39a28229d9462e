# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of keyframes without depth, refined before they are matched; on another thread, if asked.

Nothing of it is asked of the device, which trains meanwhile.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ineus_core.pose_refinement import PictureRefiner
from ineus_core.types import Frame, KeyframeId


@dataclass(frozen=True)
class RefinedByPictures:
    """A keyframe with its refined pose."""

    frame: Frame
    poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]
    """Of other keyframes, which move with it."""


class PicturePoses:
    """Refines keyframes one after the other, as `PictureRefiner` does.

    Args:
        refiner: Asked by one thread at a time.
    """

    def __init__(self, refiner: PictureRefiner) -> None:
        """Begin without a keyframe."""
        self._refiner = refiner
        self._beside: Future[RefinedByPictures] | None = None
        self._thread = ThreadPoolExecutor(1, "ineus-picture-poses")

    def refined(self, frame: Frame) -> RefinedByPictures:
        """Refine a keyframe now; none may be on the other thread."""
        poses = self._refiner.add(frame)
        pose = poses.pop((frame.stamp_ns, frame.camera_id), None)
        frame = frame if pose is None else replace(frame, world_from_camera=pose)
        return RefinedByPictures(frame, poses)

    def begin(self, frame: Frame) -> None:
        """Begin to refine a keyframe on the other thread, which has none."""
        self._beside = self._thread.submit(self.refined, frame)

    @property
    def is_busy(self) -> bool:
        """Whether `end` would have to wait."""
        return self._beside is not None and not self._beside.done()

    def wait(self, at_most_s: float) -> None:
        """Wait for the other thread, if it has anything to do."""
        if self._beside is not None:
            wait((self._beside,), at_most_s)

    def end(self) -> RefinedByPictures:
        """Wait for the keyframe that was begun."""
        assert self._beside is not None
        beside, self._beside = self._beside, None
        return beside.result()

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Take poses from outside as the given ones; none may be on the other thread."""
        self._refiner.move(poses)
