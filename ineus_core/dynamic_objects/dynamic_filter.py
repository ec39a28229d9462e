# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which pixels of keyframes show something that moves, or that is not there any more.

Each keyframe is compared with those that overlap with it, both ways. A pixel that enough later
keyframes look through is excluded for good. One that shows something where earlier keyframes saw
free space is held back until a later one still shows it there: a person has walked on by then, a
box that was put down is taken in.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from ineus_core.dynamic_objects.config import DynamicObjectsConfig
from ineus_core.dynamic_objects.depth_view import in_all_pixels, small_camera, small_depth
from ineus_core.dynamic_objects.segments import segments_of, whole_segments
from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.depth_comparison import (
    LOOKS_THROUGH,
    SHOWS,
    DepthViews,
    compare_depth,
)
from ineus_core.kernels.voxel_evidence import DepthView
from ineus_core.types import Camera, Frame, KeyframeId

_TOLERANCE_PER_M = 0.005
"""About three deviations of a Kinect, whose noise grows with the square of the depth."""
_PARTNERS = 32
_RECENT = 4
"""Partners that are the newest, whatever they see; the others see most of the same."""
_COARSE_STRIDE_PX = 8
_LEAST_OVERLAP = 0.05
"""Share of the compared pixels of a keyframe that a partner has to tell something of."""
EVIDENCE = (-2, 3)
"""Evidence at which a return is not used any more, and its upper bound, so that what is taken away
after an hour goes as fast as what is taken away after a minute."""
_FREE_VIEWS = 2
"""Earlier keyframes that have to have looked through the place of something new."""
_HELD_FRAMES = 24
"""Frames kept for pixels of them that are held back; of older ones these stay out."""
_USED, _HELD_BACK, _EXCLUDED = 0, 1, 2


@dataclass(frozen=True)
class Verdict:
    """What a new keyframe changes."""

    frame: Frame
    """The new keyframe, without what is held back."""
    excluded: Mapping[KeyframeId, Bool[np.ndarray, "h w"]] = field(default_factory=dict)
    """Pixels of earlier keyframes that are not to be used any more."""
    released: tuple[Frame, ...] = ()
    """Earlier keyframes of which pixels that were held back may be used now."""
    gone_points: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    """Where excluded pixels had their returns, in the coordinates of the poses."""
    witness: DepthView | None = None
    """What the new keyframe tells of points; None if it could not be compared."""


class DynamicFilter:
    """Compares keyframes with depth, and holds what came out for as long as they are held.

    Args:
        config: When something counts as moving.
        capacity: Keyframes that are held at most.
        min_m: Returns nearer than this count as none.
        max_m: Returns farther than this count as none.
    """

    def __init__(
        self, config: DynamicObjectsConfig, capacity: int, min_m: float, max_m: float
    ) -> None:
        """Hold no keyframe."""
        self._config, self._capacity, self._limits = config, capacity, (min_m, max_m)
        self._settle_ns = round(1e9 * config.settle_s)
        self._row_of: dict[KeyframeId, int] = {}
        """By age, oldest first."""
        self._poses: dict[KeyframeId, Float[np.ndarray, "4 4"]] = {}
        self._cameras: dict[KeyframeId, Camera] = {}
        self._compared: list[KeyframeId] = []
        """The newest, and those that it was compared with."""
        self._held_back: dict[KeyframeId, Frame] = {}
        """As they came, while pixels of them are held back."""
        self._depth_m, self._nearest_m = (np.zeros((0, 0, 0), np.float32) for _ in range(2))
        self._evidence, self._state = (np.zeros((0, 0, 0), np.int8) for _ in range(2))
        self._segments = np.zeros((0, 0, 0), np.int32)
        self._intrinsics = np.zeros((0, 4))
        self._counts: Counter[str] = Counter()

    def add(self, frame: Frame) -> Verdict:
        """Take a keyframe whose depth a sensor measured; say what it changes."""
        if not self._store(frame):
            return Verdict(frame)
        new = frame.stamp_ns, frame.camera_id
        partners = self._partners(new)
        self._compared = [new, *partners]
        if not partners:
            return Verdict(frame, witness=self._witness(new))
        # Both ways before anything is excluded, so that the order of the partners does not matter.
        told_of_new, told_by_new = self._told_both_ways(new, partners)
        gone_of = self._judge(partners, told_by_new, frame.stamp_ns)
        excluded, released, gone_points = {}, [], [np.zeros((0, 3))]
        for partner, gone in gone_of.items():
            excluded[partner] = in_all_pixels(gone, self._cameras[partner])
            gone_points.append(self._points(partner, gone))
            # What is excluded tells nothing of others any more.
            self._depth_m[self._row_of[partner]][gone] = 0
        for number, partner in enumerate(partners):
            if self._is_released(partner, told_by_new[number], frame.stamp_ns):
                released.append(self._usable(self._held_back[partner]))
        before = self._before(frame.stamp_ns, partners, told_of_new)
        self._hold_back(frame, before, told_of_new)
        self._doubt(new, before)
        self._forget_settled()
        gone_at = np.concatenate(gone_points)
        witness = self._witness(new)
        return Verdict(self.usable(frame), excluded, tuple(released), gone_at, witness)

    def passing(self, frame: Frame) -> Frame:
        """Return a frame that is no keyframe without what is held back of it.

        It is asked what those keyframes saw free that the newest one was compared with, and that.
        """
        small = small_camera(frame.camera)
        if not self._compared or self._depth_m.shape[1:] != (small.height_px, small.width_px):
            return frame
        row = self._capacity
        self._depth_m[row], self._nearest_m[row] = small_depth(frame, *self._limits)
        self._intrinsics[row] = small.fx, small.fy, small.cx, small.cy
        ways = self._ways(row, frame.world_from_camera, self._compared)
        told = compare_depth(self._views(), *ways)
        is_new = _is_new(self._before(frame.stamp_ns, self._compared, told), told)
        if not is_new.any():
            return frame
        mask = ~in_all_pixels(is_new, frame.camera)
        return replace(frame, mask=mask if frame.mask is None else mask & frame.mask)

    def usable(self, frame: Frame) -> Frame:
        """Return a keyframe, as it came or with its holes filled, without what is left out."""
        keyframe = frame.stamp_ns, frame.camera_id
        if keyframe not in self._row_of or not self._state[self._row_of[keyframe]].any():
            return frame
        return self._usable(frame)

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes corrected poses."""
        self._poses.update({key: pose for key, pose in poses.items() if key in self._row_of})

    def hold_only(self, keyframes: Iterable[KeyframeId]) -> None:
        """Forget all others."""
        held = set(keyframes)
        self._compared = [known for known in self._compared if known in held]
        for keyframe in [known for known in self._row_of if known not in held]:
            del self._row_of[keyframe], self._poses[keyframe], self._cameras[keyframe]
            self._held_back.pop(keyframe, None)

    def take_counts(self) -> Counter[str]:
        """Return what was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def held_back_points(self) -> Float[np.ndarray, "n 3"]:
        """Return world points of the newest keyframe that are held back."""
        if not self._row_of:
            return np.zeros((0, 3))
        newest = next(reversed(self._row_of))
        return self._points(newest, self._state[self._row_of[newest]] == _HELD_BACK)

    def _witness(self, keyframe: KeyframeId) -> DepthView:
        """Return the depth of a keyframe, to tell of points."""
        row = self._row_of[keyframe]
        fx, fy, cx, cy = self._intrinsics[row].tolist()
        return DepthView(
            self._depth_m[row],
            self._nearest_m[row],
            (fx, fy, cx, cy),
            rigid_inverse(self._poses[keyframe]),
            self._config.tolerance_m,
            _TOLERANCE_PER_M,
        )

    def _points(
        self, keyframe: KeyframeId, pixels: Bool[np.ndarray, "h w"]
    ) -> Float[np.ndarray, "n 3"]:
        """Return where returns in pixels of a keyframe lie."""
        row, pose = self._row_of[keyframe], self._poses[keyframe]
        rows, columns = np.nonzero(pixels & (self._depth_m[row] > 0))
        fx, fy, cx, cy = self._intrinsics[row]
        rays = np.stack(
            ((columns + 0.5 - cx) / fx, (rows + 0.5 - cy) / fy, np.ones(len(rows))), axis=1
        )
        points = rays * self._depth_m[row, rows, columns].astype(np.float64)[:, None]
        return points @ pose[:3, :3].T + pose[:3, 3]

    def _usable(self, frame: Frame) -> Frame:
        out = self._state[self._row_of[frame.stamp_ns, frame.camera_id]] != _USED
        mask = ~in_all_pixels(out, frame.camera)
        return replace(frame, mask=mask if frame.mask is None else mask & frame.mask)

    def _store(self, frame: Frame) -> bool:
        """Hold the depth of a frame; False if it is of another shape than that of the others."""
        small = small_camera(frame.camera)
        size = small.height_px, small.width_px
        if not len(self._depth_m):
            self._allocate(size)
        keyframe = frame.stamp_ns, frame.camera_id
        if self._depth_m.shape[1:] != size or keyframe in self._row_of:
            return False
        if len(self._row_of) == self._capacity:
            self.hold_only(list(self._row_of)[1:])
        row = next(iter(set(range(self._capacity)) - set(self._row_of.values())))
        self._row_of[keyframe], self._cameras[keyframe] = row, frame.camera
        self._poses[keyframe] = frame.world_from_camera
        self._depth_m[row], self._nearest_m[row] = small_depth(frame, *self._limits)
        self._intrinsics[row] = small.fx, small.fy, small.cx, small.cy
        self._evidence[row] = self._state[row] = 0
        self._segments[row] = segments_of(self._depth_m[row])
        return True

    def _allocate(self, size: tuple[int, int]) -> None:
        # One more for a frame that is no keyframe.
        shape = self._capacity + 1, *size
        self._depth_m, self._nearest_m = (np.zeros(shape, np.float32) for _ in range(2))
        self._evidence, self._state = (np.zeros(shape, np.int8) for _ in range(2))
        self._segments = np.zeros(shape, np.int32)
        self._intrinsics = np.zeros((self._capacity + 1, 4))

    def _partners(self, new: KeyframeId) -> list[KeyframeId]:
        """Choose the keyframes that see what the new one sees: the newest, and the most alike."""
        others = [known for known in self._row_of if known != new]
        if not others:
            return []
        ways = self._ways(self._row_of[new], self._poses[new], others)
        told = compare_depth(self._views(), *ways, _COARSE_STRIDE_PX)
        overlap = (told != 0).mean(axis=(1, 2))
        order = [n for n in np.argsort(-overlap).tolist() if overlap[n] > _LEAST_OVERLAP]
        recent = [n for n in order if n >= len(others) - _RECENT]
        return [others[n] for n in list(dict.fromkeys(recent + order))[:_PARTNERS]]

    def _told_both_ways(
        self, new: KeyframeId, partners: list[KeyframeId]
    ) -> tuple[Int8[np.ndarray, "partners h w"], Int8[np.ndarray, "partners h w"]]:
        """Return what partners tell of the newest keyframe, and it of them."""
        pairs, motions = self._ways(self._row_of[new], self._poses[new], partners)
        there_and_back = np.concatenate((pairs, pairs[:, ::-1]))
        motions = np.concatenate((motions, rigid_inverse(motions)))
        told = compare_depth(self._views(), there_and_back, motions)
        return told[: len(partners)], told[len(partners) :]

    def _ways(
        self, row: int, pose: Float[np.ndarray, "4 4"], partners: list[KeyframeId]
    ) -> tuple[Int[np.ndarray, "partners 2"], Float[np.ndarray, "partners 4 4"]]:
        """Return the rows of a view and of each partner, and the motions from it to them."""
        pairs = np.array([(row, self._row_of[partner]) for partner in partners])
        # Together, as the keyframes are by the hundred.
        poses = np.array([self._poses[partner] for partner in partners])
        return pairs, rigid_inverse(poses) @ pose

    def _views(self) -> DepthViews:
        return DepthViews(
            self._depth_m,
            self._nearest_m,
            self._intrinsics,
            self._config.tolerance_m,
            _TOLERANCE_PER_M,
        )

    def _judge(
        self, partners: list[KeyframeId], told: Int8[np.ndarray, "partners h w"], now_ns: int
    ) -> dict[KeyframeId, Bool[np.ndarray, "h w"]]:
        """Count what the newest keyframe tells of earlier ones; return what that excludes."""
        # A frame from before that came late says nothing of what happened since.
        earlier = [number for number, partner in enumerate(partners) if partner[0] < now_ns]
        rows = [self._row_of[partners[number]] for number in earlier]
        told = told[earlier]
        # What moves is still where it was a moment ago.
        moment_ago = [now_ns - partners[number][0] < self._settle_ns for number in earlier]
        told[moment_ago] = np.minimum(told[moment_ago], 0)
        evidence = np.clip(self._evidence[rows] + told, *EVIDENCE)
        self._evidence[rows] = evidence
        is_used = self._state[rows] != _EXCLUDED
        contradicted = (evidence <= EVIDENCE[0]) & is_used
        gone_of = {}
        for at in np.flatnonzero(contradicted.any(axis=(1, 2))).tolist():
            # The edge of a thing that moved is as wrong, though not as clearly.
            gone = _widened(contradicted[at]) & (evidence[at] <= 0) & is_used[at]
            # So is what is left of it that no later keyframe happens to look at.
            moves = gone | (self._state[rows[at]] != _USED)
            rest = whole_segments(self._segments[rows[at]], moves) & (evidence[at] <= 0)
            gone |= rest & is_used[at]
            self._state[rows[at]][gone] = _EXCLUDED
            self._counts["pixels_excluded"] += int(gone.sum())
            gone_of[partners[earlier[at]]] = gone
        return gone_of

    def _is_released(
        self, partner: KeyframeId, told: Int8[np.ndarray, "h w"], now_ns: int
    ) -> bool:
        """Let pixels be used that the newest keyframe still shows; whether there are any."""
        if partner not in self._held_back or now_ns - partner[0] < self._settle_ns:
            return False
        row = self._row_of[partner]
        stays = (self._state[row] == _HELD_BACK) & (told == SHOWS) & (self._evidence[row] >= 0)
        self._state[row][stays] = _USED
        return bool(stays.any())

    def _hold_back(
        self, frame: Frame, before: "_Before", told: Int8[np.ndarray, "partners h w"]
    ) -> None:
        """Hold back what the new keyframe shows in free space, unless it was there before."""
        is_new = _is_new(before, told)
        if not is_new.any():
            return
        keyframe = frame.stamp_ns, frame.camera_id
        self._state[self._row_of[keyframe]][is_new] = _HELD_BACK
        self._held_back[keyframe] = frame
        self._counts["pixels_held_back"] += int(is_new.sum())

    def _doubt(self, new: KeyframeId, before: "_Before") -> None:
        """Count that earlier keyframes look through what a new one shows as one view through it.

        So one later view is enough of what passes by, unless it stood there a while ago, too.
        """
        self._evidence[self._row_of[new]] -= (before.through > 0) & ~before.settled

    def _before(
        self, now_ns: int, partners: list[KeyframeId], told: Int8[np.ndarray, "partners h w"]
    ) -> "_Before":
        """Return what partners have seen before where pixels show something now."""
        age_ns = np.array([now_ns - partner[0] for partner in partners])
        # Only by what was seen before: from a frame that came late nothing follows for this one.
        through = (told[age_ns > 0] == LOOKS_THROUGH).sum(axis=0, dtype=np.int8)
        # What somebody has seen there for so long is no news, whoever looks through it.
        settled = (told[age_ns >= self._settle_ns] == SHOWS).any(axis=0)
        return _Before(through, settled)

    def _forget_settled(self) -> None:
        """Drop frames of which no pixel is held back any more, and the oldest of too many."""
        for keyframe in list(self._held_back):
            is_settled = not (self._state[self._row_of[keyframe]] == _HELD_BACK).any()
            if is_settled or len(self._held_back) > _HELD_FRAMES:
                del self._held_back[keyframe]


@dataclass(frozen=True)
class _Before:
    """What earlier keyframes have seen where pixels of a new one show something."""

    through: Int8[np.ndarray, "h w"]
    """How many have looked through it."""
    settled: Bool[np.ndarray, "h w"]
    """Whether any has shown it long ago."""


def _is_new(before: _Before, told: Int8[np.ndarray, "partners h w"]) -> Bool[np.ndarray, "h w"]:
    """Tell which pixels show what was free a moment ago, by what partners tell of them."""
    is_new = (before.through >= _FREE_VIEWS) & ~before.settled
    if is_new.any():
        supported = (told == SHOWS).any(axis=0)
        # Its edge as well, but for pixels in which others see the same.
        is_new |= _widened(is_new) & ~supported
    return is_new


def _widened(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
