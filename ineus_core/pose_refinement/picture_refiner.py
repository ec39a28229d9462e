# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of keyframes without depth, refined together in a window by what their pictures share."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import interpolate_rigid
from ineus_core.kernels.bundle_adjustment import off_by, triangulated
from ineus_core.motions import between
from ineus_core.pose_refinement.bundle import Sightings, adjusted, believed
from ineus_core.pose_refinement.config import PoseRefinementConfig
from ineus_core.pose_refinement.features import FeatureView, continue_tracks, view_of
from ineus_core.timing import Patience
from ineus_core.types import Frame, KeyframeId

_WINDOW = 12
_HELD = 2
"""Oldest keyframes of a full window that stay: they were refined in the windows before."""
_FEWEST_SIGHTINGS = 60
_BETTER = 1.5
"""Given poses stay unless points lie so many times closer to where they are seen without them."""
_WORTH = 1e-4
"""Turn in rad, or shift by the depth, below which a keyframe stays where it is."""
_RIGHT, _RESTS = 8, 24
"""Keyframes in a row whose given poses are right, and those after them that are not looked at."""


class PictureRefiner:
    """Holds the points of the newest keyframes, and the poses at which they meet.

    Args:
        config: What may be done.
    """

    def __init__(self, config: PoseRefinementConfig) -> None:
        """Hold no keyframe."""
        self._config = config
        self._views: list[FeatureView] = []
        self._told: dict[KeyframeId, Float[np.ndarray, "4 4"]] = {}
        self._next_track = 0
        self._counts: Counter[str] = Counter()
        self._patience = Patience(_RIGHT, _RESTS)

    def add(self, frame: Frame) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        """Take a keyframe; return the new poses of all that move, it among them.

        Where given poses turn out right again and again, most keyframes are not looked at.
        """
        if not self._patience.goes_on():
            return {}
        view = view_of(frame)
        self._next_track = continue_tracks(view, self._views, self._next_track)
        self._views.append(view)
        self._told[view.id] = view.given
        # What has left the window stays as it was last told.
        for gone in self._views[:-_WINDOW]:
            del self._told[gone.id]
        del self._views[:-_WINDOW]
        rests = self._refine()
        moves = self._moves()
        if rests:
            self._views.clear()
            self._told.clear()
        return moves

    def take_counts(self) -> Counter[str]:
        """Return what has happened since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Take poses from outside as the given ones."""
        for view in self._views:
            if view.id in poses:
                view.given = view.pose = self._told[view.id] = poses[view.id]

    def _refine(self) -> bool:
        """Refine the window; True if given poses were right for so long that this rests now."""
        given = np.stack([view.given for view in self._views])
        poses = np.stack([view.pose for view in self._views])
        sightings = believed(Sightings.of(self._views), poses)
        # Two views meet at points whatever their scale is.
        if len(self._views) < 3 or len(sightings) < _FEWEST_SIGHTINGS:
            return False
        is_free = np.ones(len(self._views), dtype=bool)
        if len(self._views) == _WINDOW:
            # Without any pose that holds, the window would wander off from what was told before.
            is_free[:_HELD] = False
        before = _usual_error(sightings, given, triangulated(sightings, given))
        refined, points = adjusted(sightings, given, poses, is_free, spread=max(before, 1e-5))
        after = _usual_error(sightings, refined, points)
        are_right = before < _BETTER * after
        if are_right:
            refined = np.where(is_free[:, None, None], given, poses)
        for view, pose in zip(self._views, refined, strict=True):
            view.pose = pose
        return self._patience.tell(was_in_vain=are_right)

    def _moves(self) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        moves = {}
        for view in self._views:
            told = self._told[view.id]
            motion = between(told[None], view.pose[None])[0]
            shifted_m, turned = np.linalg.norm(motion[:3]), np.linalg.norm(motion[3:])
            if max(shifted_m, turned) < _WORTH:
                continue
            share = min(
                1.0,
                self._config.max_jump_m / max(float(shifted_m), 1e-9),
                self._config.max_jump_deg / max(float(np.degrees(turned)), 1e-9),
            )
            self._told[view.id] = interpolate_rigid(told, view.pose, share)
            moves[view.id] = self._told[view.id]
        if moves:
            self._counts["poses_refined"] += len(moves)
        return moves


def _usual_error(
    sightings: Sightings,
    poses: Float[np.ndarray, "views 4 4"],
    points: Float[np.ndarray, "points 3"],
) -> float:
    """Return how far from where they are seen points usually lie, on the plane z = 1."""
    off, _, ahead = off_by(sightings, poses, points)
    return float(np.median(np.linalg.norm(off[ahead], axis=1))) if ahead.any() else 0.0
