# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colours of a surface as a picture: what is asked of it at the middle of each texel."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ineus_core.kernels.rasterising import rasterise
from ineus_core.meshing.atlas import facing_us, on_picture, unfold
from ineus_core.types import Mesh, TexturedMesh

ColoursOfPoints = Callable[
    [Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]], UInt8[np.ndarray, "n 3"]
]
"""From points on the surface and unit normals there, in the coordinates of the mesh."""

_POINTS_AT_ONCE = 1 << 18
_DILATION_PX = 4
"""Texels around each part that have its colour: linear filtering reaches one, and each smaller
copy that a viewer makes of the texture twice as many."""


def textured(mesh: Mesh, side_px: int, colours_fn: ColoursOfPoints) -> TexturedMesh:
    """Give a mesh a square texture.

    Args:
        mesh: With at least one triangle.
        side_px: Of the texture.
        colours_fn: What is asked for the colours.

    Raises:
        MissingDependencyError: xatlas is not installed.
    """
    unfolded, uv = unfold(mesh, side_px)
    corners = on_picture(uv, side_px)
    triangles = facing_us(corners, unfolded.triangles)
    seen = rasterise(corners, triangles, side_px, side_px)
    texture = np.zeros((side_px * side_px, 3), dtype=np.uint8)
    is_known = np.zeros(side_px * side_px, dtype=bool)
    is_known[seen.pixels] = True
    for first in range(0, len(seen.pixels), _POINTS_AT_ONCE):
        part = slice(first, first + _POINTS_AT_ONCE)
        weights, vertices = seen.weights[part], triangles[seen.triangles[part]]
        points = np.einsum("pi,pic->pc", weights, unfolded.vertices[vertices])
        normals = np.einsum("pi,pic->pc", weights, unfolded.normals[vertices])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        texture[seen.pixels[part]] = colours_fn(points, normals)
    square = (side_px, side_px)
    picture = _dilated(texture.reshape(*square, 3), is_known.reshape(square))
    return TexturedMesh(unfolded, uv, picture)


def _dilated(
    texture: UInt8[np.ndarray, "h w 3"], is_known: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Give the texels around each part the mean of those beside them that have a colour."""
    for _ in range(_DILATION_PX):
        known = is_known.astype(np.float32)
        count = cv2.boxFilter(known, -1, (3, 3), normalize=False)
        grows = (count > 0) & ~is_known
        total = cv2.boxFilter(texture * known[..., None], -1, (3, 3), normalize=False)
        texture = texture.copy()
        texture[grows] = np.rint(total[grows] / count[grows][:, None])
        is_known = is_known | grows
    return texture
