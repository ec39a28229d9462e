# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The exposure gain of each keyframe: what its colours are multiplied by to be those of the map.

A keyframe is compared with earlier ones that show the same surfaces, whose own gains are known.
Exposure that is constant leaves every picture as it is: as long as nothing has changed, pictures
are compared as the camera gave them, so that no errors add up along a way.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.exposure.colour_view import ColourView, colours_in, in_other_cameras
from ineus_core.exposure.config import ExposureConfig
from ineus_core.medians import weighted_median
from ineus_core.types import Frame, KeyframeId

_PARTNERS = 8
_SAMPLES = 400
"""Of a keyframe; each is looked for in all partners."""
_LEAST_SAMPLES = 60
"""Of a keyframe, in all partners together."""
_STEP = 0.05
"""Of the logarithm of a colour around a pixel, which then counts a quarter of one without any."""
_PRIOR = 0.002
"""Share of a gain that is given up with each keyframe, so that none drifts away: along a way of
some five hundred keyframes, colours return to those of the camera."""
_LARGEST = np.log(4.0)


@dataclass(frozen=True)
class _Known:
    view: ColourView
    log_gain: Float[np.ndarray, " 3"]


class ExposureCorrection:
    """Compares the colours of keyframes, and holds as much of them as that takes.

    Args:
        config: When exposure counts as changed.
        min_m: Returns nearer than this count as none.
        max_m: Returns farther than this count as none.
    """

    def __init__(self, config: ExposureConfig, min_m: float, max_m: float) -> None:
        """Hold no keyframe."""
        self._threshold, self._limits = float(np.log1p(config.threshold)), (min_m, max_m)
        self._known: dict[KeyframeId, _Known] = {}
        self._poses: dict[KeyframeId, Float[np.ndarray, "4 4"]] = {}
        self._newest: dict[int, Float[np.ndarray, " 3"]] = {}
        """Logarithm of the newest gain of each camera."""
        self._counts: Counter[str] = Counter()
        self.varies = False
        """Whether exposure has changed; before, no picture is touched."""

    def add(self, frame: Frame) -> Frame:
        """Take a keyframe; return it with the colours that the map has."""
        # What has a background of one colour was not taken in one room with others.
        if frame.foreground is not None:
            return frame
        keyframe = frame.stamp_ns, frame.camera_id
        view = None if frame.depth_m is None else ColourView.of(frame, *self._limits)
        measured = None if view is None else self._measured(view, frame.world_from_camera)
        if measured is not None and np.abs(measured).max() > self._threshold:
            self.varies = True
        log_gain = self._newest.get(frame.camera_id, np.zeros(3))
        if measured is not None:
            log_gain = (1 - _PRIOR) * measured if self.varies else np.zeros(3)
        self._newest[frame.camera_id] = log_gain
        if view is not None:
            self._known[keyframe] = _Known(view, log_gain)
            self._poses[keyframe] = frame.world_from_camera
        if not log_gain.any():
            return frame
        self._counts["keyframes_exposure_corrected"] += 1
        return replace(frame, rgb=with_gain(frame.rgb, log_gain))

    def passing(self, frame: Frame) -> Frame:
        """Return a frame that is no keyframe with the colours that the map has."""
        if not self.varies or frame.depth_m is None or frame.foreground is not None:
            return frame
        measured = self._measured(ColourView.of(frame, *self._limits), frame.world_from_camera)
        if measured is None:
            measured = self._newest.get(frame.camera_id, np.zeros(3))
        return replace(frame, rgb=with_gain(frame.rgb, measured))

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes corrected poses."""
        self._poses.update({key: pose for key, pose in poses.items() if key in self._known})

    def hold_only(self, keyframes: Iterable[KeyframeId]) -> None:
        """Forget all others."""
        held = set(keyframes)
        for keyframe in [known for known in self._known if known not in held]:
            del self._known[keyframe], self._poses[keyframe]

    def gain_of(self, keyframe: KeyframeId) -> Float[np.ndarray, " 3"] | None:
        """Return what the colours of a keyframe were multiplied by; None if it is not held."""
        known = self._known.get(keyframe)
        return None if known is None else np.exp(known.log_gain)

    def take_counts(self) -> Counter[str]:
        """Return what was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def _measured(
        self, view: ColourView, pose: Float[np.ndarray, "4 4"]
    ) -> Float[np.ndarray, " 3"] | None:
        """Return the logarithm of the gain that colours in other views call for, if any does."""
        points_m, log_rgb, step = view.samples(_SAMPLES)
        partners = self._partners(pose)
        if len(points_m) == 0 or not partners:
            return None
        known = [self._known[partner] for partner in partners]
        poses = np.array([self._poses[partner] for partner in partners])
        colours, shown = colours_in(
            [one.view for one in known], in_other_cameras(points_m, pose, poses)
        )
        log_gains = np.array([one.log_gain for one in known])
        found = (log_gains[:, None] + (colours - log_rgb))[shown]
        if len(found) < _LEAST_SAMPLES:
            return None
        weights = np.broadcast_to(1 / (_STEP + step) ** 2, shown.shape)[shown]
        # Of what moves, shines or is a shadow most pixels show nothing, so half of them decide.
        middle = weighted_median(found, weights)
        return np.clip(middle, -_LARGEST, _LARGEST)

    def _partners(self, pose: Float[np.ndarray, "4 4"]) -> list[KeyframeId]:
        """Choose the keyframes that were taken nearest to a pose."""
        if not self._poses:
            return []
        others = np.array(list(self._poses.values()))
        # Metres and the chord of a turn in one sum: 1 m counts as much as 60 degrees.
        away = np.linalg.norm(others[:, :3, 3] - pose[:3, 3], axis=1)
        away += np.linalg.norm(others[:, :3, 2] - pose[:3, 2], axis=1)
        keyframes = list(self._poses)
        return [keyframes[at] for at in np.argsort(away, kind="stable")[:_PARTNERS]]


def with_gain(
    rgb: UInt8[np.ndarray, "h w 3"], log_gain: Float[np.ndarray, " 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Multiply colours by a gain for each channel, rounded and at most 255."""
    levels = np.arange(256)[:, None] * np.exp(log_gain)
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return cv2.LUT(rgb, table[None])
