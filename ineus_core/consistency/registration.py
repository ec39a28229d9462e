# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether depth lies on the colour image: colour changes where depth jumps, if it does."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from ineus_core.consistency.views import WIDTH_PX, View

FOCAL_FACTORS = (0.8, 0.85, 0.88, 0.9, 0.92, 0.95, 0.975, 1.0, 1.025, 1.05, 1.08, 1.1, 1.15, 1.2)
SIDEWAYS_M = tuple(round(0.01 * step, 3) for step in range(-8, 9))
_LEAST_EDGES = 800
# So far aside that no edge of the same jump lies there.
_SHIFTS = tuple((dx, dy) for dx in (-60, -50, -40, 40, 50, 60) for dy in (-12, 0, 12))
_MOST_EDGES = 4000
_JUMP = 0.06


@dataclass(frozen=True)
class Registration:
    """How depth fits colour, and how it would fit best."""

    score: float
    """Colour gradient at jumps of depth, over that elsewhere."""
    best_score: float
    focal_factor: float
    """Of the depth camera's picture against colour's, at the best."""
    sideways_m: float
    """By which the edges lie to the right at a metre, at the best."""


def registration(views: list[View], depth_factor: float = 1.0) -> Registration | None:
    """Compare edges of colour and depth; None if there are too few."""
    edges = [_edges(view) for view in views]
    used = [(v, e) for v, e in zip(views, edges, strict=True) if len(e) >= _least(v)]
    if len(used) < max(3, len(views) // 4):
        return None
    # Of all views together: one alone may have a stripe beside an edge.
    tables = np.stack([_table(view, points, depth_factor) for view, points in used])
    mean = tables.mean(axis=0)
    best = np.unravel_index(int(mean.argmax()), mean.shape)
    here = FOCAL_FACTORS.index(1.0), SIDEWAYS_M.index(0.0)
    return Registration(
        float(mean[here]), float(mean[best]), FOCAL_FACTORS[best[0]], SIDEWAYS_M[best[1]]
    )


def _least(view: View) -> float:
    return _LEAST_EDGES * view.width_px / WIDTH_PX


def _edges(view: View) -> Float[np.ndarray, "n 3"]:
    """Return column, row and depth of the near side of jumps."""
    if view.depth is None:
        return np.zeros((0, 3))
    depth = view.depth
    kernel = np.ones((3, 3), np.uint8)
    farthest = cv2.dilate(depth, kernel)
    is_near = (depth > 0) & (farthest > (1 + _JUMP) * depth)
    rows, columns = np.nonzero(is_near)
    found = np.stack((columns + 0.5, rows + 0.5, depth[rows, columns]), axis=1).astype(np.float64)
    return found[:: max(1, len(found) // _MOST_EDGES)]


def _table(
    view: View, points: Float[np.ndarray, "n 3"], depth_factor: float
) -> Float[np.ndarray, "focal sideways"]:
    """Return the score for every focal length and offset."""
    gradient = _gradient(view)
    scale = view.width_px / WIDTH_PX
    elsewhere = [
        _mean_at(gradient, points[:, 0] + dx * scale, points[:, 1] + dy * scale)
        for dx, dy in _SHIFTS
    ]
    # By what is usual in the picture: a busy one has strong gradients anywhere.
    usual = max(float(np.mean(elsewhere)), 1e-6)
    fx, _, cx, cy = view.intrinsics
    shift_px = fx / (depth_factor * points[:, 2])
    scores = [
        _mean_at(
            gradient,
            cx + factor * (points[:, 0] - cx) + offset_m * shift_px,
            cy + factor * (points[:, 1] - cy),
        )
        for factor, offset_m in itertools.product(FOCAL_FACTORS, SIDEWAYS_M)
    ]
    return np.array(scores).reshape(len(FOCAL_FACTORS), len(SIDEWAYS_M)) / usual


def _gradient(view: View) -> Float[np.ndarray, "h w"]:
    soft = cv2.GaussianBlur(view.grey, (0, 0), 1.0).astype(np.float32)
    dx = cv2.Sobel(soft, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    # Strong edges of a picture would outvote all others.
    return np.minimum(cv2.magnitude(dx, dy), 120)


def _mean_at(
    picture: Float[np.ndarray, "h w"], columns: Float[np.ndarray, " n"], rows: np.ndarray
) -> float:
    height, width = picture.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if inside.sum() < 0.3 * len(columns):
        return 0.0
    return float(picture[rows[inside].astype(int), columns[inside].astype(int)].mean())
