# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Triangles into pixels, in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_PIXELS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class TrianglePixels:
    """The pixels whose centres lie in a triangle, row after row of the picture."""

    pixels: Int[np.ndarray, " hits"]
    """Row times width plus column."""
    triangles: Int[np.ndarray, " hits"]
    weights: Float[np.ndarray, "hits 3"]
    """Barycentric on the picture, of the three corners."""


def rasterise(
    corners: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "t 3"],
    width_px: int,
    height_px: int,
) -> TrianglePixels:
    """Find the nearest triangle at the centre of each pixel.

    Triangles that run clockwise on the picture, whose rows grow downwards, are seen from behind
    and left out, as are those with a corner whose inverse depth is not positive.

    Args:
        corners: Column, row and inverse depth of each vertex; 1 everywhere for a flat picture.
        triangles: Indices of vertices.
        width_px: Of the picture.
        height_px: Of the picture.
    """
    boxes = _front_facing_boxes(corners, triangles, (width_px, height_px))
    nearest = _Nearest(height_px * width_px)
    for some in boxes.chunks():
        _draw(nearest, some, corners[triangles[some.triangles]], width_px)
    hit = np.flatnonzero(nearest.triangle >= 0)
    weights = np.empty((len(hit), 3))
    weights[:, :2] = nearest.weights[hit]
    weights[:, 2] = 1 - weights[:, :2].sum(axis=1)
    return TrianglePixels(hit, nearest.triangle[hit], weights)


class _Nearest:
    """The nearest triangle at each pixel, and two of its barycentric coordinates there."""

    def __init__(self, count: int) -> None:
        self.inverse_depth = np.zeros(count)
        self.triangle = np.full(count, -1)
        self.weights = np.zeros((count, 2))


@dataclass(frozen=True)
class _Boxes:
    """Triangles and the pixels whose centres may lie in them: a first pixel, columns and rows."""

    triangles: Int[np.ndarray, " n"]
    first: Int[np.ndarray, "n 2"]
    size: Int[np.ndarray, "n 2"]

    def chunks(self) -> "Iterator[_Boxes]":
        """Split into parts of about as many pixels as are worked on at once."""
        # Triangles near the eye cover the whole picture: all at once may not fit in memory.
        chunk = np.cumsum(self.size.prod(axis=1)) // _PIXELS_AT_ONCE
        cuts = np.flatnonzero(np.diff(chunk)) + 1
        for rows in np.split(np.arange(len(self.triangles)), cuts):
            yield _Boxes(self.triangles[rows], self.first[rows], self.size[rows])


def _front_facing_boxes(
    corners: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"], image: tuple[int, int]
) -> _Boxes:
    """Return boxes of the triangles that face the camera and touch a pixel's centre, clipped."""
    a, b, c = (corners[triangles[:, i]] for i in range(3))
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    edge, other = (b - a)[:, :2], (c - a)[:, :2]
    # Rows grow downwards, so what turns clockwise on the image shows us its back.
    faces_us = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0] < 0
    # Centres of pixels are at halves.
    first = np.ceil(low[:, :2] - 0.5).clip(0, image).astype(np.int64)
    end = (np.floor(high[:, :2] - 0.5) + 1).clip(0, image).astype(np.int64)
    size = end - first
    keep = np.flatnonzero(faces_us & (low[:, 2] > 0) & (size > 0).all(axis=1))
    return _Boxes(keep, first[keep], size[keep])


def _draw(
    nearest: _Nearest, boxes: _Boxes, corners: Float[np.ndarray, "n 3 3"], width_px: int
) -> None:
    """Put triangles into the pixels where they are nearest."""
    counts = boxes.size.prod(axis=1)
    owner = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = boxes.first[owner, 0] + place % boxes.size[owner, 0]
    rows = boxes.first[owner, 1] + place // boxes.size[owner, 0]
    a, b, c = corners[:, 0, :2], corners[:, 1, :2], corners[:, 2, :2]
    area = _cross(b - a, c - a)
    # Barycentric coordinates are linear in the pixel: slope times its offset from corner c.
    at_a = np.stack(((b - c)[:, 1], (c - b)[:, 0]), axis=1) / area[:, None]
    at_b = np.stack(((c - a)[:, 1], (a - c)[:, 0]), axis=1) / area[:, None]
    offset = np.stack((columns, rows), axis=1) + 0.5 - c[owner]
    weight_a = (at_a[owner] * offset).sum(axis=1)
    weight_b = (at_b[owner] * offset).sum(axis=1)
    inside = np.flatnonzero(
        # A centre on a common edge is of both triangles rather than of none.
        np.minimum(np.minimum(weight_a, weight_b), 1 - weight_a - weight_b) > -1e-9
    )
    owner, weight_a, weight_b = owner[inside], weight_a[inside], weight_b[inside]
    pixel = rows[inside] * width_px + columns[inside]
    inverse = corners[:, :, 2]
    depth = (
        weight_a * (inverse[:, 0] - inverse[:, 2])[owner]
        + weight_b * (inverse[:, 1] - inverse[:, 2])[owner]
        + inverse[owner, 2]
    )
    # Inverse depth is linear in the picture, so the largest is exactly the nearest.
    np.maximum.at(nearest.inverse_depth, pixel, depth)
    # Only after all of the chunk is known which one has won; it is found by the very number.
    is_nearest = depth == nearest.inverse_depth[pixel]
    nearest.triangle[pixel[is_nearest]] = boxes.triangles[owner[is_nearest]]
    two = np.stack((weight_a[is_nearest], weight_b[is_nearest]), axis=1)
    nearest.weights[pixel[is_nearest]] = two


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
