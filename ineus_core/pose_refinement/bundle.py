# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of some keyframes and the points that they see, so that each point is where it is seen."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.kernels.bundle_adjustment import (
    PointSightings,
    median_depth,
    off_by,
    stepped,
    triangulated,
)
from ineus_core.motions import between
from ineus_core.pose_refinement.features import FeatureView

_STEPS = 8
_NOISE_PX = 0.25
"""Deviation of where a point is found; points farther off say less (Cauchy)."""
_MOST_USUAL, _MOST_NOISE = 5.0, 6.0
"""Times the usual error, and times the noise, beyond which a match is wrong."""
_STILL = 1e-4
"""Turn in rad, and shift by the depth, of a step that is the last."""


class Sightings(PointSightings):
    """Sightings of tracks, chosen from."""

    @classmethod
    def of(cls, views: Sequence[FeatureView]) -> "Sightings":
        """Collect the tracks that at least two views share."""
        tracks = np.concatenate([view.tracks for view in views])
        number = np.concatenate([np.full(len(v.tracks), i) for i, v in enumerate(views)])
        _, points, count = np.unique(tracks, return_inverse=True, return_counts=True)
        shared = count[points] >= 2
        _, points = np.unique(points[shared], return_inverse=True)
        noise = _NOISE_PX * np.array([view.pixel for view in views])
        plane_xy = np.concatenate([view.plane_xy for view in views])[shared]
        return cls(number[shared], points, plane_xy, noise[number[shared]])

    def of_points(self, which: Bool[np.ndarray, " points"]) -> "Sightings":
        """Keep the sightings of some points."""
        kept = which[self.points]
        _, points = np.unique(self.points[kept], return_inverse=True)
        return Sightings(self.views[kept], points, self.plane_xy[kept], self.noise[kept])


def believed(sightings: Sightings, poses: Float[np.ndarray, "views 4 4"]) -> Sightings:
    """Leave out the points that some view sees much farther off than is usual: wrong matches."""
    if len(sightings) == 0:
        return sightings
    off, _, ahead = off_by(sightings, poses, triangulated(sightings, poses))
    far = np.linalg.norm(off, axis=1)
    limit = max(_MOST_USUAL * float(np.median(far)), _MOST_NOISE * float(sightings.noise.max()))
    is_wrong = np.zeros(int(sightings.points.max()) + 1, dtype=bool)
    is_wrong[sightings.points[(far > limit) | ~ahead]] = True
    return sightings.of_points(~is_wrong)


def adjusted(
    sightings: Sightings,
    given: Float[np.ndarray, "views 4 4"],
    poses: Float[np.ndarray, "views 4 4"],
    is_free: Bool[np.ndarray, " views"],
    spread: float,
) -> tuple[Float[np.ndarray, "views 4 4"], Float[np.ndarray, "points 3"]]:
    """Return better poses and points by Gauss-Newton steps (bundle adjustment).

    The given poses hold the scale, which pictures alone do not tell, and what they tell badly:
    turns against shifts.

    Args:
        spread: Deviation of the given poses, in rad; that of positions follows by the depth.
    """
    points = triangulated(sightings, poses)
    _, local, ahead = off_by(sightings, poses, points)
    reach = np.repeat((median_depth(local, ahead), 1.0), 3)
    for _ in range(_STEPS):
        before = poses
        poses, points = stepped(sightings, given, poses, points, is_free, spread)
        # The next keyframe goes on from here.
        if np.abs(between(before, poses) / reach).max() < _STILL:
            break
    return poses, points
