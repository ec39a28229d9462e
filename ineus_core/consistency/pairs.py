# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of views that overlap, by their pictures alone, and their matched features."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from ineus_core.consistency.views import WIDTH_PX, View

_LEAST_MATCHES = 12
_LEAST_CONSENSUS = 14
"""What the matches of one geometry times their share of all must reach.

Views that show different places have matches too, a quarter of which fit some geometry by chance.
"""
_FEW_FEATURES = 80
"""Of a view, below which no match says nothing about whether it overlaps another."""
_LEAST_SHARE = 0.02
"""Of the width, that features move by; a pair below shows nothing."""
_MOST_SHARE = 0.35
_MOST_PAIRS = 26


@dataclass(frozen=True)
class Pair:
    """Two views and features that were matched between them, by one epipolar geometry."""

    a: View
    b: View
    pixels_a: Float[np.ndarray, "n 2"]
    pixels_b: Float[np.ndarray, "n 2"]
    """Both empty where there is not enough texture."""
    kept: float = 0.0
    """Share of the mutual matches that agree with the epipolar geometry."""

    @property
    def moved(self) -> float:
        """Return the median motion of features as a share of the width; 0 if nobody knows."""
        if len(self.pixels_a) == 0:
            return 0.0
        # The two may be of different sizes: of both, pixels count from the axis in focal lengths.
        from_axis = [
            (pixels - view.intrinsics[2:]) / view.intrinsics[:2]
            for view, pixels in ((self.a, self.pixels_a), (self.b, self.pixels_b))
        ]
        motion = np.linalg.norm(from_axis[0] - from_axis[1], axis=1)
        return float(np.median(motion)) * self.a.intrinsics[0] / self.a.width_px

    @property
    def has_texture(self) -> bool:
        """Return whether there are matches."""
        return len(self.pixels_a) > 0

    @property
    def may_overlap(self) -> bool:
        """Return whether the two have matches, or too few features for that to say anything."""
        fewest = min(len(view.features[0]) for view in (self.a, self.b))
        return self.has_texture or fewest < _FEW_FEATURES


def matched(a: View, b: View) -> Pair:
    """Match two views; a pair without matches if too few agree on a geometry."""
    nothing = Pair(a, b, np.zeros((0, 2)), np.zeros((0, 2)))
    (pixels_a, words_a), (pixels_b, words_b) = a.features, b.features
    if min(len(words_a), len(words_b)) < _LEAST_MATCHES:
        return nothing
    found = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words_a, words_b)
    if len(found) < _LEAST_MATCHES:
        return nothing
    points_a = pixels_a[[match.queryIdx for match in found]]
    points_b = pixels_b[[match.trainIdx for match in found]]
    tolerance_px = 1.5 * max(1.0, a.width_px / WIDTH_PX)
    try:
        _, inliers = cv2.findFundamentalMat(
            points_a, points_b, cv2.USAC_DEFAULT, tolerance_px, 0.99, 2000
        )
    except cv2.error:
        # USAC throws on some degenerate sets instead of finding nothing.
        return nothing
    if inliers is None or inliers.sum() < max(_LEAST_MATCHES, 0.2 * len(found)):
        return nothing
    kept = inliers[:, 0] > 0
    if kept.sum() * kept.mean() < _LEAST_CONSENSUS:
        return nothing
    return Pair(a, b, points_a[kept], points_b[kept], float(kept.mean()))


def overlaps(a: View, b: View) -> bool:
    """Decide whether two views are of one group and have matches, however little they moved."""
    return a.anchor == b.anchor and matched(a, b).has_texture


def find_pairs(views: list[View]) -> list[Pair]:
    """Pair the views of each group; pairs without texture are kept only if there are no others."""
    groups: dict[int, list[View]] = {}
    for view in views:
        groups.setdefault(view.anchor, []).append(view)
    candidates = [
        (group[i], group[j])
        for group in groups.values()
        for i in range(len(group))
        for j in range(i + 1, len(group))
    ]
    pairs = [matched(a, b) for a, b in candidates]
    useful = [pair for pair in pairs if _LEAST_SHARE <= pair.moved <= _MOST_SHARE]
    if len(useful) < len(pairs) // 4:
        useful += [pair for pair in pairs if not pair.has_texture and pair.may_overlap]
    # Evenly from all groups; more pairs only take time.
    return useful[:: -(-len(useful) // _MOST_PAIRS) or 1]
