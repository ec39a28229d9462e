# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How much of an estimated depth is believed: what is sure, planes of plain regions, holes."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float

from ineus_core.keyframes import DepthConfig
from ineus_core.reconstruction.hole_filling import fill_holes
from ineus_core.stereo import PlainWalls, StereoConfig, StereoDepth
from ineus_core.types import Frame, KeyframeId

_LOG = logging.getLogger(__name__)
LEAST_FILLED = 0.002
"""Share of a picture that is holes, or of them filled, below which it is not worth the time."""
_LEAST_KNOWN = 0.005
"""Share of a picture that has depth below which the keyframe counts as one without."""


class DepthBelief:
    """Turns estimates of depth into depth of keyframes, by one thread and on the host alone.

    Args:
        config: How sure it has to be.
        limits: The depth that is believed.
    """

    def __init__(self, config: StereoConfig, limits: DepthConfig) -> None:
        """Know of no wall yet."""
        self._config, self._limits = config, limits
        self._walls = PlainWalls()

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes that have told of walls corrected poses."""
        self._walls.move(poses)

    def of(self, frame: Frame, depth: StereoDepth) -> Frame | None:
        """Return a frame with as much of its depth as is sure enough; None if that adds little."""
        found_m, chance = depth.depth_m, depth.confidence
        # A first depth is soon replaced, and a sensor's holes have its depth around them.
        if self._config.fill and depth.is_final and frame.depth_m is None:
            found_m, chance = depth.with_plain_regions(
                frame.rgb, self._config.min_confidence, self._walls
            )
        is_sure = chance >= self._config.min_confidence
        # Here and not when it is stored: a keyframe whose depth is all beyond counts as one
        # without.
        is_sure &= (found_m >= self._limits.min_m) & (found_m <= self._limits.max_m)
        _LOG.debug("depth on %.0f %% of keyframe %s", 100 * is_sure.mean(), depth.keyframe)
        sure_m = np.where(is_sure, found_m, np.float32(0))
        if frame.depth_m is not None:
            sure_m = fill_holes(frame.depth_m, sure_m)
            # Planes go on where nothing was matched.
            chance = np.maximum(chance, np.float32(self._config.min_confidence))
        size = frame.camera.width_px, frame.camera.height_px
        # A mean of depths across an edge would lie in the air.
        depth_m, confidence = (
            cv2.resize(of.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
            for of in (sure_m, np.where(sure_m > 0, chance, 0))
        )
        if frame.depth_m is not None:
            # A sensor has the last word where it has one.
            is_filled = ~(frame.depth_m > 0) & (depth_m > 0)
            if is_filled.mean() < LEAST_FILLED:
                return None
            depth_m = np.where(is_filled, depth_m, frame.depth_m)
            confidence = np.where(is_filled, confidence, np.float32(1.0))
        elif is_sure.mean() < _LEAST_KNOWN:
            return None
        return replace(frame, depth_m=depth_m, depth_confidence=confidence)
