# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of what a sensor never returns: planes through holes of its images, if colours agree."""

from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.geometry import cached_pixel_rays, project, rays_through
from ineus_core.keyframes import DepthConfig
from ineus_core.types import Camera, Frame, KeyframeId

_WIDTH_PX = 160
"""Holes are looked for in images of about this width; smaller ones the field closes by itself."""
_LEAST_PX, _LEAST_RIM_PX = 12, 24
_RIM_PX = 2
_BEND = 0.012
"""Deviation of the rim from a plane, as a share of the range, at which it weighs half."""
_LEAST_SHARE_OF_RIM, _LEAST_CLOSED = 0.9, 0.6
_MOST_RIM, _MOST_HOLES = 400, 24
"""Pixels of a rim, and holes of an image, the largest first: each costs time with a keyframe."""
_POINTS, _LEAST_VOTES = 200, 100
_LEAST_PARALLAX = np.cos(np.radians(8.0))
_COLOUR_DIFFERENCE = 0.1
"""Mean of the channels, 0 to 1, above which two pixels do not show the same place."""
_LEAST_AGREEMENT = 0.9
_IN_FRONT_M, _BEHIND_M = 0.06, 0.15
"""A return so far before a point hides it; one so far behind says that it is not there."""
_TINY = 1e-9 * np.eye(3)
"""Keeps a rim along one line from being no equation at all."""
_CROSS = np.ones((3, 3), np.uint8)


class CompletionConfig(ConfigModel):
    """What is asked before a hole of the depth is closed."""

    renamed: ClassVar = {"witnesses": "reference_views"}

    reference_views: int = Field(
        32,
        ge=0,
        description="Last keyframes that are asked by colour whether a hole of the depth is the "
        "plane around it, as of a glossy front, before it is closed; 0 = holes stay.",
    )


@dataclass
class _ReferenceView:
    """What is remembered of a keyframe, reduced."""

    keyframe: KeyframeId
    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    rgb: Float[np.ndarray, "h w 3"]
    """0 to 1."""
    depth_m: Float[np.ndarray, "h w"]
    reduction: int

    @classmethod
    def of(cls, frame: Frame, depth_m: Float[np.ndarray, "h w"]) -> "_ReferenceView":
        k = reduction_of(frame.camera)
        size = frame.camera.width_px // k, frame.camera.height_px // k
        # The mean of k x k pixels, of which the depth is that in the middle.
        rgb = frame.rgb[: k * size[1], : k * size[0]]
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        keyframe, pose = (frame.stamp_ns, frame.camera_id), frame.world_from_camera
        return cls(keyframe, frame.camera, pose, rgb, reduced(depth_m, k), k)


def reduction_of(camera: Camera) -> int:
    """Return the pixels of a camera along the side of one in which holes are looked for."""
    return max(1, round(camera.width_px / _WIDTH_PX))


def reduced(image: np.ndarray, k: int) -> np.ndarray:
    """Return the pixels in the middle of squares of k."""
    height, width = image.shape[0] // k, image.shape[1] // k
    return image[k // 2 :: k, k // 2 :: k][:height, :width]


@dataclass(frozen=True)
class Hole:
    """Pixels without depth that a plane goes through."""

    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " n"]
    """In the reduced image."""
    plane: Float[np.ndarray, " 3"]
    """Inverse depth of a pixel with the ray (x, y, 1): its scalar product with this, 1/m."""
    edge: Bool[np.ndarray, " n"]
    """Pixels along the contour."""

    def some(self) -> "Hole":
        """Return a few of the pixels, evenly from all of it."""
        some = _evenly(len(self.rows), _POINTS)
        return Hole(self.rows[some], self.columns[some], self.plane, self.edge[some])


class DepthCompletion:
    """Closes holes of keyframes as they come.

    A sensor that returns nothing from a surface does so from everywhere, so only colours can tell
    whether the plane that the surroundings suggest is there: then it looks alike from other
    places. What stands before a wall does not.

    Args:
        config: How many keyframes are asked.
        limits: The depth that is believed.
    """

    def __init__(self, config: CompletionConfig, limits: DepthConfig) -> None:
        """Remember no keyframe."""
        self._limits = limits
        self._reference_views: deque[_ReferenceView] = deque(maxlen=config.reference_views)

    def completed(self, frame: Frame) -> Frame:
        """Return a keyframe with the holes closed that the ones before it agree about."""
        if frame.depth_m is None or self._reference_views.maxlen == 0:
            return frame
        keyframe = _ReferenceView.of(frame, frame.depth_m)
        usable = None if frame.mask is None else reduced(frame.mask, keyframe.reduction)
        slopes = _slopes(_reduced_rays(frame.camera, keyframe.depth_m.shape))
        holes = planar_holes(keyframe.depth_m, slopes, usable, self._limits)
        agreed = self._agreed(keyframe, holes, slopes) if holes else []
        # After it was asked about, so that none is its own reference; and with the depth as it was
        # given, so that no plane that was filled in vouches for the next.
        self._remember(keyframe)
        if not agreed:
            return frame
        return replace(frame, depth_m=_filled(frame, frame.depth_m, agreed))

    def _remember(self, keyframe: _ReferenceView) -> None:
        """Keep a keyframe as a reference view; one whose depth has become better once."""
        known = [view.keyframe for view in self._reference_views]
        if keyframe.keyframe in known:
            self._reference_views[known.index(keyframe.keyframe)] = keyframe
        else:
            self._reference_views.append(keyframe)

    def move(self, keyframe: KeyframeId, world_from_camera: Float[np.ndarray, "4 4"]) -> None:
        """Correct the pose of a keyframe, if it is remembered."""
        for view in self._reference_views:
            if view.keyframe == keyframe:
                view.world_from_camera = world_from_camera

    def _agreed(
        self, keyframe: _ReferenceView, holes: list[Hole], slopes: Float[np.ndarray, "h w 2"]
    ) -> list[Hole]:
        """Keep holes that look alike from elsewhere, along the contour as well as within.

        What is all of one colour and stands out a little differs only along its contour.
        """
        # All holes at once: each reference view then projects once for a keyframe, not once for a
        # hole.
        some = [hole.some() for hole in holes]
        number = np.repeat(np.arange(len(holes)), [len(hole.rows) for hole in some])
        rows = np.concatenate([hole.rows for hole in some])
        columns = np.concatenate([hole.columns for hole in some])
        edge = np.concatenate([hole.edge for hole in some])
        pose, planes = keyframe.world_from_camera, np.stack([hole.plane for hole in holes])
        points = _on_planes(slopes[rows, columns], planes[number]) @ pose[:3, :3].T + pose[:3, 3]
        votes = np.zeros((len(rows), 2), dtype=np.int64)
        for view in self._reference_views:
            votes += _votes(view, points, keyframe.rgb[rows, columns], pose[:3, 3])

        def count(of: Bool[np.ndarray, " n"], side: int) -> Float[np.ndarray, " holes"]:
            return np.bincount(number[of], votes[of, side], len(holes))

        everywhere = np.ones_like(edge)
        # A hole that hardly any view sees from elsewhere stays open: silence is no agreement.
        is_enough = count(everywhere, 0) + count(everywhere, 1) >= _LEAST_VOTES
        for part in (everywhere, edge):
            alike, other = count(part, 0), count(part, 1)
            is_enough &= alike >= _LEAST_AGREEMENT * (alike + other)
        return [hole for hole, agreed in zip(holes, is_enough, strict=True) if agreed]


def planar_holes(
    depth_m: Float[np.ndarray, "h w"],
    slopes: Float[np.ndarray, "h w 2"],
    usable: Bool[np.ndarray, "h w"] | None,
    limits: DepthConfig,
) -> list[Hole]:
    """Find holes whose whole rim lies on one plane.

    The inverse depth of a plane is linear in the slopes of a ray. At the edge of an object, where
    a structured-light sensor sees nothing either, the rim has two depths.

    Args:
        slopes: x and y of the rays at z = 1.
        usable: False where a pixel shows nothing of the scene.
        limits: The depth that is believed.
    """
    hole = depth_m == 0 if usable is None else (depth_m == 0) & usable
    # At least 1 mm, as it is divided by, and 0 means that there is no return.
    known = (depth_m >= max(limits.min_m, 1e-3)) & (depth_m <= limits.max_m)
    _, label, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=4)
    found = []
    by_size = np.argsort(-boxes[1:, cv2.CC_STAT_AREA], kind="stable") + 1
    for index in by_size[:_MOST_HOLES]:
        x, y, width, height, pixels = boxes[index]
        if pixels < _LEAST_PX:
            # By size: all that follow are smaller.
            break
        low_x, low_y = max(x - _RIM_PX, 0), max(y - _RIM_PX, 0)
        part = np.s_[low_y : y + height + _RIM_PX, low_x : x + width + _RIM_PX]
        inside = label[part] == index
        rim = _grown(inside, _RIM_PX) & known[part]
        if rim.sum() < _LEAST_RIM_PX or not _is_enclosed(inside):
            continue
        some = _evenly(int(rim.sum()), _MOST_RIM)
        plane = _plane_of(depth_m[part][rim][some], slopes[part][rim][some])
        rows, columns = np.nonzero(inside)
        if plane is None or not _is_in_range(plane, slopes[part][inside], limits):
            continue
        edge = (inside & _grown(~inside, _RIM_PX))[rows, columns]
        found.append(Hole(rows + low_y, columns + low_x, plane, edge))
    return found


def _evenly(count: int, most: int) -> Int[np.ndarray, " n"]:
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def _grown(pixels: Bool[np.ndarray, "h w"], rounds: int) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(pixels.astype(np.uint8), _CROSS, iterations=rounds) > 0


def _is_enclosed(inside: Bool[np.ndarray, "h w"]) -> bool:
    """Tell if most of the contour lies in the image: a plane beyond it would be invented."""
    around = (_grown(inside, 1) & ~inside).sum()
    padded = np.pad(inside, 1)
    return bool(around >= _LEAST_CLOSED * (_grown(padded, 1) & ~padded).sum())


def _plane_of(
    depth_m: Float[np.ndarray, " n"], slopes: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " 3"] | None:
    """Fit the plane that nearly all of a rim lies on, by reweighted least squares."""
    rays = np.concatenate((slopes, np.ones((len(slopes), 1))), axis=1).astype(np.float64)
    inverse = 1.0 / depth_m.astype(np.float64)
    weight = bend = np.ones(len(rays))
    plane: Float[np.ndarray, " 3"] = np.zeros(3)
    for _ in range(6):
        # Equations of inverse depth are linear in the plane, so a few rounds of weights find it.
        weighted = (rays * weight[:, None] ** 2).T
        plane = np.linalg.solve(weighted @ rays + _TINY, weighted @ inverse)
        # As a share of the range, with which noise grows.
        bend = np.abs(1.0 - (rays @ plane) * depth_m)
        weight = 1.0 / (1.0 + (bend / _BEND) ** 2)
    return plane if np.mean(bend < 2 * _BEND) >= _LEAST_SHARE_OF_RIM else None


def _is_in_range(
    plane: Float[np.ndarray, " 3"],
    slopes: Float[np.ndarray, "n 2"],
    limits: DepthConfig,
) -> bool:
    # Compared by products: where the plane goes behind the camera the inverse is 0 or below.
    inverse = slopes @ plane[:2] + plane[2]
    return bool(inverse.min() * limits.max_m > 1.0 and inverse.max() * limits.min_m < 1.0)


def _on_planes(
    slopes: Float[np.ndarray, "n 2"], planes: Float[np.ndarray, "#n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Return points of planes, each on a ray, in the camera frame."""
    rays = np.concatenate((slopes, np.ones((len(slopes), 1))), axis=1).astype(np.float64)
    return rays / (rays * planes).sum(axis=1, keepdims=True)


def _votes(
    view: _ReferenceView,
    points: Float[np.ndarray, "n 3"],
    rgb: Float[np.ndarray, "n 3"],
    eye: Float[np.ndarray, " 3"],
) -> Int[np.ndarray, "n 2"]:
    """Count for each point a vote for it or against it, or none if the view cannot see it.

    Args:
        points: World.
        rgb: Their colours, as viewed from `eye`.
    """
    votes = np.zeros((len(points), 2), dtype=np.int64)
    pose, camera, k = view.world_from_camera, view.camera, view.reduction
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    # From nearly the same place every plane looks alike.
    ahead = np.flatnonzero((local[:, 2] > 0.2) & _has_parallax(points, eye, pose[:3, 3]))
    if not len(ahead):
        return votes
    pixels = project(camera, local[ahead]) / k
    height, width = view.depth_m.shape
    # A pixel from the border, where colours are interpolated.
    inside = ((pixels >= 1) & (pixels < (width - 1, height - 1))).all(axis=1)
    visible, pixels = ahead[inside], pixels[inside]
    if not len(visible):
        return votes
    column, row = pixels.astype(np.int64).T
    measured_m, depth_m = view.depth_m[row, column], local[visible, 2]
    # OpenCV counts from the centre of the first pixel.
    x, y = (pixels - 0.5).astype(np.float32).T
    there = cv2.remap(view.rgb, x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0]
    alike = np.abs(there - rgb[visible]).mean(axis=1) < _COLOUR_DIFFERENCE
    # A return far behind a point is against it whatever its colour is. One before it hides it, so
    # that the view says nothing.
    hidden = (measured_m > 0) & (measured_m < depth_m - _IN_FRONT_M)
    absent = measured_m > depth_m + _BEHIND_M
    votes[visible, 0] = alike & ~hidden & ~absent
    votes[visible, 1] = absent | (~alike & ~hidden)
    return votes


def _has_parallax(
    points: Float[np.ndarray, "n 3"], eye: Float[np.ndarray, " 3"], other: Float[np.ndarray, " 3"]
) -> Bool[np.ndarray, " n"]:
    """Decide whether points are viewed in directions that differ enough to tell their depth."""
    a, b = points - eye, points - other
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) < _LEAST_PARALLAX * lengths


def _reduced_rays(camera: Camera, size: tuple[int, ...]) -> Float[np.ndarray, "h w 3"]:
    """Return the rays of the pixels that `reduced` keeps of an image."""
    k = reduction_of(camera)
    return cached_pixel_rays(camera, k, k // 2)[: size[0], : size[1]]


def _slopes(rays: Float[np.ndarray, "*pixels 3"]) -> Float[np.ndarray, "*pixels 2"]:
    return rays[..., :2] / rays[..., 2:]


def _filled(
    frame: Frame, depth_m: Float[np.ndarray, "h w"], holes: list[Hole]
) -> Float[np.ndarray, "h w"]:
    """Return the depth of a frame with planes through holes."""
    k = reduction_of(frame.camera)
    # The frame is still the caller's.
    depth_m = depth_m.copy()
    for hole in holes:
        rows, columns = (
            (k * of[:, None, None] + shift).repeat(k, axis=axis).reshape(-1)
            for of, shift, axis in (
                (hole.rows, np.arange(k)[:, None], 2),
                (hole.columns, np.arange(k)[None], 1),
            )
        )
        # A hole of the reduced image may hold returns in the full one, which stay.
        empty = depth_m[rows, columns] == 0
        if frame.mask is not None:
            empty &= frame.mask[rows, columns]
        rows, columns = rows[empty], columns[empty]
        rays = rays_through(frame.camera, np.stack((columns, rows), axis=1) + 0.5)
        depth_m[rows, columns] = _on_planes(_slopes(rays), hole.plane[None])[:, 2]
    return depth_m
