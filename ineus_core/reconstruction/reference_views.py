# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The last keyframes, reduced, in arrays that a kernel takes as they are."""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from ineus_core.kernels.colour_votes import ColourViews, lens_of
from ineus_core.types import Camera, Frame, KeyframeId

_WIDTH_PX = 160
"""Holes are looked for in images of about this width; smaller ones the field closes by itself."""


def reduction_of(camera: Camera) -> int:
    """Return the pixels of a camera along the side of one in which holes are looked for."""
    return max(1, round(camera.width_px / _WIDTH_PX))


def reduced(image: Shaped[np.ndarray, "h w"], k: int) -> Shaped[np.ndarray, "reduced_h reduced_w"]:
    """Return the pixels in the middle of squares of k."""
    height, width = image.shape[0] // k, image.shape[1] // k
    return np.ascontiguousarray(image[k // 2 :: k, k // 2 :: k][:height, :width])


def reduced_rgb(frame: Frame, k: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return the mean of squares of k pixels, of which `reduced` returns that in the middle."""
    width, height = frame.camera.width_px // k, frame.camera.height_px // k
    rgb = frame.rgb[: k * height, : k * width]
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


class ReferenceViews:
    """Remembers the last keyframes; what is oldest gives way.

    Args:
        most: So many of them.
    """

    def __init__(self, most: int) -> None:
        """Remember none."""
        self.most = most
        self._slots: dict[KeyframeId, int] = {}
        self._next = 0
        self._cameras: list[Camera] = []
        self._rgb = np.zeros((most, 0, 3), np.uint8)
        self._depth_m = np.zeros((most, 0), np.float32)
        self._sizes_px = np.zeros((most, 2), np.int64)
        self._reductions = np.ones(most)
        self._lenses, self._is_tilted = np.zeros((most, 17)), np.zeros(most, bool)
        self._poses = np.zeros((most, 4, 4))

    def remember(
        self,
        frame: Frame,
        rgb: UInt8[np.ndarray, "h w 3"],
        depth_m: Float[np.ndarray, "h w"],
        reduction: int,
    ) -> None:
        """Keep a keyframe; one whose depth has become better once."""
        slot = self._slot_of((frame.stamp_ns, frame.camera_id), frame.camera)
        pixels = depth_m.size
        if pixels > self._depth_m.shape[1]:
            more = pixels - self._depth_m.shape[1]
            self._rgb = np.pad(self._rgb, ((0, 0), (0, more), (0, 0)))
            self._depth_m = np.pad(self._depth_m, ((0, 0), (0, more)))
        self._rgb[slot, :pixels] = rgb.reshape(-1, 3)
        self._depth_m[slot, :pixels] = depth_m.reshape(-1)
        self._sizes_px[slot], self._reductions[slot] = depth_m.shape, reduction
        self._lenses[slot], self._is_tilted[slot] = lens_of(frame.camera)
        self._poses[slot] = frame.world_from_camera

    def _slot_of(self, keyframe: KeyframeId, camera: Camera) -> int:
        slot = self._slots.get(keyframe)
        if slot is None:
            slot, self._next = self._next, (self._next + 1) % self.most
            if slot < len(self._cameras):
                # In the order in which they came, of which the first is the oldest.
                del self._slots[next(iter(self._slots))]
            else:
                self._cameras.append(camera)
            self._slots[keyframe] = slot
        self._cameras[slot] = camera
        return slot

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Correct the poses of keyframes, if they are remembered."""
        for keyframe, pose in poses.items():
            slot = self._slots.get(keyframe)
            if slot is not None:
                self._poses[slot] = pose

    def held(self) -> ColourViews:
        """Return all that are remembered, not copied."""
        count = len(self._cameras)
        return ColourViews(
            self._rgb[:count],
            self._depth_m[:count],
            self._sizes_px[:count],
            self._reductions[:count],
            tuple(self._cameras),
            self._lenses[:count],
            self._is_tilted[:count],
            self._poses[:count],
        )
