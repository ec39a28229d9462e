# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes in plain regions that reach beyond the picture, by what all keyframes show of them.

A wall of one colour shows depth only where it meets a floor, a ceiling or a thing upon it. Of one
keyframe these edges tell roughly where its plane is; together with edges of the same colour that
other keyframes have shown on it they tell it well. What stands before a wall is no evidence
against it, but what lies behind it is, or what other keyframes show in its place.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ineus_core.geometry import project
from ineus_core.stereo.plain_regions import PlainPicture, PlainRegion, RegionPlane, plane_within
from ineus_core.stereo.region_edges import Surroundings, square, surroundings
from ineus_core.types import Camera, KeyframeId

_KEPT, _VIEWS = 192, 24
"""Keyframes whose edges are kept, and newest ones that are asked by their pictures."""
_EDGE_POINTS, _SHARED_POINTS = 96, 1500
"""Points that are kept of a region, and those of others of its colour that are asked."""
_LEAST_POINTS, _MOST_POINTS, _LEAST_SHARED = 20, 400, 150
"""Points of a region's own edges, and others on its plane."""
_TRIALS, _REFITS = 80, 3
_LEAST_DETERMINANT = 1e-3
"""Of the directions to three points, below which they lie nearly on a line."""
_OFF, _BEHIND = 0.012, 0.024
"""Shares of the inverse depth within which points lie on a plane, and above which behind it."""
_COST_BEHIND, _MOST_BEHIND = 4.0, 0.03
_DEEP_PX, _FEW_PX = 4, 50
"""So far from its edge sure depth within a region counts, and so much of it."""
_MOST_BEFORE = 0.5
"""Of sure depth within a region: before a plain wall most of it is wrong."""
_MEASURED, _MOST_MEASURED_BEHIND = 0.1, 0.1
"""Share of a region that is sure from which on it says what is behind, and how much may be."""
_ALIKE, _ALIKE_IN_KEYFRAME = 15.0, 3.0
"""So many points make the same mistake, and those of a keyframe count for so many at most."""
_LEAST_ERROR = 0.003
_MOST_OWN_ERROR, _MOST_ERROR = 0.03, 0.005
"""Of a plane by a keyframe's own edges, and by all, as shares of the inverse depth."""
_ENCLOSED = 0.8
"""Share of a region on the plane that its own depth encloses from which on no other is needed."""
_SAME_COLOUR = 12
"""Grey levels of each channel within which a colour is the same."""
_SAMPLES = 150
_HIDDEN, _THROUGH = 0.97, 1.03
"""Depth that another keyframe shows, as a share of a point's, below which it hides that, and
above which it is seen through it."""
_MOST_REFUTED = 0.05
"""Share of the places of a region where more is against a plane than for it."""
_LEAST_SAME, _LEAST_SAME_WITHIN, _LEAST_VOTES = 0.88, 0.7, 100
"""Share of the votes at its edge for a plane by all edges, and for one by depth within."""
_SAME_PLANE, _LEAST_TOLD = 0.7, 2
"""Share of a region where another plane is the same, and keyframes that have told of it."""
_TINY = 1e-12 * np.eye(3)


@dataclass(frozen=True)
class _Shown:
    """What a keyframe shows."""

    camera: Camera
    rgb: UInt8[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    """Sure, or of a plane; 0 where there is none."""


@dataclass
class _View:
    """What is kept of a keyframe."""

    keyframe: KeyframeId
    world_from_camera: Float[np.ndarray, "4 4"]
    edges: Float[np.ndarray, "n 3"]
    """Points along the edges of its regions, in the camera frame."""
    colours: Float[np.ndarray, "n 3"]
    """Of the regions."""
    planes: Float[np.ndarray, "n 3"]
    """Of its regions, as coefficients of inverse depth, also those that no other has told."""
    shown: _Shown | None
    """Of the newest ones."""


@dataclass
class _Points:
    """Points on edges, in the camera frame of the newest keyframe."""

    points: Float[np.ndarray, "n 3"]
    eyes: Float[np.ndarray, "n 3"]
    """From where each has been seen."""
    number: Int[np.ndarray, " n"]
    """Of the keyframe."""

    def off(self, planes: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k n"]:
        """Return by which share of its inverse depth each lies before planes; below 0: behind."""
        height = 1 - planes @ self.eyes.T
        # From behind a plane nothing is seen of it.
        is_before = height > 0.02
        return np.where(
            is_before, (1 - planes @ self.points.T) / np.where(is_before, height, 1), 9
        )

    def __getitem__(self, some: np.ndarray) -> "_Points":
        return _Points(self.points[some], self.eyes[some], self.number[some])


@dataclass(frozen=True)
class _Plane:
    """Inverse depth of a pixel with the ray (x, y, 1): its scalar product with this."""

    coefficients: Float[np.ndarray, " 3"]
    covariance: Float[np.ndarray, "3 3"]

    def error(self, rays: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Return the error of inverse depth as a share of it."""
        variance = ((rays @ self.covariance) * rays).sum(axis=1)
        return np.sqrt(variance) / np.maximum(rays @ self.coefficients, 1e-12)

    def on(self, region: PlainRegion, picture: PlainPicture) -> RegionPlane:
        """Return the part of a region where it is known well enough."""
        pixels = region.pixels > 0
        pixels[pixels] = self.error(picture.rays[pixels]) < _MOST_ERROR
        return RegionPlane(pixels, self.coefficients)


class PlainWalls:
    """Finds planes of plain regions by the edges that they and earlier ones have shown."""

    def __init__(self) -> None:
        """Know no edge."""
        self._views: deque[_View] = deque(maxlen=_KEPT)

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes corrected poses."""
        for view in self._views:
            view.world_from_camera = poses.get(view.keyframe, view.world_from_camera)

    def add(
        self,
        keyframe: KeyframeId,
        camera: Camera,
        world_from_camera: Float[np.ndarray, "4 4"],
        picture: PlainPicture,
    ) -> tuple[list[RegionPlane], list[RegionPlane]]:
        """Take a keyframe; return planes of its regions by its depth, and by all edges so far."""
        rng, q = np.random.default_rng(0), picture.q
        depth = np.where(q > 0, 1 / np.where(q > 0, q, 1), 0).astype(np.float32)
        around = surroundings(q, [region.pixels for region in picture.regions])
        edges, colours, told = [np.zeros((0, 3))], [np.zeros((0, 3))], [np.zeros((0, 3))]
        found: tuple[list[RegionPlane], list[RegionPlane]] = [], []
        for region in picture.regions:
            own = _own(around, region, picture, len(self._views), rng)
            some = own.points[rng.permutation(len(own.points))[:_EDGE_POINTS]]
            edges.append(some)
            colours.append(np.broadcast_to(region.colour, some.shape))
            within, shared = self._planes_of(region, own, world_from_camera, picture, rng)
            told += [plane.coefficients[None] for plane in (within, shared) if plane is not None]
            if shared is not None and not self._is_told(shared, picture, world_from_camera):
                shared = None
            for plane, known in zip((within, shared), found, strict=True):
                if plane is not None:
                    known.append(plane)
                    # What is seen through it later is known not to be there.
                    new = plane.pixels & (depth == 0)
                    depth[new] = 1 / (picture.rays[new] @ plane.coefficients)
        shown = _Shown(camera.resized(q.shape[1], q.shape[0]), picture.rgb, depth)
        points = np.concatenate(edges), np.concatenate(colours), np.concatenate(told)
        self._views.append(_View(keyframe, world_from_camera, *points, shown))
        if len(self._views) > _VIEWS:
            self._views[-1 - _VIEWS].shown = None
        return found

    def _planes_of(
        self, region: PlainRegion, own: _Points, world_from_camera: Float[np.ndarray, "4 4"],
        picture: PlainPicture, rng: np.random.Generator,
    ) -> tuple[RegionPlane | None, RegionPlane | None]:  # fmt: skip
        """Return a region's plane by the depth within it, and that by all edges if needed."""
        votes = partial(self._votes, region, picture, world_from_camera)
        within = plane_within(region, picture)
        if within is not None and _is_refuted(*votes(within.coefficients), _LEAST_SAME_WITHIN):
            within = None
        if within is not None and within.pixels.sum() >= _ENCLOSED * region.pixels.sum():
            return within, None
        shared = self._plane_of(region, own, world_from_camera, picture, rng)
        if shared is None or not _is_confirmed(*votes(shared.coefficients)):
            return within, None
        return within, shared.on(region, picture)

    def _is_told(
        self,
        plane: RegionPlane,
        picture: PlainPicture,
        world_from_camera: Float[np.ndarray, "4 4"],
    ) -> bool:
        """Tell whether enough earlier keyframes have told of the same plane."""
        if not plane.pixels.any():
            return False
        rays = picture.rays[plane.pixels][::97] @ world_from_camera[:3, :3].T
        q = picture.rays[plane.pixels][::97] @ plane.coefficients
        count = 0
        for view in self._views:
            eye = world_from_camera[:3, 3] - view.world_from_camera[:3, 3]
            normals = view.planes @ view.world_from_camera[:3, :3].T
            # Seen from behind, it is another one.
            theirs = rays @ normals.T / np.maximum(1 - normals @ eye, 1e-12)
            is_same = np.abs(theirs - q[:, None]) < _OFF * q[:, None]
            count += bool((is_same.mean(axis=0) > _SAME_PLANE).any())
        return count >= _LEAST_TOLD

    def _alike(
        self, colour: Float[np.ndarray, " 3"], world_from_camera: Float[np.ndarray, "4 4"],
        rng: np.random.Generator,
    ) -> _Points:  # fmt: skip
        """Return some of the points that lie on edges of such a colour."""
        colours = np.concatenate([view.colours for view in self._views])
        same = np.flatnonzero((np.abs(colours - colour) < _SAME_COLOUR).all(axis=1))
        if len(same) > _SHARED_POINTS:
            same = rng.choice(same, _SHARED_POINTS, replace=False)
        number = np.repeat(np.arange(len(self._views)), [len(v.edges) for v in self._views])[same]
        poses = np.stack([view.world_from_camera for view in self._views])[number]
        points = np.concatenate([view.edges for view in self._views])[same]
        eyes = poses[:, :3, 3] - world_from_camera[:3, 3]
        points = (poses[:, :3, :3] @ points[..., None])[..., 0] + eyes
        rotation = world_from_camera[:3, :3]
        return _Points(points @ rotation, eyes @ rotation, number)

    def _plane_of(
        self, region: PlainRegion, own: _Points, world_from_camera: Float[np.ndarray, "4 4"],
        picture: PlainPicture, rng: np.random.Generator,
    ) -> _Plane | None:  # fmt: skip
        """Return the plane that a region's own edges tell roughly, and those of others confirm."""
        if len(self._views) == 0 or len(own.points) < _LEAST_POINTS:
            return None
        start = _likeliest(own, rng)
        rough = None if start is None else _fitted(start, own)
        inside = picture.rays[region.pixels > 0][::97]
        if rough is None or np.median(rough.error(inside)) > _MOST_OWN_ERROR:
            return None
        same = self._alike(region.colour, world_from_camera, rng)
        both = _Points(
            np.concatenate((own.points, same.points)),
            np.concatenate((own.eyes, same.eyes)),
            np.concatenate((own.number, same.number)),
        )
        plane = _fitted(rough.coefficients, both)
        if plane is None or (inside @ plane.coefficients <= 0).any():
            return None
        off = own.off(plane.coefficients[None])[0]
        shared = np.abs(same.off(plane.coefficients[None])[0]) < _OFF
        if (off < -_BEHIND).mean() > _MOST_BEHIND or shared.sum() < _LEAST_SHARED:
            return None
        return plane if _agrees_within(plane, region, picture) else None

    def _votes(
        self, region: PlainRegion, picture: PlainPicture,
        world_from_camera: Float[np.ndarray, "4 4"], plane: Float[np.ndarray, " 3"],
    ) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:  # fmt: skip
        """Ask other keyframes what they show where the plane is, in places all over the region.

        Returns:
            For each place, how many show the same colour, another, and something behind; and
            whether it lies at the edge of the region.
        """
        inner = cv2.erode(region.pixels, square(1), borderValue=1)
        parts = [_evenly(np.flatnonzero(of), _SAMPLES) for of in (inner, region.pixels - inner)]
        on = picture.rays.reshape(-1, 3)[np.concatenate(parts)]
        points = on / np.maximum(on @ plane, 1e-12)[:, None]
        points = points @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
        votes = np.zeros((len(points), 3))
        for view in self._views:
            if view.shown is not None:
                local = points - view.world_from_camera[:3, 3]
                _vote(view.shown, local @ view.world_from_camera[:3, :3], region.colour, votes)
        return votes, np.repeat((False, True), [len(of) for of in parts])


def _is_refuted(
    votes: Float[np.ndarray, "n 3"], is_edge: Bool[np.ndarray, " n"], least_same: float
) -> bool:
    """Tell whether other keyframes see through a plane, or its edges in another place."""
    same, other, behind = votes.T
    for_it, against = same[is_edge].sum(), other[is_edge].sum()
    return bool((behind > 0).mean() > _MOST_REFUTED or for_it < least_same * (for_it + against))


def _is_confirmed(votes: Float[np.ndarray, "n 3"], is_edge: Bool[np.ndarray, " n"]) -> bool:
    """Tell whether enough other keyframes show the same region on a plane."""
    same, other, _ = votes.T
    is_asked = (same + other)[is_edge].sum() >= _LEAST_VOTES
    is_other = (other > same).mean() > _MOST_REFUTED
    return bool(is_asked and not is_other and not _is_refuted(votes, is_edge, _LEAST_SAME))


def _own(
    around: Surroundings, region: PlainRegion, picture: PlainPicture, number: int,
    rng: np.random.Generator,
) -> _Points:  # fmt: skip
    """Return points along the edge of a region of the newest keyframe."""
    at = around.at_edge_of(region.pixels)
    if len(at) > _MOST_POINTS:
        at = rng.choice(at, _MOST_POINTS, replace=False)
    points = picture.rays.reshape(-1, 3)[at] / around.q.ravel()[at, None]
    return _Points(points, np.zeros_like(points), np.full(len(at), number))


def _likeliest(own: _Points, rng: np.random.Generator) -> Float[np.ndarray, " 3"] | None:
    """Return the plane through three of the points that most lie on, and hardly any behind."""
    chosen = own.points[rng.integers(0, len(own.points), (_TRIALS, 3))]
    scaled = chosen / np.linalg.norm(chosen, axis=2, keepdims=True)
    chosen = chosen[np.abs(np.linalg.det(scaled)) > _LEAST_DETERMINANT]
    if len(chosen) == 0:
        return None
    planes = np.linalg.solve(chosen, np.ones((len(chosen), 3, 1)))[..., 0]
    off = own.off(planes)
    votes = (np.abs(off) < _OFF).sum(axis=1) - _COST_BEHIND * (off < -_BEHIND).sum(axis=1)
    return planes[np.argmax(votes)]


def _fitted(start: Float[np.ndarray, " 3"], points: _Points) -> _Plane | None:
    """Fit a plane to the points that lie on it."""
    plane = start
    for _ in range(_REFITS):
        is_on = np.abs(points.off(plane[None])[0]) < _OFF
        if is_on.sum() < _LEAST_POINTS:
            return None
        on = points[is_on]
        # Many points of a keyframe make the same mistake.
        count = np.bincount(on.number)[on.number]
        share = np.sqrt(np.minimum(1 / _ALIKE, _ALIKE_IN_KEYFRAME / count))
        share /= 1 - on.eyes @ plane
        rows = on.points * share[:, None]
        information = rows.T @ rows
        plane = np.linalg.solve(information + np.trace(information) * _TINY, rows.T @ share)
    off = on.off(plane[None])[0]
    variance = (off**2).mean() + _LEAST_ERROR**2
    return _Plane(plane, variance * np.linalg.inv(information + np.trace(information) * _TINY))


def _agrees_within(plane: _Plane, region: PlainRegion, picture: PlainPicture) -> bool:
    """Tell whether what is sure within the region does not contradict a plane."""
    deep = (cv2.erode(region.pixels, square(_DEEP_PX), borderValue=1) > 0) & (picture.q > 0)
    if deep.sum() <= _FEW_PX:
        return True
    off = 1 - picture.rays[deep] @ plane.coefficients / picture.q[deep]
    if (off > _BEHIND).mean() > _MOST_BEFORE:
        return False
    is_measured = deep.sum() > _MEASURED * region.pixels.sum()
    return not (is_measured and (off < -_BEHIND).mean() > _MOST_MEASURED_BEHIND)


def _vote(
    view: _Shown, local: Float[np.ndarray, "n 3"], colour: Float[np.ndarray, " 3"],
    votes: Float[np.ndarray, "n 3"],
) -> None:  # fmt: skip
    """Add for each point whether a view shows the colour there, another, or something behind.

    Args:
        local: The points, in the camera frame of the view.
    """
    height, width = view.depth.shape
    at = np.flatnonzero(local[:, 2] > 1e-6 * np.abs(local).max())
    if len(at) == 0:
        return
    pixels = project(view.camera, local[at])
    inside = ((pixels >= 1) & (pixels < (width - 1, height - 1))).all(axis=1)
    at, (column, row) = at[inside], pixels[inside].astype(np.int64).T
    ratio = view.depth[row, column] / local[at, 2]
    is_hidden = (ratio > 0) & (ratio < _HIDDEN)
    same = (np.abs(view.rgb[row, column] - colour) < _SAME_COLOUR).all(axis=1)
    votes[at, 0] += same & ~is_hidden
    votes[at, 1] += ~same & ~is_hidden
    votes[at, 2] += ratio > _THROUGH
    votes[at, 2] -= np.abs(ratio - 1) < 1 - _HIDDEN


def _evenly(of: np.ndarray, most: int) -> np.ndarray:
    return of[np.linspace(0, len(of) - 1, min(most, len(of))).astype(np.int64)]
