# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of one body over time, interpolated between their stamps."""

import bisect
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.geometry import interpolate_rigid

_STILL = 1e-6
"""Difference of all numbers of a pose, in m and of a rotation matrix, that is none."""


class TransformNotYet(SourceError):
    """The stamp is later than what is known: the transform may still come."""


class TransformUnknown(SourceError):
    """There is no transform at the stamp, and none will come."""


class PoseTrack:
    """Poses of one body by stamp, interpolated; never extrapolated.

    Args:
        tolerance_ns: Longest time between a stamp and the nearest pose.
        capacity: Poses held, the oldest goes first; 0 is all of them.
        jump_ns: A stamp so far behind the newest one is a restarted clock and starts the track
            anew; 0 is never. Less far behind, a late pose takes its place in the order.
        bridge_usual_gaps: Interpolate also between poses that come more slowly than the tolerance,
            as long as the gap is a usual one for this track.
    """

    def __init__(
        self,
        tolerance_ns: int = 100_000_000,
        capacity: int = 10_000,
        jump_ns: int = 1_000_000_000,
        bridge_usual_gaps: bool = True,
    ) -> None:
        """Start empty."""
        self._tolerance_ns = tolerance_ns
        self._capacity = capacity
        self._jump_ns = jump_ns
        self._bridge_usual_gaps = bridge_usual_gaps
        self._stamps: list[int] = []
        self._poses: list[np.ndarray] = []

    def __len__(self) -> int:
        """Return the number of poses held."""
        return len(self._stamps)

    def add(self, stamp_ns: int, world_from_body: Float[np.ndarray, "4 4"]) -> None:
        """Take a pose; one with a stamp that is there already replaces it."""
        check_finite(world_from_body)
        stamps = self._stamps
        # Bags that loop and simulations that begin again: what was known is of another time.
        if stamps and self._jump_ns and stamp_ns < stamps[-1] - self._jump_ns:
            self.clear()
        if not stamps or stamp_ns > stamps[-1]:
            stamps.append(stamp_ns)
            self._poses.append(world_from_body)
        else:
            index = bisect.bisect_left(stamps, stamp_ns)
            is_known = stamps[index] == stamp_ns
            stamps[index : index + is_known] = [stamp_ns]
            self._poses[index : index + is_known] = [world_from_body]
        if self._capacity and len(stamps) > self._capacity:
            del stamps[0], self._poses[0]

    def at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return `world_from_body` at a stamp.

        Raises:
            TransformNotYet: If the stamp is later than the newest pose.
            TransformUnknown: If it is before the oldest, or in a gap.
        """
        stamps = self._stamps
        if not stamps or stamp_ns > stamps[-1]:
            newest = "there is none"
            if stamps:
                earlier_s = (stamp_ns - stamps[-1]) * 1e-9
                newest = f"the newest has {stamps[-1]}, {earlier_s:.3f} s earlier"
            # Told apart from a gap, since a caller may wait for this one.
            raise TransformNotYet(f"no pose yet at {stamp_ns} ns: {newest}")
        if stamp_ns < stamps[0]:
            later_s = (stamps[0] - stamp_ns) * 1e-9
            raise TransformUnknown(
                f"no pose at {stamp_ns} ns: the oldest has {stamps[0]}, {later_s:.3f} s later"
            )
        index = bisect.bisect_left(stamps, stamp_ns)
        if stamps[index] == stamp_ns:
            return self._poses[index]
        before_ns, after_ns = stamps[index - 1], stamps[index]
        # To the nearer of the two, as the pose between is as wrong as that is far.
        away_ns = min(stamp_ns - before_ns, after_ns - stamp_ns)
        if away_ns > self._tolerance_ns and not self._is_usual(after_ns - before_ns):
            raise TransformUnknown(
                f"no pose at {stamp_ns} ns: the nearest is {away_ns * 1e-9:.3f} s away, "
                f"expected at most {self._tolerance_ns * 1e-9:.3f} s "
                f"(pose_tolerance_s={away_ns * 1e-9 + 1e-3:.3f} would take it)"
            )
        fraction = (stamp_ns - before_ns) / (after_ns - before_ns)
        return interpolate_rigid(self._poses[index - 1], self._poses[index], fraction)

    def gap_ns(self, stamp_ns: int) -> int:
        """Return the time between the two poses around a stamp; 0 at a pose, -1 outside of all."""
        after = bisect.bisect_left(self._stamps, stamp_ns)
        if after < len(self._stamps) and self._stamps[after] == stamp_ns:
            return 0
        if after in (0, len(self._stamps)):
            return -1
        return self._stamps[after] - self._stamps[after - 1]

    def distance_ns(self, stamp_ns: int) -> int:
        """Return the time between a stamp and the nearest pose, of which there must be one."""
        after = bisect.bisect_left(self._stamps, stamp_ns)
        near = self._stamps[max(0, after - 1) : after + 1]
        return min(abs(stamp - stamp_ns) for stamp in near)

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest pose, if there is one."""
        return self._stamps[-1] if self._stamps else None

    @property
    def stamps_ns(self) -> Sequence[int]:
        """Stamps of all poses held, rising."""
        return self._stamps

    @property
    def is_still(self) -> bool:
        """Whether all poses held are one."""
        return not self._poses or float(np.ptp(np.stack(self._poses), axis=0).max()) < _STILL

    def clear(self) -> None:
        """Forget all poses."""
        self._stamps.clear()
        self._poses.clear()

    def _is_usual(self, gap_ns: int) -> bool:
        # Fewer than three gaps do not say what is usual.
        if not self._bridge_usual_gaps or len(self._stamps) < 4:
            return False
        # Of the last ones: a track of hours would be sorted for each image.
        return gap_ns <= 2 * float(np.median(np.diff(self._stamps[-1000:])))


def check_finite(transform: np.ndarray) -> None:
    """Refuse a transform with a NaN or infinite entry."""
    # A full check takes longer than all the rest, and a Frame makes it of what comes out.
    if not np.isfinite(transform).all():
        raise SourceError("pose with a NaN or infinite entry: expected a rigid transform")
