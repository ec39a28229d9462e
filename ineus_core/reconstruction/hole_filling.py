# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which estimates fill holes of a sensor: those away from returns, and planes from there on."""

import cv2
import numpy as np
from jaxtyping import Bool, Float

_TOLERANCE, _LEAST_TOLERANCE_M, _LEAST_RIGHT = 0.02, 0.02, 0.8
"""Where there is a return it tells how right the matches of a view are: those of a walk whose
poses were off by a seventh of the way were on 30 %, others on 95 % and more."""
_FEWEST_COMPARED = 64
_RIM_PX = 3
"""So near to a return a match is often that of the thing beside the hole: along the rim of a
screen before a wall 29 to 50 % were off by more than 2 cm, farther in 1 %."""
_REACH_PX = 4
_FEWEST = 12
"""Estimates around a pixel of the rim that tell its plane."""
_BENT = 0.002
"""Share of the depth by which they may miss that plane. With 0.004 more was filled, of which less
was right: beside a striped wall 41 and 72 % instead of 26 and 75 %."""
_WORST_CONDITION = 1e4


def fill_holes(
    measured_m: Float[np.ndarray, "H W"], estimated_m: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Return depth for the holes of a sensor's depth, 0 where nothing is sure.

    Nothing is, where what was estimated differs from what was measured.

    Args:
        measured_m: By the sensor, of any size; 0 where it returns nothing.
        estimated_m: Of the same view, where it is sure; else 0.
    """
    height_px, width_px = estimated_m.shape
    size = width_px, height_px
    returns = cv2.resize((measured_m > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    if not _agree(cv2.resize(measured_m, size, interpolation=cv2.INTER_NEAREST), estimated_m):
        return np.zeros_like(estimated_m)
    is_hole = returns == 0
    size_px = 2 * _RIM_PX + 1
    # Beyond the picture there are no returns.
    inner = cv2.erode(
        is_hole.astype(np.uint8), np.ones((size_px, size_px), np.uint8), borderValue=1
    )
    inside_m = np.where(inner > 0, estimated_m, np.float32(0))
    return np.where(inner > 0, inside_m, _planes_around(inside_m, is_hole & (inner == 0)))


def _agree(measured_m: Float[np.ndarray, "h w"], estimated_m: Float[np.ndarray, "h w"]) -> bool:
    """Tell whether most of what was estimated is what was measured there."""
    both = (measured_m > 0) & (estimated_m > 0)
    if both.sum() < _FEWEST_COMPARED:
        return False
    limit_m = np.maximum(_TOLERANCE * measured_m[both], _LEAST_TOLERANCE_M)
    right = np.abs(estimated_m[both] - measured_m[both]) < limit_m
    return bool(right.mean() >= _LEAST_RIGHT)


def _planes_around(
    depth_m: Float[np.ndarray, "h w"], wanted: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Go on with the plane that the depth around a wanted pixel lies on, where it does.

    The inverse depth of a plane is linear in the coordinates of the picture.
    """
    found_m = np.zeros_like(depth_m)
    size_px = 2 * _REACH_PX + 1
    known = (depth_m > 0).astype(np.float32)
    enough = cv2.boxFilter(known, -1, (size_px, size_px), normalize=False,
                           borderType=cv2.BORDER_CONSTANT) >= _FEWEST  # fmt: skip
    rows, columns = np.nonzero(wanted & enough)
    if len(rows) == 0:
        return found_m
    padded_m = np.pad(depth_m, _REACH_PX).astype(np.float64)
    down, right = np.mgrid[-_REACH_PX : _REACH_PX + 1, -_REACH_PX : _REACH_PX + 1].reshape(2, -1)
    around_m = padded_m[rows[:, None] + down + _REACH_PX, columns[:, None] + right + _REACH_PX]
    is_known = around_m > 0
    inverse = np.where(is_known, 1 / np.where(is_known, around_m, 1), 0)
    terms = np.stack((right, down, np.ones_like(right)), axis=-1) * is_known[..., None]
    normal = terms.transpose(0, 2, 1) @ terms
    is_good = np.linalg.cond(normal) < _WORST_CONDITION
    rows, columns, terms, inverse = (a[is_good] for a in (rows, columns, terms, inverse))
    moments = (terms * inverse[..., None]).sum(axis=1)
    plane = np.linalg.solve(normal[is_good], moments[..., None])[..., 0]
    off = ((terms @ plane[..., None])[..., 0] - inverse) ** 2
    missed = np.sqrt(off.sum(axis=1) / terms[..., 2].sum(axis=1))
    lies_on = (plane[:, 2] > 0) & (missed < _BENT * plane[:, 2])
    found_m[rows[lies_on], columns[lies_on]] = 1 / plane[lies_on, 2]
    return found_m
