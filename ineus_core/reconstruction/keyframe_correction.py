# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the host corrects of a keyframe before it is stored: pose, what moves, colours, holes.

Nothing of it is asked of the device, so that a stream has it done on a thread of its own while the
device trains.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from ineus_core.dynamic_objects import DynamicFilter, Verdict
from ineus_core.exposure import ExposureCorrection
from ineus_core.geometry import rigid_inverse
from ineus_core.pose_refinement import PoseRefiner
from ineus_core.reconstruction.completion import DepthCompletion
from ineus_core.types import Frame, KeyframeId

_Poses = Mapping[KeyframeId, Float[np.ndarray, "4 4"]]


@dataclass(frozen=True)
class CorrectedKeyframe:
    """A keyframe as it is to be stored, and what it changes of others."""

    frame: Frame
    poses: _Poses = field(default_factory=dict)
    """Of other keyframes, which move with it."""
    verdict: Verdict | None = None
    """What it tells of what moves; None if nobody asked."""
    counts: Counter[str] = field(default_factory=Counter)


class KeyframeCorrection:
    """Corrects keyframes one after the other, each by those before it.

    Args:
        refiner: Corrects the poses of those whose depth a sensor measures; None leaves them.
        dynamic: Finds what moves in the depth that a sensor measures; None: nobody does.
        exposure: Brings colours to the exposure of the map; None leaves them.
        completion: Closes holes of the depth that a sensor measures.
    """

    def __init__(
        self,
        refiner: PoseRefiner | None,
        dynamic: DynamicFilter | None,
        exposure: ExposureCorrection | None,
        completion: DepthCompletion,
    ) -> None:
        """Begin without a keyframe."""
        self._refiner, self._dynamic, self._exposure = refiner, dynamic, exposure
        self._completion = completion
        self._refined_from_given = np.eye(4)

    def correct(self, frame: Frame, is_held: bool, others_wait: bool = False) -> CorrectedKeyframe:
        """Return a keyframe with its corrections.

        Args:
            is_held: It is held already, and comes again with better depth: its colours stay.
            others_wait: Poses of other keyframes move with those that wait.
        """
        is_measured = frame.depth_m is not None and frame.depth_confidence is None
        poses: _Poses = {}
        verdict = None
        # The pose comes first: at one that is off, what stands still would look as if it moved.
        if is_measured and self._refiner is not None:
            frame, poses = self._refined(frame, self._refiner, others_wait)
        if is_measured and self._dynamic is not None:
            verdict = self._dynamic.add(frame)
            frame = verdict.frame
        if self._exposure is not None and not is_held:
            frame = self._exposure.add(frame)
        # Last, by colours as they are stored. Through holes of depth from motion planes bring half
        # a point at most.
        if is_measured:
            frame = self._completion.completed(frame)
        return CorrectedKeyframe(frame, poses, verdict, self._take_counts())

    def _refined(
        self, frame: Frame, refiner: PoseRefiner, others_wait: bool
    ) -> tuple[Frame, _Poses]:
        """Return a keyframe with its refined pose, and the poses of those that move with it."""
        poses = refiner.add(frame, others_wait)
        pose = poses.pop((frame.stamp_ns, frame.camera_id), None)
        self.follow(poses)
        if pose is None:
            return frame, poses
        self._refined_from_given = pose @ rigid_inverse(frame.world_from_camera)
        return replace(frame, world_from_camera=pose), poses

    def _take_counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for part in (self._refiner, self._dynamic, self._exposure, self._completion):
            if part is not None:
                counts.update(part.take_counts())
        return counts

    def passing(self, frame: Frame) -> Frame:
        """Return a frame that is not kept, corrected as the newest keyframe was."""
        pose = self._refined_from_given @ frame.world_from_camera
        frame = replace(frame, world_from_camera=pose)
        if self._dynamic is not None and frame.depth_confidence is None:
            frame = self._dynamic.passing(frame)
        return frame if self._exposure is None else self._exposure.passing(frame)

    def usable(self, frame: Frame) -> Frame:
        """Return a keyframe that comes again without what moves in it."""
        return frame if self._dynamic is None else self._dynamic.usable(frame)

    def follow(self, poses: _Poses) -> None:
        """Give keyframes refined poses."""
        for part in (self._dynamic, self._exposure, self._completion):
            if part is not None:
                part.move(poses)

    def move(self, poses: _Poses) -> None:
        """Give keyframes poses from outside, which count as given from now on."""
        if self._refiner is not None:
            self._refiner.move(poses)
        self.follow(poses)

    def hold_only(self, keyframes: Iterable[KeyframeId]) -> None:
        """Let go of all keyframes but these."""
        keyframes = list(keyframes)
        for part in (self._refiner, self._dynamic, self._exposure):
            # What is not held has nothing left to correct.
            if part is not None:
                part.hold_only(keyframes)

    def dynamic_points(self) -> Float[np.ndarray, "n 3"]:
        """Return where the newest keyframe shows something that may move."""
        return np.zeros((0, 3)) if self._dynamic is None else self._dynamic.held_back_points()

    @property
    def exposure_varies(self) -> bool:
        """Whether colours of keyframes were brought to one exposure, as it has changed."""
        return self._exposure is not None and self._exposure.varies

    def resume_exposure(self, varies: bool) -> None:
        """Begin with a map whose exposure has changed already, or has not."""
        if self._exposure is not None:
            self._exposure.varies = varies
