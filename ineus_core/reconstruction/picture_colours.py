# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colours of a surface from the photographs that see it, which a field takes long to learn."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ineus_core.geometry import project, rigid_inverse
from ineus_core.keyframes import KeyframeBuffer
from ineus_core.meshing import ColourFunction

_SAME = 0.03
"""Share of the depth within which a point is the surface that a photograph shows there."""
_FLATTEST = 0.1
"""Cosine below which a surface is seen too flat to tell its colour."""


class PictureColours:
    """The mean of what keyframes show at points, those nearest and most head-on first.

    Args:
        buffer: Of the keyframes, whose depth says what hides what.
    """

    def __init__(self, buffer: KeyframeBuffer) -> None:
        """Look at keyframes when colours are asked for."""
        self._buffer = buffer

    def colours(
        self,
        of_field: ColourFunction,
        points: Float[Tensor, "n 3"],
        normals: Float[Tensor, "n 3"],
    ) -> Float[Tensor, "n 3"]:
        """Return the colours, 0 to 1, of surface points; the field's where none is seen."""
        at, facing = points.numpy().astype(np.float64), normals.numpy()
        total, weights = np.zeros((len(at), 3)), np.zeros(len(at))
        for slot, pose in zip(self._buffer.slots, self._buffer.poses, strict=True):
            seen, weight, rgb = self._seen(slot, pose, at, facing)
            total[seen] += weight[:, None] * rgb
            weights[seen] += weight
        colours = torch.from_numpy(total / np.maximum(weights, 1e-12)[:, None] / 255).float()
        unseen = torch.from_numpy(weights == 0)
        if unseen.any():
            colours[unseen] = of_field(points[unseen], normals[unseen])
        return colours

    def _seen(
        self,
        slot: int,
        world_from_camera: Float[np.ndarray, "4 4"],
        points: Float[np.ndarray, "n 3"],
        normals: Float[np.ndarray, "n 3"],
    ) -> tuple[Bool[np.ndarray, " n"], Float[np.ndarray, " m"], Float[np.ndarray, "m 3"]]:
        """Tell which points a keyframe sees, how well, and in which colour."""
        buffer, size = self._buffer, (self._buffer.height_px, self._buffer.width_px)
        camera_from_world = rigid_inverse(world_from_camera)
        in_camera = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        distance = np.linalg.norm(in_camera, axis=1)
        cosine = ((world_from_camera[:3, 3] - points) * normals).sum(axis=1) / distance
        seen = (in_camera[:, 2] > 0) & (cosine > _FLATTEST)
        pixels = project(buffer.camera_of(slot), in_camera[seen])
        is_inside = ((pixels >= 0) & (pixels < size[::-1])).all(axis=1)
        seen[seen], pixels = is_inside, pixels[is_inside]
        column, row = pixels.astype(np.int64).T
        z = in_camera[seen, 2]
        depth = buffer.depth[slot].view(size).numpy()[row, column] * buffer.depth_step_m
        is_same = np.abs(depth - z) < _SAME * z
        seen[seen], pixels = is_same, pixels[is_same].astype(np.float32)
        return (
            seen,
            (cosine[seen] / distance[seen]) ** 2,
            _colours_at(buffer.rgb[slot], size, pixels),
        )


def _colours_at(
    rgb: Tensor, size: tuple[int, int], pixels: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 3"]:
    """Return the colours between the centres of pixels, 0 to 255."""
    if len(pixels) == 0:
        return np.zeros((0, 3))
    picture = rgb.view(*size, 3).numpy()
    # A column at most so long: OpenCV's maps end at 32,767 rows.
    parts = np.array_split(pixels, -(-len(pixels) // 30_000))
    found = [
        cv2.remap(
            picture, p[:, :1] - 0.5, p[:, 1:] - 0.5, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
        )
        for p in parts
    ]
    return np.concatenate(found)[:, 0].astype(np.float64)
