# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The poses of keyframes, refined as they come: the new one at once, earlier ones with it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ineus_core.kernels.plane_alignment import PlaneViews
from ineus_core.kernels.pose_graph import (
    carried_on,
    motions_between,
    pair_offsets,
    poses_moved,
)
from ineus_core.motions import size_m
from ineus_core.pose_refinement.config import PoseRefinementConfig
from ineus_core.pose_refinement.constraints import Constraints
from ineus_core.pose_refinement.plane_view import planes_of, small_camera
from ineus_core.pose_refinement.pose_graph import solved
from ineus_core.pose_refinement.pose_noise import PoseNoise, noise_of
from ineus_core.pose_refinement.registration import neighbours, registered
from ineus_core.types import Frame, KeyframeId

_WORTH_M = 5e-4
"""A keyframe that would move by less, two metres before it, stays where it is."""
_EXACT = 5e-4
"""Given poses that are no more wrong, in m and rad, are better than what surfaces can tell."""
_NEWEST = 16
"""Keyframes that move with a new one, beside its neighbours; all do now and then."""
_ALL_EVERY = 4
"""All move when there are so many new ones for each of as many that are held."""
_JUDGED_EVERY = 4
"""Keyframes until the noise of given poses is judged anew."""
_LEAST_OFTEN = 4
"""Of so many keyframes one is solved with those before it, however many wait."""
_RENEWED = 24
"""Pairs that are compared anew after the poses have moved."""


class PoseRefiner:
    """Holds the surfaces of keyframes as planes, and the poses at which they lie on each other.

    Args:
        config: What may be done.
        capacity: Keyframes that are held at most.
        min_m: Returns nearer than this count as none.
        max_m: Returns farther than this count as none.
    """

    def __init__(
        self, config: PoseRefinementConfig, capacity: int, min_m: float, max_m: float
    ) -> None:
        """Hold no keyframe."""
        self._config, self._capacity = config, capacity
        self._min_m, self._max_m = min_m, max_m
        self._counts: Counter[str] = Counter()
        self.noise = PoseNoise()
        """What is known of the noise of the given poses."""
        self._views: PlaneViews | None = None
        self._ids: list[KeyframeId] = []
        self._rows = np.zeros(0, np.int64)
        self._ages = np.zeros(0)
        # As they were given, as the surfaces have them, and as others were last told.
        self._given, self._poses, self._told = (np.zeros((0, 4, 4)) for _ in range(3))
        self._drift, self._surprise = np.zeros((0, 6)), np.zeros(0)
        self._constraints = Constraints.none()
        self._came = self._came_unsolved = 0

    def add(
        self, frame: Frame, others_wait: bool = False
    ) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        """Take a keyframe with depth; return the new poses of all that move, it among them.

        Args:
            others_wait: Register it alone; those that wait move the others with it.
        """
        if len(self._ids) == self._capacity:
            self.hold_only(self._ids[1:])
        self._store(frame)
        pairs = self._registered_pairs()
        if len(pairs):
            found = Constraints.measured(self._held(), self._rows, pairs, self._poses)
            self._constraints = self._constraints.joined(found)
            self._judge_noise()
            self._came_unsolved += 1
            may_wait = others_wait or self._is_exact
            if not may_wait or self._came_unsolved == _LEAST_OFTEN:
                self._solve(pairs)
        return self._moves()

    def hold_only(self, keyframes: Iterable[KeyframeId]) -> None:
        """Let go of all keyframes but these."""
        held = set(keyframes)
        stays = np.array([keyframe in held for keyframe in self._ids], dtype=bool)
        if stays.all():
            return
        number = np.cumsum(stays) - 1
        kept = self._constraints.where(stays[self._constraints.pairs].all(axis=1))
        self._constraints = replace(kept, pairs=number[kept.pairs])
        self._ids = [keyframe for keyframe in self._ids if keyframe in held]
        for name in ("_rows", "_ages", "_given", "_poses", "_told", "_drift", "_surprise"):
            setattr(self, name, getattr(self, name)[stays])

    def take_counts(self) -> Counter[str]:
        """Return what has happened since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Take poses from outside, such as those after a loop closure, as the given ones."""
        for row, keyframe in enumerate(self._ids):
            if keyframe in poses:
                self._given[row] = self._poses[row] = self._told[row] = poses[keyframe]
                self._drift[row] = 0.0

    def _held(self) -> PlaneViews:
        assert self._views is not None
        return self._views

    def _store(self, frame: Frame) -> None:
        planes, camera = planes_of(frame, self._min_m, self._max_m), small_camera(frame.camera)
        if self._views is None:
            shape = (self._capacity, *planes.shape)
            self._views = PlaneViews(np.zeros(shape, np.float32), np.zeros((self._capacity, 4)))
        row = min(set(range(self._capacity)) - set(self._rows.tolist()))
        # The pictures of another camera of a rig may have other sides.
        height, width = np.minimum(planes.shape, self._views.planes[row].shape)[:2]
        self._views.planes[row] = 0
        self._views.planes[row, :height, :width] = planes[:height, :width]
        self._views.intrinsics[row] = camera.fx, camera.fy, camera.cx, camera.cy
        self._ids.append((frame.stamp_ns, frame.camera_id))
        self._rows = np.append(self._rows, row)
        self._came += 1
        self._ages = np.append(self._ages, self._came)
        # Drift goes on from where it was, so that the new keyframe begins beside its true place.
        given = frame.world_from_camera[None].astype(np.float64)
        self._given = np.concatenate((self._given, given))
        drift = carried_on(self._given[-2:], self._drift[-1:])
        drift = drift if len(drift) else np.zeros((1, 6))
        self._drift = np.concatenate((self._drift, drift))
        self._surprise = np.append(self._surprise, 0.0)
        self._poses = np.concatenate((self._poses, poses_moved(given, drift)))
        self._told = np.concatenate((self._told, given))

    def _registered_pairs(self) -> np.ndarray:
        """Register the new keyframe; return its pairs, none if it does not fit anywhere."""
        pairs = neighbours(self._held(), self._rows, self._poses)
        if len(pairs) == 0:
            return pairs
        expected = self._poses[-1]
        pose = registered(self._held(), self._rows, self._poses, pairs, self.noise)
        motion = motions_between(expected[None], pose[None])
        if self._shares_of(motion)[0] < 1.0:
            # Farther than it may move at once: what surfaces say of it is not believed.
            self._counts["poses_refused"] += 1
            return pairs[:0]
        self._poses[-1] = pose
        self._surprise[-1] = float(np.sqrt(np.mean(motion**2)))
        return pairs

    def _shares_of(self, motions: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, " n"]:
        """Return how much of each motion may be made at once."""
        shifted_m = np.linalg.norm(motions[:, :3], axis=1)
        turned_deg = np.degrees(np.linalg.norm(motions[:, 3:], axis=1))
        most = self._config.max_jump_m, self._config.max_jump_deg
        return np.minimum(
            1.0,
            np.minimum(
                most[0] / np.maximum(shifted_m, 1e-9), most[1] / np.maximum(turned_deg, 1e-9)
            ),
        )

    @property
    def _is_exact(self) -> bool:
        """Whether keyframes stay where they are given, whatever is solved."""
        return self.noise.expected(len(self._ids)) < _EXACT

    def _judge_noise(self) -> None:
        if self._came % _JUDGED_EVERY == 0 or len(self._ids) < _NEWEST:
            poses = self._given, self._poses
            self.noise = noise_of(self._constraints, *poses, self._ages)

    def _solve(self, pairs: np.ndarray) -> None:
        """Move the newest keyframes and the new one's neighbours, or all of them."""
        count = len(self._ids)
        is_free = np.zeros(count, dtype=bool)
        is_free[-_NEWEST:] = is_free[pairs] = True
        since, every = self._came_unsolved, max(1, count // _ALL_EVERY)
        is_turn_of_all = self._came // every > (self._came - since) // every
        is_free |= is_turn_of_all
        self._came_unsolved = 0
        # Many keyframes take long, and move by little.
        for _ in range(1 if is_turn_of_all and count > 2 * _NEWEST else 2):
            before = self._poses
            self._poses, self._drift = solved(
                self._constraints, self._given, self._poses, self._drift, self.noise,
                self._surprise, is_free, self._ages,
            )  # fmt: skip
            self._compare_anew()
            # A second step is far smaller than the first one.
            if size_m(motions_between(before, self._poses)).max() < _WORTH_M:
                break

    def _compare_anew(self) -> None:
        """Compare those pairs whose keyframes have moved farthest since they were compared."""
        constraints = self._constraints
        # Equations hold around the motion that they were measured at.
        away_m = size_m(pair_offsets(constraints, self._poses))
        farthest = np.argsort(-away_m)[:_RENEWED]
        farthest = farthest[away_m[farthest] > _WORTH_M]
        if len(farthest) == 0:
            return
        pairs = constraints.pairs[farthest]
        renewed = Constraints.measured(self._held(), self._rows, pairs, self._poses)
        stays = np.ones(len(constraints), dtype=bool)
        stays[farthest] = False
        self._constraints = constraints.where(stays).joined(renewed)

    def _moves(self) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        """Return the poses that are worth telling, none of them a jump from the last ones."""
        best = self._given if self._is_exact else self._poses
        rows = np.flatnonzero(size_m(motions_between(self._told, best)) > _WORTH_M)
        if len(rows) == 0:
            return {}
        # A new keyframe has not been anywhere yet: where the drift up to the one before it would
        # have it is no jump, however far the given pose has drifted.
        start = self._told.copy()
        if not self._is_exact and len(start) > 1:
            drift = carried_on(self._given[-2:], self._drift[-2:-1])
            start[-1:] = poses_moved(self._given[-1:], drift)
        motions = motions_between(start[rows], best[rows])
        # Together, as on real depth nearly all move with each new one.
        self._told[rows] = poses_moved(start[rows], self._shares_of(motions)[:, None] * motions)
        self._counts["poses_refined"] += len(rows)
        return {self._ids[row]: self._told[row].copy() for row in rows}
