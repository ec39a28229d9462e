# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes without depth on their way in: each waits until others show its depth."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float

from ineus_core.stereo import DepthFromMotion, StereoConfig, StereoDepth
from ineus_core.types import Frame, KeyframeId

_LOG = logging.getLogger(__name__)


class EstimatedDepth:
    """Gives keyframes without depth the depth that they show of each other.

    Args:
        config: How it is measured, and how sure it has to be.
        device: Where pictures are compared.
        points_m: On surfaces, where some are known, such as those of structure from motion.
    """

    def __init__(
        self,
        config: StereoConfig,
        device: torch.device,
        points_m: Float[np.ndarray, "n 3"] | None = None,
    ) -> None:
        """Wait for the first keyframe."""
        self._config = config
        # At once there is no need: a frame is given on with its final depth only.
        measured = config.model_copy(update={"provisional": False})
        self._stereo = DepthFromMotion(measured, device, points_m)
        self._waiting: dict[KeyframeId, Frame] = {}
        self.counters: Counter[str] = Counter()

    def add(self, frame: Frame) -> list[Frame]:
        """Take a keyframe; return those whose depth is there now, with it."""
        self._waiting[frame.stamp_ns, frame.camera_id] = frame
        ready = self._with_depth(self._stereo.add(frame))
        # Nothing more will be said of those that are not held there.
        for keyframe in list(self._waiting)[: -self._config.views]:
            del self._waiting[keyframe]
            self.counters["keyframes_without_estimate"] += 1
        return ready

    def finish(self) -> list[Frame]:
        """Return the keyframes that still waited, as far as their depth can be told."""
        ready = self._with_depth(self._stereo.finish())
        self.counters["keyframes_without_estimate"] += len(self._waiting)
        self._waiting.clear()
        return ready

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes that wait, or that others are matched with, corrected poses."""
        self._stereo.move(poses)
        for keyframe in self._waiting.keys() & poses.keys():
            frame = self._waiting[keyframe]
            self._waiting[keyframe] = replace(frame, world_from_camera=poses[keyframe])

    def _with_depth(self, found: Sequence[StereoDepth]) -> list[Frame]:
        ready = []
        for depth in found:
            frame = self._waiting.pop(depth.keyframe, None)
            if frame is None:
                continue
            sure = np.where(depth.confidence >= self._config.min_confidence, depth.depth_m, 0)
            size = frame.camera.width_px, frame.camera.height_px
            # A mean of depths across an edge would lie in the air.
            depth_m = cv2.resize(sure.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
            self.counters["keyframes_with_estimate"] += 1
            _LOG.debug("depth on %.0f %% of keyframe %s", 100 * (sure > 0).mean(), depth.keyframe)
            ready.append(replace(frame, depth_m=depth_m))
        return ready
