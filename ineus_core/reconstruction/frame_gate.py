# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames are needed as keyframes: decided as they come, without the device."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import rigid_inverse
from ineus_core.keyframes import KeyframePolicy
from ineus_core.types import Frame, KeyframeId

_PASSED_SHARE, _PASSED_DEG, _PASSED_S = 0.01, 2.0, 0.15
"""Motion, by the depth, or time after which a frame between keyframes shows enough that is new: to
take one in takes some 0.03 s of a core, and many from one place say what few do."""
_STRIDE_PX = 16
_LOG = logging.getLogger(__name__)
_REMEMBERED = 4096
"""Keyframes whose stamps are remembered: what comes twice comes soon."""


@dataclass(frozen=True)
class JudgedFrame:
    """A frame that came, and whether a map needs it."""

    stamp_ns: int
    frame: Frame | None
    """None if it is not needed as a keyframe."""
    map_number: int
    """Of the map that it was judged for."""
    passing: Frame | None = None
    """A frame with depth that is not needed, where the map takes in what such frames show."""


class FrameGate:
    """Asks the policy about each frame that a map can have.

    Args:
        make_policy: Makes a policy for each map.
        capacity: Keyframes that a map holds at most.
        first_frames: So many poses are remembered of frames before there is a map.
        passes_on: Whether frames that are not needed are handed on, if they have depth and show
            enough that is new.
    """

    def __init__(
        self,
        make_policy: Callable[[], KeyframePolicy],
        capacity: int,
        first_frames: int,
        passes_on: bool = False,
    ) -> None:
        """Wait for the first frame of the first map."""
        self._make_policy, self._capacity = make_policy, capacity
        self._most_poses, self._passes_on = first_frames, passes_on
        # Frames are judged on the thread that they come on, while another begins maps.
        self._lock = threading.Lock()
        self._map_number = 0
        self.begin_map()

    def begin_map(self) -> None:
        """Judge for a new map from now on, that needs everything."""
        with self._lock:
            # Frames that wait were judged for the map before.
            self._map_number += 1
            self._policy = self._make_policy()
            self._held_box_m: Float[np.ndarray, "2 3"] | None = None
            self._held = self._capacity
            self._first_poses: list[Float[np.ndarray, "4 4"]] = []
            self._within = 0
            self._keyframes: dict[KeyframeId, None] = {}
            self._repeated = 0
            self._last_handed_on: dict[int, tuple[int, Float[np.ndarray, "4 4"]]] = {}
            """Stamp and pose, by camera."""

    def know_map(self, held_box_m: Float[np.ndarray, "2 3"], capacity: int) -> None:
        """Be told what the map can have: where its field reaches, and how many keyframes."""
        with self._lock:
            self._held_box_m, self._held = held_box_m, capacity

    @property
    def first_poses(self) -> list[Float[np.ndarray, "4 4"]]:
        """Poses of the first frames that were judged for this map, needed or not."""
        with self._lock:
            return list(self._first_poses)

    @property
    def repeated(self) -> int:
        """Frames that were left out as a keyframe of their camera has their stamp."""
        with self._lock:
            return self._repeated

    @property
    def frames_within(self) -> int:
        """Frames so far that this map can have, needed or not."""
        with self._lock:
            return self._within

    def judge(self, frame: Frame, expected: int = 0) -> JudgedFrame:
        """Decide on a frame; each comes once, and in the order in which they are taken.

        Args:
            expected: Frames without depth that come in all, and are all kept if they are few; 0
                if nobody knows.
        """
        with self._lock:
            # More are not needed, and a stream would let them grow for ever.
            if len(self._first_poses) < self._most_poses:
                self._first_poses.append(frame.world_from_camera)
            # A policy must not take note of a frame that no map can have, and who takes frames
            # must see it: such frames may show that the map was begun at a wrong place.
            is_out = self._is_out_of_reach(frame)
            self._within += not is_out
            if self._is_repeated(frame):
                return JudgedFrame(frame.stamp_ns, None, self._map_number)
            is_needed = (
                is_out
                or self._policy.is_keyframe(frame)
                or (frame.depth_m is None and 0 < expected <= self._held)
            )
            if is_needed and not is_out:
                self._remember(frame)
            is_passed_on = not is_needed and self._is_worth_passing(frame)
            if self._passes_on and (is_needed or is_passed_on):
                self._last_handed_on[frame.camera_id] = frame.stamp_ns, frame.world_from_camera
            return JudgedFrame(
                frame.stamp_ns,
                frame if is_needed else None,
                self._map_number,
                frame if is_passed_on else None,
            )

    def judged_again(self, judged: JudgedFrame, expected: int = 0) -> JudgedFrame:
        """Return what holds for the present map of a frame that was judged for another."""
        # A frame that was not needed is gone already; only what was kept can be judged for a new
        # map.
        if judged.frame is None or judged.map_number == self._map_number:
            return judged
        return self.judge(judged.frame, expected)

    def _is_repeated(self, frame: Frame) -> bool:
        """Count a frame that cannot be told from a keyframe, as those go by stamp and camera."""
        if (frame.stamp_ns, frame.camera_id) not in self._keyframes:
            return False
        self._repeated += 1
        if self._repeated == 1:
            _LOG.warning(
                "a frame at %d ns has the stamp of a keyframe before it and is left out: expected "
                "a stamp of its own for each frame of a camera; others like it are only counted",
                frame.stamp_ns,
            )
        return True

    def _remember(self, frame: Frame) -> None:
        self._keyframes[frame.stamp_ns, frame.camera_id] = None
        if len(self._keyframes) > _REMEMBERED:
            del self._keyframes[next(iter(self._keyframes))]

    def _is_worth_passing(self, frame: Frame) -> bool:
        """Tell of a frame that is not needed whether what it shows is taken in all the same."""
        if not self._passes_on or frame.depth_m is None:
            return False
        last = self._last_handed_on.get(frame.camera_id)
        if last is None:
            return True
        stamp_ns, pose = last
        if abs(frame.stamp_ns - stamp_ns) >= 1e9 * _PASSED_S:
            return True
        moved = rigid_inverse(pose) @ frame.world_from_camera
        turned = np.degrees(np.arccos(np.clip((np.trace(moved[:3, :3]) - 1) / 2, -1, 1)))
        some_m = frame.depth_m[::_STRIDE_PX, ::_STRIDE_PX]
        away_m = float(np.median(some_m[some_m > 0])) if (some_m > 0).any() else 0.0
        return bool(
            turned >= _PASSED_DEG or np.linalg.norm(moved[:3, 3]) >= _PASSED_SHARE * away_m
        )

    def _is_out_of_reach(self, frame: Frame) -> bool:
        if frame.depth_m is None or self._held_box_m is None:
            return False
        low, high = self._held_box_m
        position = frame.world_from_camera[:3, 3]
        return bool((position < low).any() or (position > high).any())
