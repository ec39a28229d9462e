# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The box of an object whose outline is known in some views: what lies within all outlines."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from ineus_core.geometry import project, rigid_inverse
from ineus_core.types import Frame

_CELLS = 48
"""Along a side of the cube that is carved."""
_MASK_PX = 160
"""Longer side of the outlines that are looked at."""
_SPARED_VIEWS = 0.1
"""Share of the views whose outline may miss a part: masks have holes."""


def visual_hull_box(
    frames: Sequence[Frame], cube: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "2 3"] | None:
    """Return a box around what lies within the outlines of frames with foreground, or None.

    Args:
        cube: Where to look.
    """
    outlines = [_outline(frame) for frame in frames]
    box = cube
    # The second carving is of the box that the first one has found, and so finer.
    for _ in range(2):
        cell = (box[1] - box[0]) / _CELLS
        steps = [box[0, i] + cell[i] * (np.arange(_CELLS) + 0.5) for i in range(3)]
        points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        left = _within_all(points, frames, outlines)
        if not left.any():
            return None
        found = points[left]
        # From the centres half a cell to the border, and one to spare.
        box = np.stack((found.min(axis=0) - 1.5 * cell, found.max(axis=0) + 1.5 * cell))
    return box


def _outline(frame: Frame) -> Bool[np.ndarray, "h w"]:
    """Return where an object may be, a little wider, in a small picture."""
    assert frame.foreground is not None
    share = frame.foreground.astype(np.float32)
    scale = _MASK_PX / max(share.shape)
    size = max(1, round(share.shape[1] * scale)), max(1, round(share.shape[0] * scale))
    # By area, so that thin parts leave a trace; the threshold is low for the same reason.
    small = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
    return cv2.dilate((small > 0.05).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _within_all(
    points: Float[np.ndarray, "n 3"],
    frames: Sequence[Frame],
    outlines: Sequence[Bool[np.ndarray, "h w"]],
) -> Bool[np.ndarray, " n"]:
    """Decide which points are within the outlines of nearly all the views that see them."""
    seen, outside = np.zeros(len(points)), np.zeros(len(points))
    for frame, outline in zip(frames, outlines, strict=True):
        camera = frame.camera
        to_camera = rigid_inverse(frame.world_from_camera)
        in_camera = points @ to_camera[:3, :3].T + to_camera[:3, 3]
        pixels = np.full((len(points), 2), -1.0)
        in_front = in_camera[:, 2] > 0
        # What is behind the camera would be projected into the picture as well.
        pixels[in_front] = project(camera, in_camera[in_front])
        share = pixels / (camera.width_px, camera.height_px)
        is_seen = ((share >= 0) & (share < 1)).all(axis=1)
        columns, rows = (share[is_seen] * outline.shape[::-1]).astype(int).T
        seen[is_seen] += 1
        outside[is_seen] += ~outline[rows, columns]
    # What few views see, none may contradict: it need not be of the object.
    return (outside <= _SPARED_VIEWS * seen) & (seen >= 0.5 * len(frames))
