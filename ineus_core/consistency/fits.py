# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is only a little off, fitted to matched features with depth: one family at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ineus_core.consistency.agreement import rays
from ineus_core.consistency.hypotheses import Hypothesis, PairScorer, with_poses
from ineus_core.geometry import rigid_transform
from ineus_core.sources import Adjustment

# Or pairs with much texture would outvote the others.
_A_PAIR = 60
_LEAST = 60
_LOSS_SCALE = 0.003
"""Of errors in focal lengths beyond which a match counts as an outlier."""
_BEHIND = 1.0


@dataclass(frozen=True)
class _Family:
    name: str
    size: int
    scale: tuple[float, ...]
    """Steps of the parameters that matter about as much."""
    make: Callable[[Adjustment, Float[np.ndarray, " size"]], Adjustment]


def _time(given: Adjustment, theta: Float[np.ndarray, " 1"]) -> Adjustment:
    return with_poses(given, time_offset_s=given.poses.time_offset_s + float(theta[0]))


def _focal(given: Adjustment, theta: Float[np.ndarray, " 1"]) -> Adjustment:
    # By its logarithm: it cannot become negative, and twice is as far as half.
    return replace(given, focal_factor=given.focal_factor * float(np.exp(theta[0])))


def _depth(given: Adjustment, theta: Float[np.ndarray, " 1"]) -> Adjustment:
    return replace(given, depth_factor=given.depth_factor * float(np.exp(theta[0])))


def _mounting(given: Adjustment, theta: Float[np.ndarray, " n"]) -> Adjustment:
    """Return a camera turned, and moved if there are six numbers, after the given mounting."""
    before = given.poses.body_from_camera
    mounted = rigid_transform(np.array(before[:3]), np.array(before[3:])) if before else np.eye(4)
    more = np.eye(4)
    more[:3, :3] = Rotation.from_rotvec(theta[:3]).as_matrix()
    if len(theta) == 6:
        more[:3, 3] = theta[3:]
    mounted = mounted @ more
    quaternion = Rotation.from_matrix(mounted[:3, :3]).as_quat()
    return with_poses(given, body_from_camera=(*mounted[:3, 3].tolist(), *quaternion.tolist()))


_UNIT = _Family("unit", 1, (0.02,), _depth)
_FAMILIES = (
    _Family("time", 1, (0.02,), _time),
    _Family("focal", 1, (0.02,), _focal),
    _UNIT,
    _Family("turned", 3, (0.02,) * 3, _mounting),
    _Family("mounting", 6, (0.02,) * 3 + (0.05,) * 3, _mounting),
)


class _Matches:
    """Matched features with depth of all pairs, in one array."""

    def __init__(self, scorer: PairScorer) -> None:
        self._scorer = scorer
        # Seeded: the same recording gets the same verdict.
        rng = np.random.default_rng(0)
        rows_a, rows_b, depths, owner = [], [], [], []
        for k, pair in enumerate(scorer.pairs):
            if not pair.has_texture:
                continue
            depth = pair.a.depth_at(pair.pixels_a)
            chosen = np.flatnonzero(depth > 0)
            chosen = rng.permutation(chosen)[:_A_PAIR]
            rows_a.append(rays(pair.a, pair.pixels_a[chosen], 1.0))
            rows_b.append(rays(pair.b, pair.pixels_b[chosen], 1.0))
            depths.append(depth[chosen])
            owner.append(np.full(len(chosen), k))
        self.count = sum(map(len, depths))
        if self.count:
            self._a, self._b = np.concatenate(rows_a), np.concatenate(rows_b)
            self._depth, self._owner = np.concatenate(depths), np.concatenate(owner)

    def residuals(self, hypothesis: Hypothesis) -> Float[np.ndarray, " n"]:
        """Return the errors of reprojection as shares of the given focal length."""
        motions = self._scorer.motions(hypothesis)[self._owner]
        focal, factor = hypothesis.adjustment.focal_factor, hypothesis.adjustment.depth_factor
        points = self._a.copy()
        points[:, :2] /= focal
        points *= (factor * self._depth)[:, None]
        moved = np.einsum("nij,nj->ni", motions[:, :3, :3], points) + motions[:, :3, 3]
        z = moved[:, 2]
        errors = focal * moved[:, :2] / np.where(z > 1e-3, z, 1)[:, None] - self._b[:, :2]
        # A large error instead of none, or putting points behind the camera would be a way out.
        errors[~(z > 1e-3) | np.isnan(errors).any(axis=1)] = _BEHIND
        return errors.reshape(-1)


def fitted_hypotheses(
    scorer: PairScorer, starts: Sequence[Hypothesis], base: Adjustment
) -> list[Hypothesis]:
    """Fit every family, from its best discrete value where `starts` has one."""
    matches = _Matches(scorer)
    if matches.count < _LEAST:
        return []
    begin = {start.family: start.adjustment for start in starts}
    found = []
    for family in _FAMILIES:
        given = begin.get(family.name, base)
        fitted = _fit(matches, family, given)
        if fitted is not None:
            found.append(Hypothesis(family.name, fitted))
    return found


def fitted_unit(scorer: PairScorer, start: Adjustment) -> Adjustment | None:
    """Fit the unit of depth alone, from one that is about right; None where nothing tells."""
    matches = _Matches(scorer)
    return _fit(matches, _UNIT, start) if matches.count >= _LEAST else None


def _fit(matches: _Matches, family: _Family, given: Adjustment) -> Adjustment | None:
    def errors(theta: np.ndarray) -> np.ndarray:
        return matches.residuals(Hypothesis(family.name, family.make(given, theta)))

    scale = np.array(family.scale)
    found = least_squares(
        errors,
        np.zeros(family.size),
        x_scale=scale,
        diff_step=1e-3 if family.name != "time" else None,
        loss="soft_l1",
        f_scale=_LOSS_SCALE,
        max_nfev=25,
    )
    # It has run away, as where the matches do not determine it.
    if not np.isfinite(found.x).all() or np.abs(found.x / scale).max() > 50:
        return None
    return family.make(given, found.x)
