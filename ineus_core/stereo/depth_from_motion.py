# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion: keyframes in, their depth out, at once from the past and later for good."""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ineus_core.geometry import cached_pixel_rays
from ineus_core.kernels.host_copy import write_to
from ineus_core.stereo.check import check, normals_of
from ineus_core.stereo.config import StereoConfig
from ineus_core.stereo.neighbours import (
    LEAST_WORTH,
    angle_deg,
    pick_partners,
    pick_sources,
    seen_points,
    worth,
)
from ineus_core.stereo.plain_fringes import without_fringes
from ineus_core.stereo.plain_regions import PlainPicture, depth_on_planes
from ineus_core.stereo.plain_walls import PlainWalls
from ineus_core.stereo.sensor_depth import measured_by_sensor
from ineus_core.stereo.sweep import sweep
from ineus_core.stereo.view import FLATTEST_Z, StereoView
from ineus_core.types import Camera, Frame, KeyframeId

_WIDTH_PX = {"cpu": 320, "cuda": 640}
_CHECKED_WITH = 8
"""Views that a depth is checked with at most."""
_GOOD_WORTH, _GOOD_LATER = 0.3, 2
"""A view has its best sources when so many later ones are worth so much."""
_FEWEST_PARTNERS = 2
"""Two views that were matched with nothing but each other agree on their mistakes as well."""
_LATER = 2
"""Later views with depth of their own that a view is checked with at least."""
_MOST_LATER = 5
"""Later views that are awaited at most, and as many again before the check."""
_NEARER = 3.0
"""Nearest surface that is looked for, as a share of the nearest inverse depth that is known."""
_FIRST_PARALLAX = 0.4
"""Where nothing is known: the largest baseline as a share of the depth of the nearest surface."""
_FIRST_ANGLE_DEG = 25.0
_FEWEST_POINTS = 24
_CHANCE_OF_PLANES = 0.9
"""That a plane in a plain region is right within 2 %: measured 95 to 99 % in rooms and houses."""


@dataclass(frozen=True)
class StereoDepth:
    """Depth of a keyframe, on the device; arrays on the host where they are asked for."""

    keyframe: KeyframeId
    camera: Camera
    """Of the depth, which may be smaller than the picture was."""
    world_from_camera: Float[np.ndarray, "4 4"]
    depth_on_device: Float[Tensor, "h w"]
    confidence_on_device: Float[Tensor, "h w"]
    normal_on_device: Float[Tensor, "h w 3"]
    is_final: bool
    """Whether later keyframes have had their say."""

    @functools.cached_property
    def depth_m(self) -> Float[np.ndarray, "h w"]:
        """Along the optical axis, in the unit of the poses; 0 where there is none."""
        return self.depth_on_device.cpu().numpy()

    @functools.cached_property
    def confidence(self) -> Float[np.ndarray, "h w"]:
        """Chance that the depth is right within 2 %."""
        return self.confidence_on_device.cpu().numpy()

    @functools.cached_property
    def normal(self) -> Float[np.ndarray, "h w 3"]:
        """World, towards the camera; 0 where it is unknown."""
        return self.normal_on_device.cpu().numpy()

    def fetch(self) -> None:
        """Copy depth and confidence to the host, where another thread may read them then."""
        _ = self.depth_m, self.confidence

    def with_plain_regions(
        self, rgb: UInt8[np.ndarray, "H W 3"], min_confidence: float, walls: PlainWalls
    ) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Return depth and confidence, with planes where plain regions are known to lie on them.

        What else is found in plain regions gets no confidence.

        Args:
            rgb: The picture, of any size.
            min_confidence: Depth is sure from here on.
            walls: What earlier keyframes have shown of plain regions; takes this one.
        """
        rays = cached_pixel_rays(self.camera, 1)
        plane_xy = rays[..., :2] / np.maximum(rays[..., 2:], FLATTEST_Z)
        is_sure = (self.depth_m > 0) & (self.confidence >= min_confidence)
        picture = PlainPicture.of(rgb, self.depth_m, is_sure, plane_xy)
        found = walls.add(self.keyframe, self.camera, self.world_from_camera, picture)
        within, shared = (depth_on_planes(planes, plane_xy) for planes in found)
        found_m, is_fringe = without_fringes(rgb, self.depth_m, is_sure, within, shared)
        is_plane = (found_m > 0) & (self.confidence < _CHANCE_OF_PLANES)
        confidence = np.where(is_fringe, 0, self.confidence)
        return (
            np.where(is_plane, found_m, self.depth_m),
            np.where(is_plane, np.float32(_CHANCE_OF_PLANES), confidence),
        )


class DepthFromMotion:
    """Holds the newest keyframes, and measures depth as soon as others show the same surface.

    Args:
        config: How.
        device: Where pictures are compared.
        points_m: On surfaces, where some are known, such as those of structure from motion.
        in_order: Keyframes come as a camera moves; else all are awaited, as the last one may show
            what the first one does.
    """

    def __init__(
        self,
        config: StereoConfig,
        device: torch.device,
        points_m: Float[np.ndarray, "n 3"] | None = None,
        in_order: bool = True,
    ) -> None:
        """Hold no keyframe yet."""
        self._in_order = in_order
        self._config, self._device = config, device
        self._points_m = np.zeros((0, 3)) if points_m is None else points_m
        self._max_width_px = config.max_width_px or _WIDTH_PX[device.type]
        self._views: list[StereoView] = []
        self._news: Iterator[list[StereoDepth]] = iter(())
        self._is_behind = False
        """Whether keyframes come faster than what they tell of others is asked for."""

    def add(self, keyframe: Frame) -> list[StereoDepth]:
        """Take a keyframe; return the depth of those for which there is any news."""
        found = self.begin(keyframe)
        while (more := self.go_on()) is not None:
            found += more
        return found

    def begin(self, keyframe: Frame) -> list[StereoDepth]:
        """Take a keyframe; return its first depth. What it tells of others comes by `go_on`.

        It has no first depth as long as `go_on` has not come to its end since the one before.
        """
        is_behind = self._is_behind
        view = StereoView(keyframe, self._max_width_px, self._device)
        self._hold(view)
        if not self._in_order:
            return []
        found: list[StereoDepth | None] = []
        # From the past alone; a better depth follows when later ones have come.
        if self._config.provisional and not is_behind and self._measure(view):
            # The first ones had nothing to be matched with when they came.
            for other in self._views:
                if other.measured is None:
                    self._measure(other)
            found.append(self._depth_of(view))
        return [depth for depth in found if depth is not None]

    def show(self, keyframe: Frame) -> None:
        """Take a keyframe whose depth a sensor has measured, for others to be matched with.

        What it tells of them comes by `go_on`; of itself nothing is estimated.

        Args:
            keyframe: Its depth is believed wherever it is above 0.
        """
        view = StereoView(keyframe, self._max_width_px, self._device)
        if keyframe.depth_m is not None:
            view.measured = measured_by_sensor(view, keyframe.depth_m)
        view.is_settled = view.is_done = True
        self._hold(view)

    def _hold(self, view: StereoView) -> None:
        self._views.append(view)
        del self._views[: -self._config.views]
        if self._in_order:
            self._news = self._told_of_others(self._is_behind)
            self._is_behind = True

    @property
    def held(self) -> set[KeyframeId]:
        """The keyframes of which anything can be told still."""
        return {view.id for view in self._views}

    def go_on(self) -> list[StereoDepth] | None:
        """Measure or check one of the others; return its depth, None if there is nothing to do."""
        told = next(self._news, None)
        self._is_behind &= told is not None
        return told

    def _told_of_others(self, is_behind: bool) -> Iterator[list[StereoDepth]]:
        """Measure views whose best sources are there, and check those whose partners are."""
        if is_behind:
            # Else what has been measured would never be checked while keyframes come fast, as
            # each of them begins this anew.
            yield from self._checked()
        for number, view in enumerate(self._views):
            if not view.is_settled and self._has_its_sources(number):
                self._settle(view)
                yield []
        yield from self._checked()

    def _checked(self) -> Iterator[list[StereoDepth]]:
        """Check views whose partners are there."""
        for number, view in enumerate(self._views):
            if not view.is_done and self._has_its_partners(number):
                view.is_done = True
                depth = self._depth_of(view, is_final=True)
                yield [] if depth is None else [depth]

    def finish(self) -> list[StereoDepth]:
        """Return the depth of all others, as no keyframe will come."""
        for view in self._views:
            if not view.is_settled:
                self._settle(view)
        left = [view for view in self._views if not view.is_done]
        for view in left:
            view.is_done = True
        found = [self._depth_of(view, is_final=True) for view in left]
        return [depth for depth in found if depth is not None]

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes that are held corrected poses."""
        for view in self._views:
            view.world_from_camera = poses.get(view.id, view.world_from_camera)

    def _settle(self, view: StereoView) -> None:
        """Measure a view whose best sources are there."""
        self._measure(view)
        view.is_settled = True

    def _has_its_sources(self, number: int) -> bool:
        """Tell whether no later view will be a better source."""
        view, later = self._views[number], self._views[number + 1 :]
        if not later or len(later) >= _MOST_LATER:
            return bool(later)
        points = self._points_of(view)
        good = (worth(view, other, points) > _GOOD_WORTH for other in later)
        # Not all are asked where the first ones are enough.
        if sum(itertools.islice(filter(None, good), _GOOD_LATER)) == _GOOD_LATER:
            return True
        return len(points) > 0 and self._is_out_of_sight(view, later[-1], points)

    def _is_out_of_sight(
        self, view: StereoView, newest: StereoView, points: Float[np.ndarray, "n 3"]
    ) -> bool:
        """Tell whether the newest view is no source although it stands far enough away."""
        depth = 1 / np.median(seen_points(view, points)[1])
        moved = float(np.linalg.norm(newest.position_m - view.position_m))
        return worth(view, newest, points) < LEAST_WORTH and moved > 0.05 * depth

    def _has_its_partners(self, number: int) -> bool:
        """Tell whether a view's depth can be checked from both sides, or never will be."""
        view, later = self._views[number], self._views[number + 1 :]
        measured = sum(other.measured is not None for other in later)
        return view.is_settled and (measured >= _LATER or len(later) >= 2 * _MOST_LATER)

    def _measure(self, view: StereoView) -> bool:
        """Measure a view by all that are held; False if none of them shows its depth."""
        others = [other for other in self._views if other is not view]
        points = self._points_of(view)
        if len(points) < _FEWEST_POINTS:
            points = self._first_points_of(view, others)
        if len(points) < _FEWEST_POINTS:
            return False
        sources = pick_sources(view, others, points, self._config.sources)
        if not sources:
            return False
        # Nearer than what is known: a new thing may stand before it.
        nearest = _NEARER * float(np.percentile(seen_points(view, points)[1], 95))
        view.measured = sweep(view, sources, nearest, self._config)
        return True

    def _points_of(self, view: StereoView) -> Float[np.ndarray, "n 3"]:
        """Points on surfaces that a view sees, by its own depth, that of others, or known ones."""
        known = [view.sample_m, self._points_m]
        if len(known[0]) < _FEWEST_POINTS:
            known += [other.sample_m for other in self._views if other is not view]
        return seen_points(view, np.concatenate(known))[0]

    def _first_points_of(
        self, view: StereoView, others: Sequence[StereoView]
    ) -> Float[np.ndarray, "n 3"]:
        """Points by a sweep of the smallest picture over all depths, where none are known."""
        alike = [other for other in others if angle_deg(view, other) < _FIRST_ANGLE_DEG]
        baselines = [float(np.linalg.norm(o.position_m - view.position_m)) for o in alike]
        # The longest baselines first, as they tell depth best.
        order = np.argsort(baselines)[::-1][: self._config.sources]
        # From one place nothing has a parallax.
        if len(order) == 0 or baselines[order[0]] == 0:
            return np.zeros((0, 3))
        nearest = _FIRST_PARALLAX / baselines[order[0]]
        rough = sweep(view, [alike[i] for i in order], nearest, self._config, levels=1)
        world = rough.sample_m @ view.world_from_camera[:3, :3].T + view.position_m
        return seen_points(view, world)[0]

    def _partners_of(self, view: StereoView) -> list[StereoView]:
        others = [
            other for other in self._views if other is not view and other.measured is not None
        ]
        return pick_partners(view, others, self._points_of(view), _CHECKED_WITH)

    def _depth_of(self, view: StereoView, is_final: bool = False) -> StereoDepth | None:
        if view.measured is None:
            return None
        partners = self._partners_of(view)
        if len(partners) < max(_FEWEST_PARTNERS, self._config.min_agreeing):
            return None
        checked = check(view, partners, self._config)
        rotation = torch.empty(3, 3, device=self._device)
        write_to(rotation, view.world_from_camera[:3, :3].astype(np.float32))
        # Into the world, where the views of a map are compared.
        normal = normals_of(checked.depth, view.levels[0].plane_xy) @ rotation.T
        return StereoDepth(
            view.id,
            view.camera,
            view.world_from_camera,
            checked.depth,
            checked.confidence,
            normal,
            is_final,
        )
