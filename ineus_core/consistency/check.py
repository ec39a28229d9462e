# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The input checked against itself: do views agree, and if not, what would make them agree."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ineus_core.consistency.agreement import (
    depth_agreement,
    motion_by_pictures,
    reprojection,
    sampson_px,
)
from ineus_core.consistency.fits import fitted_hypotheses, fitted_unit
from ineus_core.consistency.hypotheses import (
    DEPTH_FACTORS,
    Hypothesis,
    PairScorer,
    PoseAt,
    Scored,
    focal_hypotheses,
    gross_hypotheses,
    measured_factors,
    time_hypotheses,
    usual_unit,
    with_poses,
)
from ineus_core.consistency.pairs import Pair, find_pairs, overlaps
from ineus_core.consistency.registration import Registration, registration
from ineus_core.consistency.verdict import Verdict, explanation, settings_of, words
from ineus_core.consistency.views import WIDTH_PX, View
from ineus_core.sources import Adjustment

_LEAST_FRAMES, _LEAST_PAIRS, _LEAST_ANCHORS = 8, 6, 3
# These limits were chosen on five good sets with one realisation of each fault planted into them;
# docs/check.md has what they find on nine.
_GROSS_AFTER, _GROSS_GAIN, _GROSS_LEAD = 0.5, 0.2, 0.2
_FINE_GAIN, _MOUNTING_GAIN = 0.03, 0.06
_STATIC_SHARE = 0.7
_PNP_SHARE, _LOW = 0.7, 0.35
_MISFIT, _FITS = 1.2, 1.5
"""Of edges: how much better another registration must fit, and how well."""
_ALARM_PX, _SURE_PX, _AFTER_PX, _AFTER_SHARE = 1.5, 5.0, 3.0, 0.35
_SURE_OWN_PX = 2.5
"""Of the pictures themselves: in a small one features are found no better than that."""
_MISPLACED = 0.025
"""Of the focal length, by which features with depth may miss."""
_USUAL = "good recordings: 58 to 100 %"
"""Of the depth within 2 %: the lowest is a real camera at close range (docs/check.md)."""
# Of the median depth: a wrong scale of depth and one of poses look alike, and this decides which
# is named.
_USUAL_M = (0.3, 8.0)
_WIDE = 0.1
"""Motion in a pair, as a share of the width, beyond which nearer frames would tell more."""
_MOTION = "Record more motion with turns."
_OVERLAP = "Record frames that are nearer to each other, so that neighbours overlap by half."
_NO_RETURNS = (
    "The depth images hold no returns at all: all is 0 or none, by another topic, encoding, unit "
    "or registration than was meant. Without depth:"
)
_REGISTER = (
    "Use the registered topic (source.rosbag.depth_topic for a bag), or give the depth camera's "
    "own camera_info and place."
)


class InputCheck:
    """Checks views against each other.

    Args:
        views: Of some groups, each of frames that overlap; poses as the source gives them.
        given: How the configuration says that they are read.
        pose_at: Given poses between the frames, where the source has them.
        others: Further hypotheses, such as other topics of poses.
    """

    def __init__(
        self,
        views: Sequence[View],
        given: Adjustment | None = None,
        pose_at: PoseAt | None = None,
        others: Sequence[Hypothesis] = (),
    ) -> None:
        self._views, self._given = _alike(views), given or Adjustment()
        self._lacks_returns = _lacks_returns(views)
        self._others = list(others)
        self.pairs = find_pairs(self._views)
        if self._views and self._views[0].depth is None:
            self.pairs = [pair for pair in self.pairs if pair.has_texture]
        self._pose_at = pose_at
        self._figures: dict[str, float | int | None] = {
            "frames": len(self._views),
            "pairs": len(self.pairs),
        }

    def verdict(self, is_thorough: bool = True) -> Verdict:
        """Return what came out.

        Args:
            is_thorough: Also look for what is only a little off.
        """
        verdict = self._verdict_of_all(is_thorough)
        if not self._lacks_returns:
            return verdict
        return replace(verdict, message=f"{_NO_RETURNS} {verdict.message}")

    def _verdict_of_all(self, is_thorough: bool) -> Verdict:
        if not self.pairs:
            return self._without_pairs()
        scorer = PairScorer(self.pairs, self._pose_at)
        base = scorer.score(Hypothesis("", self._given))
        self._note(scorer, base)
        if self._stand_still(scorer):
            return self._verdict("contradicts", self._still_message())
        if scorer.has_depth:
            return self._by_depth(scorer, base, is_thorough)
        return self._by_lines(scorer, base)

    def _note(self, scorer: PairScorer, base: Scored) -> None:
        motions = scorer.motions(Hypothesis("", self._given))
        factor, focal = self._given.depth_factor, self._given.focal_factor
        moved = [pair.moved for pair in self.pairs if pair.has_texture]
        self._figures["moved"] = float(np.median(moved)) if moved else None
        if scorer.has_depth:
            self._figures["agreement"] = base.agreement
            self._figures["agreement_by_pictures"] = _by_pictures(self.pairs, self._given)
            # If no motion at all explains the depth as well, agreement proves nothing.
            still = [
                depth_agreement(pair, np.eye(4)[None], np.ones(1), focal).share[0]
                for pair in self.pairs
            ]
            self._figures["agreement_without_motion"] = float(np.median(still))
            errors = [
                float(np.median(error))
                for pair, motion in zip(self.pairs, motions, strict=True)
                for error in [reprojection(pair, motion, factor, focal)]
                if len(error) >= 8
            ]
            self._figures["reprojection"] = float(np.median(errors)) if errors else None
        errors = [
            float(sampson_px(pair, motion[None], focal)[0])
            for pair, motion in zip(self.pairs, motions, strict=True)
            if pair.has_texture
        ]
        self._figures["epipolar_px"] = float(np.median(errors)) if errors else None

    def _stand_still(self, scorer: PairScorer) -> bool:
        """Decide whether poses stay where they are although pictures move."""
        moved = [pair.moved for pair in self.pairs if pair.has_texture]
        if not moved or np.median(moved) < 0.03:
            return False
        motions = scorer.motions(Hypothesis("", self._given))
        shifts = np.linalg.norm(motions[:, :3, 3], axis=1)
        traces = np.trace(motions[:, :3, :3], axis1=1, axis2=2)
        angles = np.arccos(np.clip((traces - 1) / 2, -1, 1))
        # A tenth of a millimetre, and 0.06 degrees.
        return bool(np.median(shifts) < 1e-4 and np.median(angles) < 1e-3)

    def _still_message(self) -> str:
        moved = 100 * float(self._figures["moved"] or 0)
        return (
            f"The poses stand still while the pictures move by {moved:.0f} % of their width: they "
            "are of something else than the camera. Name its poses "
            "(source.rosbag.pose_topic, odom_topic or pose_source for a bag)."
        )

    def _by_depth(self, scorer: PairScorer, base: Scored, is_thorough: bool) -> Verdict:
        gross = self._gross(scorer, base)
        if gross is not None:
            return self._named(gross, base)
        if self._is_little():
            return self._cannot_tell(self._little(), self._what_helps())
        static = float(self._figures["agreement_without_motion"] or 0)
        if static > _STATIC_SHARE * base.agreement and base.agreement > _LOW:
            why = "the views agree nearly as well if the camera does not move"
            return self._cannot_tell(why, _MOTION)
        return self._fine_or_unnamed(scorer, base, is_thorough)

    def _fine_or_unnamed(self, scorer: PairScorer, base: Scored, is_thorough: bool) -> Verdict:
        alarm = self._is_low(base)
        if is_thorough or alarm:
            fit = registration(self._views, self._given.depth_factor)
            if fit is not None and _is_off(fit):
                return self._verdict("contradicts", _registration_message(fit), "registration")
            fine = self._fine(scorer, base)
            if fine is not None:
                return self._named(fine, base)
        if alarm and not any(pair.has_texture for pair in self.pairs):
            why = "pictures without texture do not show which views overlap"
            return self._cannot_tell(why, "Record places with texture.")
        if alarm:
            return self._verdict("contradicts", self._unnamed_message(base))
        misfit = float(self._figures["reprojection"] or 0)
        # Features that miss their epipolar lines, too, are matched to what looks alike.
        if misfit > _MISPLACED and float(self._figures["epipolar_px"] or 0) < _AFTER_PX:
            return self._verdict("contradicts", _misplaced_message(misfit), "registration")
        return self._verdict(
            "agrees", f"The views agree: {100 * base.agreement:.0f} % of the depth does."
        )

    def _gross(self, scorer: PairScorer, base: Scored) -> Scored | None:
        """Return the discrete hypothesis that makes the views agree, if one does so clearly."""
        coarse = PairScorer(self.pairs, self._pose_at, every=3)
        factors = (*DEPTH_FACTORS, *measured_factors(scorer, self._given))
        scored = coarse.score_all(gross_hypotheses(self._given, factors))
        scored += [scorer.score(other) for other in self._others]
        scored += [scorer.score(h) for h in focal_hypotheses(self._given)]
        scored += [scorer.score(h) for h in time_hypotheses(self._given)]
        scored = [s for s in scored if s.hypothesis.family and not np.isnan(s.agreement)]
        if not scored:
            return None
        best = max(scored, key=lambda s: _median(s.closeness))
        # A little of these is found better by a fit; as much as this says which fit to begin with.
        if set(best.hypothesis.family.split("+")) & {"focal", "time"}:
            return None
        # On all samples: the search took every third.
        best = _with_fitted_unit(scorer, scorer.score(best.hypothesis))
        # A wrong reading agrees with hardly anything, so that the right one must gain much, and be
        # good as such.
        if best.gain(base) < _GROSS_GAIN or best.agreement < min(
            _GROSS_AFTER, 0.8 * float(self._figures["agreement_by_pictures"] or 1)
        ):
            return None
        rivals = [
            s.agreement
            for s in scored
            if s.hypothesis.family != best.hypothesis.family and not _is_nearby(s, best)
        ]
        # Two readings that explain it alike: neither is named.
        if best.agreement < max(rivals, default=0) + _GROSS_LEAD:
            return None
        return best

    def _fine(self, scorer: PairScorer, base: Scored) -> Scored | None:
        starts = []
        for hypotheses in (focal_hypotheses(self._given), time_hypotheses(self._given)):
            scored = [scorer.score(h) for h in hypotheses]
            known = [s for s in scored if not np.isnan(s.agreement)]
            if known:
                best = max(known, key=lambda s: s.gain(base))
                starts.append(best)
        begin = [start.hypothesis for start in starts if start.gain(base) > 0]
        tried = [scorer.score(h) for h in fitted_hypotheses(scorer, begin, self._given)]
        tried += starts + [scorer.score(other) for other in self._others]
        taken = [s for s in tried if s.gain(base) >= _least_gain(s) and s.agreement >= 0.5]
        return max(taken, key=lambda s: s.gain(base) - _least_gain(s), default=None)

    def _by_lines(self, scorer: PairScorer, base: Scored) -> Verdict:
        if self._is_little():
            return self._cannot_tell(self._little(), self._what_helps())
        error = base.error_px
        text = f"matched features lie {error:.1f} px (at a width of 640) from where the poses say"
        if error > _ALARM_PX:
            tried = scorer.score_all(gross_hypotheses(self._given, (1.0,)))
            for more in (
                focal_hypotheses(self._given),
                time_hypotheses(self._given),
                self._others,
            ):
                tried += [scorer.score(h) for h in more]
            tried = [s for s in tried if s.hypothesis.family and not np.isnan(s.error_px)]
            best = min(tried, key=lambda s: s.error_px)
            if best.error_px < min(_AFTER_PX, _AFTER_SHARE * error):
                return self._named(best, base)
            width_px = float(np.median([view.width_px for view in self._views]))
            if error > max(_SURE_PX, _SURE_OWN_PX * WIDTH_PX / width_px):
                # Half of the matches contradict each other already within a pair, where no pose is
                # asked.
                if np.median([pair.kept for pair in self.pairs]) < 0.5:
                    return self._cannot_tell("parts of the pictures look alike", _MOTION)
                return self._verdict(
                    "contradicts",
                    f"Overlapping views contradict each other: {text}, and nothing that was tried "
                    "explains it. Something may be moving, or the poses are of something else.",
                )
        return self._verdict("agrees", f"The views agree: {text}.")

    def _named(self, found: Scored, base: Scored) -> Verdict:
        hypothesis = self._in_usual_unit(found.hypothesis)
        settings = settings_of(hypothesis, self._given)
        reason = explanation(hypothesis, self._given)
        if base.sampson is None:
            self._figures["agreement_after"] = found.agreement
            rise = (
                f"{100 * base.agreement:.0f} % of the depth agrees ({_USUAL}). If "
                f"{reason}, {100 * found.agreement:.0f} % agrees"
            )
        else:
            self._figures["epipolar_px_after"] = found.error_px
            rise = (
                f"features lie {base.error_px:.1f} px from where the poses say (usual: below 1). "
                f"If {reason}, they lie within {found.error_px:.1f} px"
            )
        return self._verdict(
            "contradicts",
            f"Overlapping views contradict each other: {rise}. Read them so with "
            f"{words(settings)}.",
            hypothesis.family,
            settings,
        )

    def _in_usual_unit(self, hypothesis: Hypothesis) -> Hypothesis:
        """Scale the poses instead of the depth where depth is as usual and would not be after."""
        new, given = hypothesis.adjustment, self._given
        factor = new.depth_factor / given.depth_factor
        depths = [np.median(v.samples[:, 2]) for v in self._views if len(v.samples)]
        if factor == 1 or not depths:
            return hypothesis
        now_m = float(np.median(depths)) * given.depth_factor
        low, high = _USUAL_M
        if not low <= now_m <= high or low <= now_m * factor <= high:
            return hypothesis
        scaled = replace(
            with_poses(new, scale=new.poses.scale / factor), depth_factor=given.depth_factor
        )
        return replace(hypothesis, adjustment=scaled)

    def _is_low(self, base: Scored) -> bool:
        by_pictures = self._figures["agreement_by_pictures"]
        if by_pictures is not None and by_pictures > 0.45:
            return base.agreement < _PNP_SHARE * by_pictures
        return base.agreement < _LOW

    def _unnamed_message(self, base: Scored) -> str:
        by_pictures = self._figures["agreement_by_pictures"]
        other = (
            f", and {100 * by_pictures:.0f} % if the pictures alone tell the motion"
            if by_pictures
            else ""
        )
        return (
            f"Overlapping views contradict each other: {100 * base.agreement:.0f} % of the depth "
            f"agrees ({_USUAL}){other}. Nothing that was tried explains it: the poses "
            "may be of something else than the camera, depth may be that of another camera, or "
            "something is moving."
        )

    def _is_little(self) -> bool:
        anchors = {pair.a.anchor for pair in self.pairs}
        return (
            len(self._views) < _LEAST_FRAMES
            or len(self.pairs) < _LEAST_PAIRS
            or len(anchors) < _LEAST_ANCHORS
        )

    def _little(self) -> str:
        moved = self._figures["moved"]
        by = "" if moved is None else f", moving by {100 * moved:.0f} % of the image width"
        frames, pairs = len(self._views), len(self.pairs)
        return (
            f"{frames} frame{'s' * (frames != 1)} in {pairs} pair{'s' * (pairs != 1)} that "
            f"overlap{by}"
        )

    def _without_pairs(self) -> Verdict:
        if any(overlaps(a, b) for a, b in itertools.pairwise(self._views)):
            return self._cannot_tell("the camera hardly moves from frame to frame", _MOTION)
        return self._cannot_tell("no two frames overlap", _OVERLAP)

    def _what_helps(self) -> str:
        moved = self._figures["moved"]
        return _OVERLAP if moved is not None and moved > _WIDE else _MOTION

    def _cannot_tell(self, why: str, what_helps: str) -> Verdict:
        message = f"Cannot tell whether the poses are right: {why}. {what_helps}"
        return self._verdict("cannot tell", message)

    def _verdict(
        self,
        result: str,
        message: str,
        hypothesis: str = "",
        settings: dict[str, object] | None = None,
    ) -> Verdict:
        figures = {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in self._figures.items()
        }
        return Verdict(result, message, hypothesis, settings or {}, figures)  # type: ignore[arg-type]


def _has_returns(view: View) -> bool:
    return view.depth is not None and bool((view.depth > 0).any())


def _lacks_returns(views: Sequence[View]) -> bool:
    """Tell whether there are depth images, and nothing in any of them."""
    has_images = any(view.depth is not None for view in views)
    return has_images and not any(map(_has_returns, views))


def _alike(views: Sequence[View]) -> list[View]:
    """Return the views with depth where most have some, else all of them by their colours."""
    with_depth = [view for view in views if _has_returns(view)]
    if 2 * len(with_depth) >= len(views):
        return with_depth
    return [replace(view, depth=None) for view in views]


def _with_fitted_unit(scorer: PairScorer, best: Scored) -> Scored:
    """Return a finding with its unit fitted, or a usual one that agrees about as well."""
    if "unit" not in best.hypothesis.family.split("+"):
        return best
    fitted = fitted_unit(scorer, best.hypothesis.adjustment)
    if fitted is not None:
        better = scorer.score(replace(best.hypothesis, adjustment=fitted))
        best = better if better.gain(best) >= _FINE_GAIN else best
    about = usual_unit(best.hypothesis.adjustment)
    if about == best.hypothesis.adjustment:
        return best
    usual = scorer.score(replace(best.hypothesis, adjustment=about))
    return best if best.gain(usual) >= _FINE_GAIN else usual


def _by_pictures(pairs: Sequence[Pair], given: Adjustment) -> float | None:
    """Return the agreement of depth under motions that pictures alone tell."""
    found = []
    for pair in pairs:
        factor, focal = given.depth_factor, given.focal_factor
        motion = motion_by_pictures(pair, factor, focal)
        if motion is not None:
            agreement = depth_agreement(pair, motion[None], np.array([factor]), focal)
            found.append(agreement.share[0])
    return float(np.median(found)) if len(found) >= 3 else None


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else -np.inf


def _is_nearby(scored: Scored, best: Scored) -> bool:
    """Decide whether a rival is the same finding with something more changed."""
    ours, theirs = (set(s.hypothesis.family.split("+")) for s in (best, scored))
    return bool(ours & theirs) or "topic" in ours


def _least_gain(scored: Scored) -> float:
    is_free = scored.hypothesis.family in ("mounting", "turned", "unit")
    return _MOUNTING_GAIN if is_free else _FINE_GAIN


def _is_off(fit: Registration) -> bool:
    is_here = abs(fit.focal_factor - 1) < 0.03 and abs(fit.sideways_m) < 0.015
    return not is_here and fit.best_score > _FITS and fit.best_score > _MISFIT * fit.score


def _registration_message(fit: Registration) -> str:
    longer = 100 * abs(fit.focal_factor - 1)
    parts = []
    if longer >= 1:
        parts.append(
            f"a focal length {longer:.0f} % {'shorter' if fit.focal_factor > 1 else 'longer'}"
        )
    if fit.sideways_m:
        parts.append(f"the depth camera {100 * abs(fit.sideways_m):.0f} cm to the side")
    return (
        f"Depth does not lie on the colour image: edges fit best with {' and '.join(parts)}. "
        f"{_REGISTER}"
    )


def _misplaced_message(misfit: float) -> str:
    return (
        f"Depth does not lie on the colour image: features of colour with that depth miss by "
        f"{100 * misfit:.1f} % of the focal length (usual: below 1.5 %), though depth agrees with "
        f"itself. {_REGISTER}"
    )
