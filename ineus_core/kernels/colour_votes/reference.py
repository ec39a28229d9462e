# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Votes of earlier views whether points are where they are said to be, in plain numpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ineus_core.geometry import project
from ineus_core.types import Camera

LEAST_PARALLAX = float(np.cos(np.radians(8.0)))
"""From nearly the same place every plane looks alike."""
NEAREST_M = 0.2
COLOUR_DIFFERENCE = 0.1
"""Mean of the channels, 0 to 1, above which two pixels do not show the same place."""
IN_FRONT_M, BEHIND_M = 0.06, 0.15
"""A return so far before a point hides it; one so far behind says that it is not there."""


@dataclass(frozen=True)
class ColourViews:
    """Small pictures with depth, which may be of different cameras and sizes."""

    rgb: UInt8[np.ndarray, "views most_px 3"]
    """Row by row, with nothing between rows."""
    depth_m: Float[np.ndarray, "views most_px"]
    sizes_px: Int[np.ndarray, "views 2"]
    """Rows and columns."""
    reductions: Float[np.ndarray, " views"]
    """Pixels of the camera along the side of one of these."""
    cameras: tuple[Camera, ...]
    lenses: Float[np.ndarray, "views 17"]
    """`lens_of` the cameras."""
    is_tilted: Bool[np.ndarray, " views"]
    """Whether the sensor is, which `lens_of` leaves out."""
    world_from_camera: Float[np.ndarray, "views 4 4"]


@dataclass(frozen=True)
class PointsOfHoles:
    """Points that are asked about, with how they look from where they were found."""

    points: Float[np.ndarray, "n 3"]
    """World."""
    rgb: UInt8[np.ndarray, "n 3"]
    hole: Int[np.ndarray, " n"]
    """Number of the hole."""
    is_edge: Bool[np.ndarray, " n"]
    """Along its contour."""
    holes: int
    eye: Float[np.ndarray, " 3"]
    """Where they are viewed from, world."""


def lens_of(camera: Camera) -> tuple[Float[np.ndarray, " 17"], bool]:
    """Return fx, fy, cx, cy, 1 if equidistant, and 12 coefficients; whether that is not all."""
    lens = np.zeros(17)
    lens[:4] = camera.fx, camera.fy, camera.cx, camera.cy
    lens[4] = camera.distortion_model == "equidistant"
    coefficients = () if camera.distortion_model == "none" else camera.distortion
    lens[5 : 5 + len(coefficients[:12])] = coefficients[:12]
    return lens, any(coefficients[12:])


def colour_votes(views: ColourViews, points: PointsOfHoles) -> Int[np.ndarray, "holes 2 2"]:
    """Return what the door says."""
    votes = np.zeros((len(points.points), 2), dtype=np.int64)
    for view in range(len(views.cameras)):
        votes += _votes_of(views, view, points)
    return (
        np.stack(
            [
                [np.bincount(points.hole[of], votes[of, side], points.holes) for side in range(2)]
                for of in (np.ones_like(points.is_edge), points.is_edge)
            ]
        )
        .astype(np.int64)
        .transpose(2, 0, 1)
    )


def _votes_of(views: ColourViews, view: int, points: PointsOfHoles) -> Int[np.ndarray, "n 2"]:
    """Count for each point a vote for it or against it, or none if the view cannot see it."""
    votes = np.zeros((len(points.points), 2), dtype=np.int64)
    pose, (height, width) = views.world_from_camera[view], views.sizes_px[view]
    local = (points.points - pose[:3, 3]) @ pose[:3, :3]
    has_parallax = _has_parallax(points.points, points.eye, pose[:3, 3])
    ahead = np.flatnonzero((local[:, 2] > NEAREST_M) & has_parallax)
    pixels = project(views.cameras[view], local[ahead]) / views.reductions[view]
    # A pixel from the border, where colours are interpolated.
    inside = ((pixels >= 1) & (pixels < (width - 1, height - 1))).all(axis=1)
    visible, pixels = ahead[inside], pixels[inside]
    column, row = pixels.astype(np.int64).T
    rgb = views.rgb[view, : height * width].reshape(height, width, 3)
    measured_m = views.depth_m[view, row * width + column].astype(np.float64)
    depth_m = local[visible, 2]
    there, here = _between(rgb, pixels - 0.5), points.rgb[visible]
    alike = np.abs(there - here).mean(axis=1) < 255 * COLOUR_DIFFERENCE
    # A return far behind a point is against it whatever its colour is. One before it hides it, so
    # that the view says nothing.
    hidden = (measured_m > 0) & (measured_m < depth_m - IN_FRONT_M)
    absent = measured_m > depth_m + BEHIND_M
    votes[visible, 0] = alike & ~hidden & ~absent
    votes[visible, 1] = absent | (~alike & ~hidden)
    return votes


def _between(
    rgb: UInt8[np.ndarray, "h w 3"], places: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 3"]:
    """Interpolate colours at columns and rows, which count from the centre of the first pixel."""
    corner = np.floor(places).astype(np.int64)
    x, y = (places - corner).T[..., None]
    column, row = corner.T
    above = (1 - x) * rgb[row, column] + x * rgb[row, column + 1]
    below = (1 - x) * rgb[row + 1, column] + x * rgb[row + 1, column + 1]
    return (1 - y) * above + y * below


def _has_parallax(
    points: Float[np.ndarray, "n 3"], eye: Float[np.ndarray, " 3"], other: Float[np.ndarray, " 3"]
) -> Bool[np.ndarray, " n"]:
    """Decide whether points are viewed in directions that differ enough to tell their depth."""
    a, b = points - eye, points - other
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) < LEAST_PARALLAX * lengths
