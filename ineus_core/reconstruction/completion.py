# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of what a sensor never returns: planes through holes of its images, if colours agree."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.geometry import cached_pixel_rays
from ineus_core.kernels.colour_votes import PointsOfHoles, colour_votes
from ineus_core.kernels.hole_planes import PlanarHoles, planar_holes
from ineus_core.keyframes import DepthConfig
from ineus_core.reconstruction.reference_views import (
    ReferenceViews,
    reduced,
    reduced_rgb,
    reduction_of,
)
from ineus_core.types import Camera, Frame, KeyframeId

_POINTS, _LEAST_VOTES = 200, 100
_LEAST_AGREEMENT = 0.9


class CompletionConfig(ConfigModel):
    """What is asked before a hole of the depth is closed."""

    renamed: ClassVar = {"witnesses": "reference_views"}

    reference_views: int = Field(
        32,
        ge=0,
        description="Last keyframes that are asked by colour whether a hole of the depth is the "
        "plane around it, as of a glossy front, before it is closed; 0 = holes stay.",
    )


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
        self._limits_m = limits.min_m, limits.max_m
        self._views = ReferenceViews(config.reference_views)
        self._counts: Counter[str] = Counter()

    def completed(self, frame: Frame) -> Frame:
        """Return a keyframe with the holes closed that the ones before it agree about."""
        if frame.depth_m is None:
            return frame
        self._counts["depth_pixels_measured"] += int(np.count_nonzero(frame.depth_m > 0))
        if self._views.most == 0:
            return frame
        k = reduction_of(frame.camera)
        rgb, depth_m = reduced_rgb(frame, k), reduced(frame.depth_m, k)
        usable = None if frame.mask is None else reduced(frame.mask, k)
        slopes = _reduced_slopes(frame.camera, k)
        holes = planar_holes(depth_m, slopes, usable, self._limits_m)
        is_closed = self._agreed(frame, rgb, holes, slopes)
        # After it was asked about, so that none is its own reference; and with the depth as it was
        # given, so that no plane that was filled in vouches for the next.
        self._views.remember(frame, rgb, depth_m, k)
        if not is_closed.any():
            return frame
        filled_m, filled_px = _filled(frame, frame.depth_m, holes, is_closed, k)
        self._counts["keyframes_completed"] += 1
        self._counts["depth_pixels_filled"] += filled_px
        return replace(frame, depth_m=filled_m)

    def take_counts(self) -> Counter[str]:
        """Return what was counted since the last time."""
        counts, self._counts = self._counts, Counter()
        return counts

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Correct the poses of keyframes, if they are remembered."""
        self._views.move(poses)

    def _agreed(
        self,
        frame: Frame,
        rgb: UInt8[np.ndarray, "h w 3"],
        holes: PlanarHoles,
        slopes: Float[np.ndarray, "h w 2"],
    ) -> Bool[np.ndarray, " holes"]:
        """Tell which holes look alike from elsewhere, along the contour as well as within.

        What is all of one colour and stands out a little differs only along its contour.
        """
        if not len(holes):
            return np.zeros(0, bool)
        some = _evenly_of_each(np.bincount(holes.hole, minlength=len(holes)), _POINTS)
        rows, columns, hole = holes.rows[some], holes.columns[some], holes.hole[some]
        pose = frame.world_from_camera
        points = _on_planes(slopes[rows, columns], holes.planes[hole]) @ pose[:3, :3].T
        points += pose[:3, 3]
        asked = PointsOfHoles(
            points, rgb[rows, columns], hole, holes.is_edge[some], len(holes), pose[:3, 3]
        )
        votes = colour_votes(self._views.held(), asked)
        total = votes.sum(axis=2)
        # A hole that hardly any view sees from elsewhere stays open: silence is no agreement.
        is_enough = total[:, 0] >= _LEAST_VOTES
        return is_enough & (votes[:, :, 0] >= _LEAST_AGREEMENT * total).all(axis=1)


def _evenly_of_each(counts: Int[np.ndarray, " groups"], most: int) -> Int[np.ndarray, " n"]:
    """Return at most so many of each of the groups that follow each other, evenly from all."""
    kept = np.minimum(counts, most)
    ends = np.cumsum(kept)
    within = np.arange(ends[-1]) - np.repeat(ends - kept, kept)
    step = (counts - 1) / np.maximum(kept - 1, 1)
    chosen = (within * np.repeat(step, kept)).astype(np.int64)
    # Exactly the last one, which a product may miss.
    chosen[ends - 1] = counts - 1
    return chosen + np.repeat(np.cumsum(counts) - counts, kept)


def _on_planes(
    slopes: Float[np.ndarray, "n 2"], planes: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Return points of planes, each on a ray, in the camera frame."""
    rays = np.ones((len(slopes), 3))
    rays[:, :2] = slopes
    rays /= np.einsum("ij,ij->i", rays, planes)[:, None]
    return rays


# Writeable, as kernels take no others.
@lru_cache(maxsize=16)
def _reduced_slopes(camera: Camera, k: int) -> Float[np.ndarray, "h w 2"]:
    """Return x and y at z = 1 of the rays of the pixels that `reduced` keeps of an image."""
    height, width = camera.height_px // k, camera.width_px // k
    rays = cached_pixel_rays(camera, k, k // 2)[:height, :width]
    return np.ascontiguousarray(rays[..., :2] / rays[..., 2:])


def _filled(
    frame: Frame,
    depth_m: Float[np.ndarray, "h w"],
    holes: PlanarHoles,
    is_closed: Bool[np.ndarray, " holes"],
    k: int,
) -> tuple[Float[np.ndarray, "h w"], int]:
    """Return the depth of a frame with planes through holes, and how many pixels these filled."""
    kept = is_closed[holes.hole]
    # The frame is still the caller's.
    depth_m = depth_m.copy()
    width_px = depth_m.shape[1]
    within = (np.arange(k)[:, None] * width_px + np.arange(k)).reshape(-1)
    first = k * (holes.rows[kept] * width_px + holes.columns[kept])
    pixels = (first[:, None] + within).reshape(-1)
    flat = depth_m.reshape(-1)
    # A hole of the reduced image may hold returns in the full one, which stay.
    empty = flat[pixels] == 0
    if frame.mask is not None:
        empty &= frame.mask.reshape(-1)[pixels]
    pixels = pixels[empty]
    planes = np.repeat(holes.planes[holes.hole[kept]], k * k, axis=0)[empty]
    # Kept rays, as a lens would else be undone for each keyframe.
    rays = cached_pixel_rays(frame.camera, 1).reshape(-1, 3)[pixels]
    # Along the axis.
    through_m = rays[:, 2] / np.einsum("ij,ij->i", rays, planes)
    flat[pixels] = through_m
    return depth_m, int(np.count_nonzero(through_m > 0))
