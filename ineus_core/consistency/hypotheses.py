# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is usually wrong, each tried on all pairs: axes, inversion, units, focal length, time."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.consistency.agreement import depth_agreement, motion_by_pictures, sampson_px
from ineus_core.consistency.pairs import Pair
from ineus_core.consistency.views import View
from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.medians import weighted_median
from ineus_core.sources import NAMED_AXES, Adjustment, body_from_optical

# Besides powers of ten, 5 and 0.2: depth in steps of 1/5000 m, as TUM has it, taken for
# millimetres, and the other way round.
DEPTH_FACTORS = (1.0, 0.001, 0.1, 0.2, 5.0, 10.0, 1000.0)
# Depth in steps of 0.25 or 0.125 mm, as some cameras have it, or of 1/6553.5 m, as renderers do;
# and lengths in cm, inches and feet; all taken for millimetres or metres.
_USUAL_FACTORS = (0.25, 0.125, 1 / 6.5535, 0.01, 100.0, 0.0254, 0.3048)
_ABOUT = 0.03
"""Of a usual factor, by which a measured one may miss it, if both agree about as well."""
_LEAST_MOTIONS = 3
_AROUND = np.exp(0.06 * np.arange(-2, 3))
"""Where depth has holes, motions by pictures are long or short by a tenth."""
_OTHER_UNIT = 0.12
"""Of its logarithm, by which a measured factor must differ from all of those to be another."""
FOCAL_FACTORS = (0.5, 0.65, 0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0)
TIME_OFFSETS_S = tuple(round(0.02 * step, 3) for step in range(-10, 11) if step)

PoseAt = Callable[[int], np.ndarray]
"""The given pose at a stamp; raises `SourceError` where there is none."""


@dataclass(frozen=True)
class Hypothesis:
    """One way to read the input."""

    family: str
    """What it changes: `axes`, `inverted`, `quaternion`, `unit`, `focal`, `time`, `topic`, ..."""
    adjustment: Adjustment
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys below `source`, where these select it and not the adjustment."""
    pose_at: PoseAt | None = None
    """Where its poses come from, if not from the source."""


@dataclass(frozen=True)
class Scored:
    """How well all pairs agree under a hypothesis; NaN where it has no pose."""

    hypothesis: Hypothesis
    share: Float[np.ndarray, " pairs"]
    """Of depth that agrees; without depth, of pairs that lie on their epipolar lines."""
    closeness: Float[np.ndarray, " pairs"]
    sampson: Float[np.ndarray, " pairs"] | None = None

    @property
    def agreement(self) -> float:
        """Return the median share."""
        return _median(self.share)

    @property
    def error_px(self) -> float:
        """Return the median Sampson distance."""
        return _median(self.sampson) if self.sampson is not None else float("nan")

    def gain(self, other: "Scored") -> float:
        """Return by how much more it agrees than another, by the finer measure."""
        return _median(self.closeness - other.closeness)


def _median(values: Float[np.ndarray, " n"]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


class PairScorer:
    """Scores hypotheses on pairs.

    Args:
        pose_at: Given poses between the frames, where the source has them.
        every: Take every n-th sample of depth.
    """

    def __init__(self, pairs: Sequence[Pair], pose_at: PoseAt | None, every: int = 1) -> None:
        self.pairs, self._pose_at, self._every = list(pairs), pose_at, every
        self.has_depth = all(p.a.depth is not None and p.b.depth is not None for p in pairs)

    def score(self, hypothesis: Hypothesis) -> Scored:
        """Score one."""
        return self.score_all([hypothesis])[0]

    def score_all(self, hypotheses: Sequence[Hypothesis]) -> list[Scored]:
        """Score some that share a focal length."""
        motions = np.stack([self.motions(hypothesis) for hypothesis in hypotheses], axis=1)
        factors = np.array([h.adjustment.depth_factor for h in hypotheses])
        focal = hypotheses[0].adjustment.focal_factor
        measured = [
            self._measure(pair, motion, factors, focal)
            for pair, motion in zip(self.pairs, motions, strict=True)
        ]
        shares, closeness, errors = (np.stack(parts) for parts in zip(*measured, strict=True))
        return [
            Scored(h, shares[:, k], closeness[:, k], None if self.has_depth else errors[:, k])
            for k, h in enumerate(hypotheses)
        ]

    def _measure(
        self, pair: Pair, motions: np.ndarray, factors: np.ndarray, focal: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        unknown = np.isnan(motions).any(axis=(1, 2))
        # One without a pose is computed with any, and taken out afterwards.
        safe = np.where(unknown[:, None, None], np.eye(4), motions)
        if self.has_depth:
            share, closeness = depth_agreement(pair, safe, factors, focal, self._every)
            errors = np.zeros(len(factors))
        else:
            errors = sampson_px(pair, safe, focal)
            # Into 0 to 1, as shares of depth are.
            share = closeness = np.exp(-errors / 2)
        return tuple(np.where(unknown, np.nan, part) for part in (share, closeness, errors))  # type: ignore[return-value]

    def motions(self, hypothesis: Hypothesis) -> Float[np.ndarray, "pairs 4 4"]:
        """Return `b_from_a` of all pairs; NaN where there is no pose."""
        poses: dict[int, np.ndarray] = {}
        for view in self._views():
            poses[id(view)] = self._pose(view, hypothesis)
        return np.stack([rigid_inverse(poses[id(p.b)]) @ poses[id(p.a)] for p in self.pairs])

    def _views(self) -> Iterable[View]:
        return {id(view): view for pair in self.pairs for view in (pair.a, pair.b)}.values()

    def _pose(self, view: View, hypothesis: Hypothesis) -> np.ndarray:
        reading = hypothesis.adjustment.poses
        pose_at = hypothesis.pose_at
        if pose_at is None and reading.time_offset_s == 0:
            return reading.world_from_camera(view.given_pose)
        pose_at = pose_at or self._pose_at
        if pose_at is None:
            return np.full((4, 4), np.nan)
        try:
            given = pose_at(view.stamp_ns + round(reading.time_offset_s * 1e9))
        except SourceError:
            return np.full((4, 4), np.nan)
        return reading.world_from_camera(given)


def all_axes() -> list[str]:
    """Return the 24 right-handed axes by letters, those with a name by that."""
    names = {letters: name for name, letters in NAMED_AXES.items()}
    letters = itertools.product("RLDUFB", repeat=3)
    words = ["".join(three) for three in letters]
    return [names.get(word, word) for word in words if _is_right_handed(word)]


def _is_right_handed(word: str) -> bool:
    return bool(np.isclose(np.linalg.det(body_from_optical(word)), 1))


def with_poses(adjustment: Adjustment, **changes: Any) -> Adjustment:
    """Return an adjustment that reads poses otherwise."""
    return replace(adjustment, poses=adjustment.poses.model_copy(update=changes))


def measured_factors(scorer: PairScorer, given: Adjustment) -> list[float]:
    """Return factors on depth by which cameras move as far by pictures as by poses.

    How far a camera moves does not depend on its axes, so that any unit is found whatever else
    is wrong with them. Some around one for poses as given and around one for inverted poses;
    none around one that is about one of `DEPTH_FACTORS`.
    """
    by_pictures = [
        (k, motion_by_pictures(pair, given.depth_factor, given.focal_factor))
        for k, pair in enumerate(scorer.pairs)
        if len(pair.a.samples)
    ]
    seen = {k: motion[:3, 3] for k, motion in by_pictures if motion is not None}
    if len(seen) < _LEAST_MOTIONS:
        return []
    known = list(seen)
    seen_m = np.linalg.norm(list(seen.values()), axis=1)
    depth_m = np.array([np.median(scorer.pairs[k].a.samples[:, 2]) for k in known])
    found = []
    for inverted in (given.poses.inverted, not given.poses.inverted):
        motions = scorer.motions(Hypothesis("", with_poses(given, inverted=inverted)))[known]
        given_m = np.linalg.norm(motions[:, :3, 3], axis=1)
        # Against the depth, a longer way is known better.
        ratios = given_m / np.maximum(seen_m, 1e-12)
        factor = float(weighted_median(ratios[:, None], seen_m / depth_m)[0])
        if factor > 0 and np.abs(np.log(factor / np.array(DEPTH_FACTORS))).min() > _OTHER_UNIT:
            found += (factor * _AROUND).tolist()
    return found


def usual_unit(fitted: Adjustment) -> Adjustment:
    """Return a fitted unit of depth as the usual one that it is about, if there is one."""
    nearest = min(_USUAL_FACTORS, key=lambda usual: abs(usual / fitted.depth_factor - 1))
    is_about = abs(nearest / fitted.depth_factor - 1) < _ABOUT
    return replace(fitted, depth_factor=nearest) if is_about else fitted


def gross_hypotheses(given: Adjustment, factors: Sequence[float]) -> list[Hypothesis]:
    """Return axes, inversion and unit of depth in all combinations, and what is rarer alone."""
    found = []
    for axes, inverted, factor in itertools.product(all_axes(), (False, True), factors):
        changed = replace(
            with_poses(given, axes=axes, inverted=inverted),
            depth_factor=given.depth_factor * factor,
        )
        families = [
            name
            for name, differs in (
                ("inverted", inverted != given.poses.inverted),
                ("axes", axes != given.poses.axes),
                ("unit", factor != 1),
            )
            if differs
        ]
        found.append(Hypothesis("+".join(families), changed))
    for inverted, factor in itertools.product((False, True), factors):
        changed = replace(
            with_poses(given, mirrored=not given.poses.mirrored, inverted=inverted),
            depth_factor=given.depth_factor * factor,
        )
        names = "mirrored" + "+inverted" * (inverted != given.poses.inverted)
        found.append(Hypothesis(names + "+unit" * (factor != 1), changed))
    other = "wxyz" if given.poses.quaternion_order == "xyzw" else "xyzw"
    for inverted in (False, True):
        changed = with_poses(given, quaternion_order=other, inverted=inverted)
        found.append(Hypothesis("quaternion" + "+inverted" * inverted, changed))
    return found


def focal_hypotheses(given: Adjustment) -> list[Hypothesis]:
    """Return focal lengths around the given one."""
    return [
        Hypothesis("focal", replace(given, focal_factor=given.focal_factor * factor))
        for factor in FOCAL_FACTORS
    ]


def time_hypotheses(given: Adjustment) -> list[Hypothesis]:
    """Return offsets in time around the given one."""
    now_s = given.poses.time_offset_s
    return [
        Hypothesis("time", with_poses(given, time_offset_s=round(now_s + offset_s, 4)))
        for offset_s in TIME_OFFSETS_S
    ]
