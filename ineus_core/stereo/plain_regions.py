# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes in plain regions of a picture, which cannot be matched, by the sure depth within them.

Along the border of a region and around marks in it depth is found. Where nearly all of that lies
on one plane, and hardly any behind it, the region is taken to lie on it between them: beyond them,
or where things stand before it, anything may be there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ineus_core.stereo.region_edges import square

WIDTH_PX = 320
"""Regions are looked for in pictures of about this width."""
_MOST_SLOPE = 1.0
"""Of grey levels, by pixel, within a plain region."""
_LEAST_PX, _MOST_REGIONS = 500, 6
"""Pixels of a region, as smaller ones lie within the windows of what is around them, and regions
of a picture, the largest first: each costs time."""
_UNEVEN, _COLOUR_REFITS, _COLOUR_STRIDE = 5.0, 3, 7
"""Grey levels by which a colour may be off an even change over its region; rounds and pixels by
which that is found."""
_RIM_PX = 2
_LEAST_SURE, _MOST_SURE = 200, 2000
"""Pixels with sure depth that a plane needs, and that are asked."""
_TRIALS = 100
_REFITS = 3
_OFF, _BEHIND = 0.012, 0.024
"""Shares of the inverse depth within which pixels lie on a plane, and above which behind it."""
_LEAST_SHARE, _MOST_BEHIND = 0.6, 0.05
"""Of the sure pixels: on the plane, and behind it."""
_COST_BEHIND = 1.5
_LEAST_DETERMINANT = 1e-3
"""Of three rays (x, y, 1), below which they lie nearly in a plane."""
_ALIKE_PX = 25.0
"""So many pixels that lie together make the same mistake."""
_LEAST_ERROR, _MOST_ERROR = 0.003, 0.005
"""Error of a sure pixel at least, and of the plane at most, as shares of the inverse depth."""
_TINY = 1e-9 * np.eye(3)


@dataclass(frozen=True)
class PlainRegion:
    """A connected part of a picture that has one colour."""

    pixels: UInt8[np.ndarray, "h w"]
    """1 within it."""
    colour: Float[np.ndarray, " 3"]
    """Median, of 255."""


@dataclass(frozen=True)
class RegionPlane:
    """A plane, and the pixels of a region that lie on it."""

    pixels: Bool[np.ndarray, "h w"]
    coefficients: Float[np.ndarray, " 3"]
    """Inverse depth of a pixel with the ray (x, y, 1): its scalar product with this."""


@dataclass(frozen=True)
class PlainPicture:
    """A picture of about 320 pixels of width with its plain regions and its sure depth."""

    rgb: UInt8[np.ndarray, "h w 3"]
    q: Float[np.ndarray, "h w"]
    """Inverse depth along the optical axis; 0 where it is not sure."""
    rays: Float[np.ndarray, "h w 3"]
    """(x, y, 1)."""
    regions: list[PlainRegion]

    @classmethod
    def of(
        cls,
        rgb: UInt8[np.ndarray, "H W 3"],
        depth: Float[np.ndarray, "h w"],
        is_sure: Bool[np.ndarray, "h w"],
        plane_xy: Float[np.ndarray, "h w 2"],
    ) -> "PlainPicture":
        """Find the plain regions of a picture.

        Args:
            rgb: The picture, of any size.
            depth: Along the optical axis, where it is sure, in any unit.
            is_sure: Where it is.
            plane_xy: Where the rays of the pixels meet the plane z = 1.
        """
        k = max(1, round(depth.shape[1] / WIDTH_PX))
        some = slice(k // 2, None, k), slice(k // 2, None, k)
        rays = np.pad(plane_xy[some], ((0, 0), (0, 0), (0, 1)), constant_values=1.0)
        q = np.where(is_sure[some], 1 / np.where(is_sure[some], depth[some], 1.0), 0.0)
        small = cv2.resize(rgb, q.shape[::-1], interpolation=cv2.INTER_AREA)
        return cls(small, q, rays, list(_plain_regions(small)))


def plane_within(region: PlainRegion, picture: PlainPicture) -> RegionPlane | None:
    """Return the plane of a plain region, as far as sure depth within it reaches around it."""
    rng, rays = np.random.default_rng(0), picture.rays
    rim = cv2.dilate(region.pixels, square(_RIM_PX)) > 0
    at = np.flatnonzero(rim & (picture.q > 0))
    if len(at) > _MOST_SURE:
        at = rng.choice(at, _MOST_SURE, replace=False)
    plane = _plane_through(rays.reshape(-1, 3)[at], picture.q.ravel()[at], rng)
    if plane is None:
        return None
    coefficients, covariance, is_on = plane
    part = _between(at[is_on], region.pixels)
    expected = rays[part] @ coefficients
    variance = ((rays[part] @ covariance) * rays[part]).sum(axis=1)
    part[part] = (expected > 0) & (variance < (_MOST_ERROR * expected) ** 2)
    return RegionPlane(part, coefficients)


def depth_on_planes(
    planes: Sequence[RegionPlane], plane_xy: Float[np.ndarray, "h w 2"]
) -> Float[np.ndarray, "h w"]:
    """Return depth along the optical axis on planes, of which the last counts; 0 elsewhere.

    Args:
        plane_xy: Where the rays of the pixels, of any number, meet the plane z = 1.
    """
    height, width = plane_xy.shape[:2]
    found = np.zeros((height, width), np.float32)
    for plane in planes:
        part = plane.pixels.astype(np.uint8)
        whole = cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        q = plane_xy[whole] @ plane.coefficients[:2] + plane.coefficients[2]
        found[whole] = np.where(q > 0, 1 / np.where(q > 0, q, 1.0), 0.0)
    return found


def _plain_regions(rgb: UInt8[np.ndarray, "h w 3"]) -> Iterator[PlainRegion]:
    """Yield the largest connected regions of one colour."""
    for region in even_regions(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)):
        for part in _largest(_of_one_colour(region, rgb), 1):
            yield PlainRegion(part, np.median(rgb[part > 0][::_COLOUR_STRIDE], axis=0))


def even_regions(grey: Float[np.ndarray, "h w"]) -> Iterator[UInt8[np.ndarray, "h w"]]:
    """Yield the largest connected regions of a picture that change evenly, as 1 within each."""
    grey = cv2.GaussianBlur(grey, (3, 3), 0)
    # A Sobel operator sums eight times the slope.
    x, y = (cv2.Sobel(grey, -1, *along, scale=1 / 8) for along in ((1, 0), (0, 1)))
    plain = cv2.erode((np.hypot(x, y) < _MOST_SLOPE).astype(np.uint8), square(1))
    yield from _largest(plain, _MOST_REGIONS)


def _largest(pixels: UInt8[np.ndarray, "h w"], most: int) -> Iterator[UInt8[np.ndarray, "h w"]]:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(pixels, connectivity=4)
    areas = statistics[:, cv2.CC_STAT_AREA]
    # The first is what is not set.
    for label in 1 + np.argsort(-areas[1:])[:most]:
        if areas[label] >= _LEAST_PX:
            yield (labels == label).astype(np.uint8)


def _of_one_colour(
    region: UInt8[np.ndarray, "h w"], rgb: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w"]:
    """Return the part of a region whose colour changes evenly: another wall has another one."""
    at = np.nonzero(region)
    rows = np.stack((*at, np.full(len(at[0]), 100)), axis=1).astype(np.float32) / 100
    colour = rgb[at].astype(np.float32)
    some, colours = rows[::_COLOUR_STRIDE], colour[::_COLOUR_STRIDE]
    is_even = (np.abs(colours - np.median(colours, axis=0)) < 3 * _UNEVEN).all(axis=1)
    for _ in range(_COLOUR_REFITS):
        even = some[is_even]
        normal = even.T @ even + 1e-6 * np.eye(3, dtype=np.float32)
        change = np.linalg.solve(normal, even.T @ colours[is_even])
        is_even = (np.abs(colours - some @ change) < _UNEVEN).all(axis=1)
    is_even = (np.abs(colour - rows @ change) < _UNEVEN).all(axis=1)
    part = np.zeros_like(region)
    part[at] = is_even
    return part


def _plane_through(
    rays: Float[np.ndarray, "n 3"], q: Float[np.ndarray, " n"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "3 3"], Bool[np.ndarray, " n"]] | None:
    """Fit inverse depth, linear over a plane, by random sampling (Fischler and Bolles, 1981).

    Returns:
        Coefficients of x, y and 1, their covariance, and which pixels lie on the plane; None if
        too few do, or too many behind it.
    """
    if len(q) < _LEAST_SURE:
        return None
    chosen = rng.integers(0, len(q), (_TRIALS, 3))
    chosen = chosen[np.abs(np.linalg.det(rays[chosen])) > _LEAST_DETERMINANT]
    if len(chosen) == 0:
        return None
    planes = np.linalg.solve(rays[chosen], q[chosen][..., None])[..., 0]
    off = 1 - planes @ rays.T / q
    votes = (np.abs(off) < _OFF).sum(axis=1) - _COST_BEHIND * (off < -_BEHIND).sum(axis=1)
    is_on = np.abs(off[np.argmax(votes)]) < _OFF
    for _ in range(_REFITS):
        normal = rays[is_on].T @ rays[is_on] + _TINY
        coefficients = np.linalg.solve(normal, rays[is_on].T @ q[is_on])
        off = 1 - rays @ coefficients / q
        is_on = np.abs(off) < _OFF
        if is_on.sum() < _LEAST_SURE:
            return None
    if is_on.mean() < _LEAST_SHARE or (off < -_BEHIND).mean() > _MOST_BEHIND:
        return None
    variance = ((off * q)[is_on] ** 2).mean() + (_LEAST_ERROR * q[is_on].mean()) ** 2
    return coefficients, variance * np.linalg.inv(normal / _ALIKE_PX + _TINY), is_on


def _between(at: np.ndarray, region: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels of a region that lie in the convex hull of some of the picture."""
    rows, columns = np.divmod(at, region.shape[1])
    hull = cv2.convexHull(np.stack((columns, rows), axis=1).astype(np.int32))
    within = np.zeros_like(region)
    cv2.fillConvexPoly(within, hull, (1,))
    return (within & region) > 0
