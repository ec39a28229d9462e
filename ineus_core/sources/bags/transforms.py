# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A tree of frame ids over time, as TF has it."""

import logging

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.sources.pose_track import PoseTrack, TransformUnknown, check_finite

_log = logging.getLogger(__name__)

_STAMPS_TRIED = 50


class TransformTree:
    """Frame ids joined by transforms, as TF has them; leading slashes do not matter.

    Args:
        tolerance_ns: Longest time between a stamp and the nearest transform of a link, unless
            the link is usually slower.
        capacity: Transforms held a link; 0 is all of them.
        jump_ns: As in `PoseTrack`.
    """

    def __init__(
        self,
        tolerance_ns: int = 100_000_000,
        capacity: int = 10_000,
        jump_ns: int = 1_000_000_000,
    ) -> None:
        """Start without a frame id."""
        self._track_settings = (tolerance_ns, capacity, jump_ns)
        self._parents: dict[str, str] = {}
        self._static: dict[str, np.ndarray] = {}
        self._tracks: dict[str, PoseTrack] = {}

    def add(
        self,
        parent: str,
        child: str,
        stamp_ns: int,
        parent_from_child: Float[np.ndarray, "4 4"],
        static: bool = False,
    ) -> None:
        """Take a transform; a static one holds at all stamps."""
        parent, child = bare_frame_id(parent), bare_frame_id(child)
        if not parent or not child or parent == child:
            raise SourceError(f"transform from {child!r} to {parent!r}: expected two frame ids")
        if self._parents.get(child, parent) != parent:
            _log.warning(
                "frame id %r changes its parent from %r to %r", child, self._parents[child], parent
            )
            # Where it hung before says nothing about where it hangs now.
            self._tracks.pop(child, None)
            self._static.pop(child, None)
        self._parents[child] = parent
        if static:
            check_finite(parent_from_child)
            self._static[child] = parent_from_child
            # A link is either; the newer message decides.
            self._tracks.pop(child, None)
            return
        self._static.pop(child, None)
        if child not in self._tracks:
            self._tracks[child] = PoseTrack(*self._track_settings)
        self._tracks[child].add(stamp_ns, parent_from_child)

    def lookup(self, target: str, source: str, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return `target_from_source` at a stamp.

        Raises:
            TransformNotYet: If a link on the way is known only up to an earlier stamp.
            TransformUnknown: If there is no way, or a link has a gap there.
        """
        # Only up to where both meet: what is above may be unknown at the stamp.
        target_up, source_up = self._ways(target, source)
        common_from_target = self._climb(target_up, stamp_ns)
        return rigid_inverse(common_from_target) @ self._climb(source_up, stamp_ns)

    def is_connected(self, target: str, source: str) -> bool:
        """Decide whether there is a way, at whatever stamp."""
        try:
            self._ways(target, source)
        except TransformUnknown:
            return False
        return True

    def moves(self, target: str, source: str) -> bool:
        """Decide whether a link of the way is not static."""
        return any(child in self._tracks for way in self._ways(target, source) for child in way)

    def links(self, target: str, source: str) -> list[str]:
        """List the child frame ids of all links of the way."""
        target_up, source_up = self._ways(target, source)
        return target_up + source_up

    def corrected(self, frame_id: str, least_share: float = 0.9) -> str:
        """Return the highest frame id that corrects a drift of this one, or the frame id itself.

        The link below it moves, and is known at nearly all the stamps at which the fastest link
        of the tree is.
        """
        line = self._ancestors(frame_id)
        moving = [child for child in line[:-1] if self._has_motion(child)]
        if not moving:
            return line[0]
        top = self._parents[moving[-1]]
        stamps = max((track.stamps_ns for track in self._tracks.values()), key=len)
        # Some of them: a long bag has a hundred thousand.
        some = stamps[:: len(stamps) // _STAMPS_TRIED + 1]
        known = sum(self._is_known(top, frame_id, stamp) for stamp in some)
        return top if known >= least_share * len(some) else line[0]

    def root(self, frame_id: str) -> str:
        """Return the frame id above all others over this one."""
        return self._ancestors(frame_id)[-1]

    def ancestors(self, frame_id: str) -> list[str]:
        """Return a frame id and those above it, the root last."""
        return self._ancestors(frame_id)

    @property
    def frame_ids(self) -> list[str]:
        """All frame ids, as parents or children."""
        return sorted({*self._parents, *self._parents.values()})

    def children(self, frame_id: str) -> list[str]:
        """Return the frame ids right below one."""
        name = bare_frame_id(frame_id)
        return sorted(child for child, parent in self._parents.items() if parent == name)

    @property
    def is_empty(self) -> bool:
        """Whether there is no transform at all."""
        return not self._parents

    def __contains__(self, frame_id: str) -> bool:
        """Decide whether a frame id is known, as parent or child."""
        name = bare_frame_id(frame_id)
        return name in self._parents or name in self._parents.values()

    def clear(self) -> None:
        """Forget what moves; static transforms stay."""
        for child in self._tracks:
            del self._parents[child]
        self._tracks.clear()

    def _has_motion(self, child: str) -> bool:
        """Decide whether a link changes; some publish one again and again that never does."""
        track = self._tracks.get(child)
        return track is not None and not track.is_still

    def _is_known(self, target: str, source: str, stamp_ns: int) -> bool:
        try:
            self.lookup(target, source, stamp_ns)
        except SourceError:
            return False
        return True

    def _ancestors(self, frame_id: str) -> list[str]:
        """List the frame id and all above it."""
        names = [bare_frame_id(frame_id)]
        while names[-1] in self._parents:
            names.append(self._parents[names[-1]])
            if names[-1] in names[:-1]:
                raise TransformUnknown(f"frame ids form a ring: {' <- '.join(names)}")
        return names

    def _ways(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """List the links to climb from each of the two to where they meet."""
        target_line, source_line = self._ancestors(target), self._ancestors(source)
        common = next((name for name in source_line if name in target_line), None)
        if common is None:
            raise TransformUnknown(f"no transforms join {source!r} to {target!r}")
        return target_line[: target_line.index(common)], source_line[: source_line.index(common)]

    def _climb(self, links: list[str], stamp_ns: int) -> np.ndarray:
        ancestor_from_frame = np.eye(4)
        for child in links:
            static = self._static.get(child)
            link = self._tracks[child].at(stamp_ns) if static is None else static
            ancestor_from_frame = link @ ancestor_from_frame
        return ancestor_from_frame


def bare_frame_id(frame_id: str) -> str:
    """Return a frame id without the leading slash of older recordings."""
    return frame_id.strip().lstrip("/")
