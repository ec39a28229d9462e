# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How well two views agree under a motion between them: by depth, or by epipolar lines."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from ineus_core.consistency.pairs import Pair
from ineus_core.consistency.views import WIDTH_PX, View

_TOLERANCE = 0.02
_WIDE_TOLERANCE = 0.04
_LEAST_PROJECTED = 0.4
"""Share of the samples that should meet the other view; what is missing of it disagrees."""

Transforms = Float[np.ndarray, "k 4 4"]


class Agreement(NamedTuple):
    """Agreement of depth, one number a hypothesis."""

    share: Float[np.ndarray, " k"]
    """Of the projected depth that is within 2 % of the other view's."""
    closeness: Float[np.ndarray, " k"]
    """Mean of 1 - error / 4 %, at least 0: finer than the share."""


def rays(view: View, pixels: Float[np.ndarray, "n 2"], focal_factor: float) -> np.ndarray:
    """Return points of pixels at depth 1."""
    fx, fy, cx, cy = view.intrinsics
    x = (pixels[:, 0] - cx) / (fx * focal_factor)
    y = (pixels[:, 1] - cy) / (fy * focal_factor)
    return np.stack((x, y, np.ones_like(x)), axis=1)


def depth_agreement(
    pair: Pair,
    b_from_a: Transforms,
    depth_factors: Float[np.ndarray, " k"],
    focal_factor: float = 1.0,
    every: int = 1,
) -> Agreement:
    """Return the agreement in both directions, the mean of the two.

    Args:
        b_from_a: A motion for each hypothesis.
        depth_factors: What each hypothesis multiplies depth by.
        every: Take every n-th sample.
    """
    a_from_b = np.linalg.inv(b_from_a)
    there = _one_way(pair.a, pair.b, b_from_a, depth_factors, focal_factor, every)
    back = _one_way(pair.b, pair.a, a_from_b, depth_factors, focal_factor, every)
    return Agreement(*((x + y) / 2 for x, y in zip(there, back, strict=True)))


def _one_way(
    a: View,
    b: View,
    b_from_a: Transforms,
    factors: Float[np.ndarray, " k"],
    focal_factor: float,
    every: int,
) -> Agreement:
    assert b.depth is not None
    samples = a.samples[::every]
    count = len(b_from_a)
    if len(samples) == 0:
        return Agreement(np.zeros(count), np.zeros(count))
    points = rays(a, samples[:, :2], focal_factor) * samples[:, 2:]
    # Scaled depth is a scaled translation; what is compared is relative.
    moved = points @ np.swapaxes(b_from_a[:, :3, :3], 1, 2)
    moved += (b_from_a[:, :3, 3] / factors[:, None])[:, None]
    fx, fy, cx, cy = b.intrinsics
    # All are divided by it, also what lies behind and is left out below.
    z = np.maximum(moved[..., 2], 1e-9)
    columns = moved[..., 0] / z * (fx * focal_factor) + cx
    rows = moved[..., 1] / z * (fy * focal_factor) + cy
    height, width = b.grey.shape
    inside = (moved[..., 2] > 1e-6) & (columns >= 0) & (columns < width)
    inside &= (rows >= 0) & (rows < height)
    columns = np.where(inside, columns, 0).astype(int)
    rows = np.where(inside, rows, 0).astype(int)
    there = b.depth[rows, columns]
    meets = inside & (there > 0)
    error = np.abs(there - z) / np.maximum(there, 1e-9)
    # Poses that turn views away from each other must not agree by meeting nowhere.
    expected = np.maximum(meets.sum(axis=1), _LEAST_PROJECTED * len(samples))
    close = np.where(meets, 1 - np.minimum(error / _WIDE_TOLERANCE, 1), 0)
    share = (meets & (error < _TOLERANCE)).sum(axis=1) / expected
    return Agreement(share, close.sum(axis=1) / expected)


def sampson_px(pair: Pair, b_from_a: Transforms, focal_factor: float = 1.0) -> np.ndarray:
    """Return the median Sampson distance of the matches for each motion, at a width of 640 px."""
    x_a, x_b = rays(pair.a, pair.pixels_a, focal_factor), rays(pair.b, pair.pixels_b, focal_factor)
    essential = _cross(b_from_a[:, :3, 3]) @ b_from_a[:, :3, :3]
    lines_b = x_a @ np.swapaxes(essential, 1, 2)
    lines_a = x_b @ essential
    algebraic = (x_b * lines_b).sum(axis=-1)
    gradient = (lines_b[..., :2] ** 2).sum(axis=-1) + (lines_a[..., :2] ** 2).sum(axis=-1)
    distance = np.abs(algebraic) / np.sqrt(np.maximum(gradient, 1e-30))
    # Points behind a camera may lie on the line, too.
    focal_px = pair.a.intrinsics[0] * focal_factor
    scale = focal_px * WIDTH_PX / pair.a.width_px
    no_motion = np.linalg.norm(b_from_a[:, :3, 3], axis=1) < 1e-9
    # Without a baseline every point lies on its line.
    return np.where(no_motion, np.inf, np.median(distance, axis=1) * scale)


def _cross(vectors: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k 3 3"]:
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack((zero, -z, y, z, zero, -x, -y, x, zero), axis=1).reshape(-1, 3, 3)


def motion_by_pictures(
    pair: Pair, depth_factor: float = 1.0, focal_factor: float = 1.0
) -> np.ndarray | None:
    """Return `b_from_a` by depth of a and matches alone, without any given pose."""
    if pair.a.depth is None or len(pair.pixels_a) == 0:
        return None
    depth = pair.a.depth_at(pair.pixels_a)
    known = depth > 0
    if known.sum() < 12:
        return None
    points = (rays(pair.a, pair.pixels_a, focal_factor) * (depth_factor * depth)[:, None])[known]
    fx, fy, cx, cy = pair.b.intrinsics
    matrix = np.array([[fx * focal_factor, 0, cx], [0, fy * focal_factor, cy], [0, 0, 1.0]])
    try:
        found, turn, shift, _ = cv2.solvePnPRansac(
            points,
            pair.pixels_b[known],
            matrix,
            None,
            reprojectionError=2.0 * max(1.0, pair.a.width_px / WIDTH_PX),
            iterationsCount=100,
            flags=cv2.SOLVEPNP_EPNP,
        )
    except cv2.error:
        return None
    if not found:
        return None
    transform = np.eye(4)
    transform[:3, :3] = cv2.Rodrigues(turn)[0]
    transform[:3, 3] = shift[:, 0]
    return transform


def reprojection(
    pair: Pair, b_from_a: np.ndarray, depth_factor: float = 1.0, focal_factor: float = 1.0
) -> Float[np.ndarray, " n"]:
    """Return errors of matches with depth as shares of the focal length."""
    if pair.a.depth is None or len(pair.pixels_a) == 0:
        return np.zeros(0)
    depth = pair.a.depth_at(pair.pixels_a)
    points = rays(pair.a, pair.pixels_a, focal_factor) * (depth_factor * depth)[:, None]
    points = points[depth > 0]
    moved = points @ b_from_a[:3, :3].T + b_from_a[:3, 3]
    there = rays(pair.b, pair.pixels_b, focal_factor)[depth > 0]
    z = np.maximum(moved[:, 2:], 1e-3)
    return np.linalg.norm(moved[:, :2] / z - there[:, :2], axis=1)
