# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A source checked as a whole: what it holds, which views of it are compared, what came out."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ineus_core.consistency.check import InputCheck
from ineus_core.consistency.hypotheses import Hypothesis, with_poses
from ineus_core.consistency.selection import choose_views
from ineus_core.consistency.verdict import Verdict
from ineus_core.consistency.views import View
from ineus_core.errors import SourceError
from ineus_core.sources import (
    AdjustedSource,
    Adjustment,
    HasPosesBetween,
    RosbagSource,
    Source,
    frame_count,
    source_description,
)


@dataclass(frozen=True)
class SourceCheck:
    """What was found in a source."""

    rows: dict[str, str]
    """For people, in order."""
    verdict: Verdict


def check_source(source: Source, given: Adjustment | None = None) -> SourceCheck:
    """Check a source.

    Args:
        source: As it is opened with a configuration.
        given: What that configuration reads otherwise than the source says.

    Raises:
        SourceError: No frame can be read.
    """
    raw = source.inner if isinstance(source, AdjustedSource) else source
    given = given or Adjustment()
    chosen = choose_views(raw)
    if not chosen.views:
        raise SourceError("no frame could be read: nothing to check")
    pose_at = raw.pose_at if isinstance(raw, HasPosesBetween) else None
    others = _other_poses(raw, given) if isinstance(raw, RosbagSource) else []
    verdict = InputCheck(chosen.views, given, pose_at, others).verdict()
    return SourceCheck(_rows(raw, chosen.views, chosen.stamps_ns, given), verdict)


def _other_poses(source: RosbagSource, given: Adjustment) -> list[Hypothesis]:
    """Return other topics, whose poses may be those of the camera or of a body of ROS."""
    found = []
    for settings, poses in source.other_poses():
        keys = {
            f"source.rosbag.{key}": value
            for key, value in settings.items()
            if value or key == "pose_source"
        }
        for axes, inverted in itertools.product(("opencv", "ros_body"), (False, True)):
            changed = with_poses(given, axes=axes, inverted=inverted)
            names = ["topic"]
            names += ["axes"] if axes != given.poses.axes else []
            names += ["inverted"] if inverted != given.poses.inverted else []
            found.append(Hypothesis("+".join(names), changed, keys, poses.at))
    return found


def _rows(
    source: Source, views: Sequence[View], stamps_ns: Sequence[int], given: Adjustment
) -> dict[str, str]:
    rows = source_description(source)
    count = frame_count(source)
    rows["frames"] = f"{'unknown' if count is None else count}, {len(views)} of them compared"
    if source.dropped:
        rows["dropped"] = ", ".join(f"{n} {reason}" for reason, n in source.dropped.items())
    rows |= _timing(stamps_ns)
    rows["intrinsics"] = _intrinsics(views[0], given)
    return rows | _depth(views, given)


def _intrinsics(view: View, given: Adjustment) -> str:
    """Return the intrinsics of a view in the pixels of its frame, as its files have them."""
    height, width = view.grey.shape
    full = view.full_width_px or width
    fx, fy, cx, cy = (full / width * number for number in view.intrinsics)
    return (
        f"fx {given.focal_factor * fx:.1f}, fy {given.focal_factor * fy:.1f}, cx {cx:.1f}, "
        f"cy {cy:.1f} at {full} x {round(height * full / width)} px"
    )


def _timing(stamps_ns: Sequence[int]) -> dict[str, str]:
    """Return rate and gaps of frames that follow each other."""
    if len(stamps_ns) < 3:
        return {}
    steps_s = np.diff(np.array(sorted(stamps_ns), dtype=np.float64)) * 1e-9
    usual_s = float(np.median(steps_s))
    if usual_s <= 0:
        return {}
    # More than one frame missing: a single late one is not a gap.
    gaps = steps_s[steps_s > 2.5 * usual_s]
    longest = f", the longest {gaps.max():.2f} s" if len(gaps) else ""
    return {"rate": f"{1 / usual_s:.1f} Hz, {len(gaps)} gaps{longest}"}


def _depth(views: Sequence[View], given: Adjustment) -> dict[str, str]:
    with_depth = [view.depth for view in views if view.depth is not None]
    if not with_depth:
        return {"depth range": "no depth: matched features are compared"}
    # One of sixteen pixels: percentiles need no more.
    values = np.concatenate([depth[::4, ::4].reshape(-1) for depth in with_depth])
    returns = values[values > 0] * given.depth_factor
    if len(returns) == 0:
        return {"depth range": "no returns at all"}
    low, middle, high = np.percentile(returns, (1, 50, 99))
    missing = 100 * (1 - len(returns) / len(values))
    return {
        "depth range": f"{low:.3g} to {high:.3g} m, median {middle:.3g} m, "
        f"{missing:.0f} % without a return"
    }
