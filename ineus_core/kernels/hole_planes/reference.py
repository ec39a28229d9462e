# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes through holes of a depth image, in plain numpy with OpenCV."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

LEAST_PX, LEAST_RIM_PX = 12, 24
RIM_PX = 2
BEND = 0.012
"""Deviation of the rim from a plane, as a share of the range, at which it weighs half."""
LEAST_SHARE_OF_RIM, LEAST_CLOSED = 0.9, 0.6
MOST_RIM, MOST_HOLES = 400, 24
"""Pixels of a rim, and holes of an image, the largest first: each costs time with a keyframe."""
ROUNDS = 6
NEAREST_M = 1e-3
"""Depth is divided by, and 0 means that there is no return."""
TINY = 1e-9
"""Keeps a rim along one line from being no equation at all."""
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class PlanarHoles:
    """Pixels without depth that planes go through, hole by hole."""

    planes: Float[np.ndarray, "holes 3"]
    """Inverse depth of a pixel with the ray (x, y, 1): its scalar product with this, 1/m."""
    hole: Int[np.ndarray, " pixels"]
    """Number of the hole, ascending."""
    rows: Int[np.ndarray, " pixels"]
    columns: Int[np.ndarray, " pixels"]
    is_edge: Bool[np.ndarray, " pixels"]
    """Along the contour."""

    def __len__(self) -> int:
        """Count the holes."""
        return len(self.planes)


def planar_holes(
    depth_m: Float[np.ndarray, "h w"],
    slopes: Float[np.ndarray, "h w 2"],
    usable: Bool[np.ndarray, "h w"] | None,
    limits_m: tuple[float, float],
) -> PlanarHoles:
    """Return what the door says."""
    label, numbers, boxes = labelled_holes(depth_m, usable)
    known = (depth_m >= max(limits_m[0], NEAREST_M)) & (depth_m <= limits_m[1])
    planes: list[Float[np.ndarray, " 3"]] = []
    pixels = [(np.zeros(0, np.int64),) * 3 + (np.zeros(0, bool),)]
    for number, (x, y, width, height) in zip(numbers, boxes, strict=True):
        low_x, low_y = max(x - RIM_PX, 0), max(y - RIM_PX, 0)
        part = np.s_[low_y : y + height + RIM_PX, low_x : x + width + RIM_PX]
        inside = label[part] == number
        rim = _grown(inside, RIM_PX) & known[part]
        if rim.sum() < LEAST_RIM_PX or not _is_enclosed(inside):
            continue
        some = evenly(int(rim.sum()), MOST_RIM)
        plane = _plane_of(depth_m[part][rim][some], slopes[part][rim][some])
        if plane is None or not _is_in_range(plane, slopes[part][inside], limits_m):
            continue
        rows, columns = np.nonzero(inside)
        edge = (inside & _grown(~inside, RIM_PX))[rows, columns]
        pixels.append((np.full(len(rows), len(planes)), rows + low_y, columns + low_x, edge))
        planes.append(plane)
    each = (np.concatenate(of) for of in zip(*pixels, strict=True))
    return PlanarHoles(np.array(planes).reshape(-1, 3), *each)


def labelled_holes(
    depth_m: Float[np.ndarray, "h w"], usable: Bool[np.ndarray, "h w"] | None
) -> tuple[Int[np.ndarray, "h w"], Int[np.ndarray, " n"], Int[np.ndarray, "n 4"]]:
    """Return the number of each pixel's hole, and of the largest the numbers and x, y and size."""
    hole = depth_m == 0 if usable is None else (depth_m == 0) & usable
    _, label, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=4)
    pixels = boxes[1:, cv2.CC_STAT_AREA]
    numbers = 1 + np.argsort(-pixels, kind="stable")[:MOST_HOLES]
    numbers = numbers[boxes[numbers, cv2.CC_STAT_AREA] >= LEAST_PX]
    return label, numbers, boxes[numbers, :4]


def evenly(count: int, most: int) -> Int[np.ndarray, " n"]:
    """Return so many numbers of a range at most, evenly from all of it."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def _grown(pixels: Bool[np.ndarray, "h w"], rounds: int) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(pixels.astype(np.uint8), _SQUARE, iterations=rounds) > 0


def _is_enclosed(inside: Bool[np.ndarray, "h w"]) -> bool:
    """Tell if most of the contour lies in the image: a plane beyond it would be invented."""
    around = (_grown(inside, 1) & ~inside).sum()
    padded = np.pad(inside, 1)
    return bool(around >= LEAST_CLOSED * (_grown(padded, 1) & ~padded).sum())


def _plane_of(
    depth_m: Float[np.ndarray, " n"], slopes: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " 3"] | None:
    """Fit the plane that nearly all of a rim lies on, by reweighted least squares."""
    rays = np.concatenate((slopes, np.ones((len(slopes), 1))), axis=1).astype(np.float64)
    inverse = 1.0 / depth_m.astype(np.float64)
    weight = bend = np.ones(len(rays))
    plane: Float[np.ndarray, " 3"] = np.zeros(3)
    for _ in range(ROUNDS):
        # Equations of inverse depth are linear in the plane, so a few rounds of weights find it.
        weighted = (rays * weight[:, None] ** 2).T
        plane = np.linalg.solve(weighted @ rays + TINY * np.eye(3), weighted @ inverse)
        # As a share of the range, with which noise grows.
        bend = np.abs(1.0 - (rays @ plane) * depth_m)
        weight = 1.0 / (1.0 + (bend / BEND) ** 2)
    return plane if np.mean(bend < 2 * BEND) >= LEAST_SHARE_OF_RIM else None


def _is_in_range(
    plane: Float[np.ndarray, " 3"],
    slopes: Float[np.ndarray, "n 2"],
    limits_m: tuple[float, float],
) -> bool:
    # Compared by products: where the plane goes behind the camera the inverse is 0 or below.
    inverse = slopes @ plane[:2] + plane[2]
    return bool(inverse.min() * limits_m[1] > 1.0 and inverse.max() * limits_m[0] < 1.0)
