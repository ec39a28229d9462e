# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes without depth on their way in: each waits until others show its depth.

Where there is time for it, a first depth comes at once from earlier keyframes, and a better one
when later ones have come. Keyframes with depth get only what their sensor has not returned.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float

from ineus_core.cores import in_short_turns
from ineus_core.keyframes import DepthConfig, believed_depth
from ineus_core.reconstruction.depth_belief import LEAST_FILLED, DepthBelief
from ineus_core.stereo import DepthFromMotion, StereoConfig, StereoDepth
from ineus_core.timing import Patience, TimeShare
from ineus_core.types import Frame, KeyframeId

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_IN_VAIN, _RESTS = 8, 24
"""Keyframes in a row of which nothing is filled, and those after them that are not looked at: of a
recording with wrong poses, no matches agree with the sensor."""
_MOST_GIVEN_UP = 256
"""Keyframes that are kept as long as none has got any depth."""
_MOST_JUDGED = 8
"""Estimates that wait for the thread that judges them; each takes it
33 ms of a core of an EPYC at 640 x 480."""


class EstimatedDepth:
    """Gives keyframes the depth that they show of each other, where they have none.

    Args:
        config: How it is measured, and how sure it has to be.
        limits: The depth that is believed.
        device: Where pictures are compared.
        points_m: On surfaces, where some are known, such as those of structure from motion.
        time_share: Says whether there is time for a keyframe; None: there always is.
        in_order: Keyframes come as a camera moves; photographs may come in any order.
        beside: Another thread decides what is believed, so that the device trains meanwhile.
            Keyframes then come some uses of this later.
    """

    def __init__(
        self,
        config: StereoConfig,
        limits: DepthConfig,
        device: torch.device,
        points_m: Float[np.ndarray, "n 3"] | None = None,
        time_share: TimeShare | None = None,
        in_order: bool = True,
        beside: bool = False,
    ) -> None:
        """Wait for the first keyframe."""
        self._config, self._limits = config, limits
        self._stereo = DepthFromMotion(config, device, points_m, in_order)
        self._belief = DepthBelief(config, limits)
        # One, as walls are told of by keyframes in their order.
        self._thread = ThreadPoolExecutor(1, "ineus-depth-belief") if beside else None
        self._judged: deque[tuple[StereoDepth, Future[Frame | None]]] = deque()
        self._time = time_share or TimeShare(1.0)
        self._patience = Patience(_IN_VAIN, _RESTS)
        self._waiting: dict[KeyframeId, Frame] = {}
        self.given_up: deque[Frame] = deque(maxlen=_MOST_GIVEN_UP)
        """Keyframes without an estimate, as long as there is no other."""
        self.counters: Counter[str] = Counter()

    def add(self, frame: Frame) -> list[Frame]:
        """Take a keyframe; return those whose depth is there now, or better now, with it."""
        ready = self.begin(frame)
        while (more := self.go_on()) is not None:
            ready += more
        return ready

    def begin(self, frame: Frame) -> list[Frame]:
        """Take a keyframe; return it if it has a first depth. The others come by `go_on`."""
        # None of these may wait, as the matcher never gets it and so would never answer.
        if frame.depth_m is not None and not self._may_be_filled(frame.depth_m):
            return []
        if not self._time.is_due() or len(self._judged) >= _MOST_JUDGED:
            # One of a sensor has depth, but for its holes.
            self.counters["keyframes_without_time_for_depth"] += frame.depth_m is None
            return []
        self._waiting[frame.stamp_ns, frame.camera_id] = frame
        with self._time.spent():
            return self._with_depth(self._stereo.begin(frame))

    def show(self, frame: Frame) -> None:
        """Let keyframes be matched with one that a sensor has measured; more comes by `go_on`."""
        with self._time.spent():
            depth_m, is_return = believed_depth(frame, self._limits)
            self._stereo.show(replace(frame, depth_m=np.where(is_return, depth_m, np.float32(0))))

    @property
    def is_awaited(self) -> bool:
        """Whether keyframes wait for others to show their depth."""
        return len(self._waiting) > 0

    def _may_be_filled(self, measured_m: Float[np.ndarray, "h w"]) -> bool:
        has_holes = bool((~(measured_m > 0)).mean() >= LEAST_FILLED)
        return has_holes and self._patience.goes_on()

    def go_on(self) -> list[Frame] | None:
        """Do a part of what the newest keyframe tells of others; None if there is nothing left."""
        with self._time.spent():
            found = self._stereo.go_on()
            if found is not None:
                return self._with_depth(found)
        if ready := self._taken(waits=False):
            return ready
        # Nothing more will be said of those that are not held there.
        held = {*self._stereo.held, *(depth.keyframe for depth, _ in self._judged)}
        self._give_up([keyframe for keyframe in self._waiting if keyframe not in held])
        return None

    def finish(self) -> list[Frame]:
        """Return the keyframes that still waited, as far as their depth can be told."""
        ready = self._with_depth(self._stereo.finish()) + self._taken(waits=True)
        self._give_up(list(self._waiting))
        return ready

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes that wait, or that others are matched with, corrected poses."""
        self._stereo.move(poses)
        self._judge(partial(self._belief.move, poses))
        for keyframe in self._waiting.keys() & poses.keys():
            frame = self._waiting[keyframe]
            self._waiting[keyframe] = replace(frame, world_from_camera=poses[keyframe])

    def _give_up(self, keyframes: Sequence[KeyframeId]) -> None:
        """Let keyframes go that have no depth; say so once if none has."""
        popped = [self._waiting.pop(keyframe) for keyframe in keyframes]
        frames = [frame for frame in popped if frame.depth_m is None]
        if frames and not self.counters["keyframes_with_estimate"]:
            if not self.given_up:
                _LOG.warning(
                    "no depth could be estimated for the first %d keyframes without depth: their "
                    "pictures have too little texture or motion, poses and camera are not theirs, "
                    "or all is beyond depth.min_m %g and depth.max_m %g",
                    len(frames) + len(self._waiting),
                    self._limits.min_m,
                    self._limits.max_m,
                )
            self.given_up.extend(frames)
        self.counters["keyframes_without_estimate"] += len(frames)

    def _with_depth(self, found: Sequence[StereoDepth]) -> list[Frame]:
        for depth in found:
            frame = self._waiting.get(depth.keyframe)
            if frame is not None:
                # The device is this thread's: what the other one reads lies on the host by then.
                depth.fetch()
                self._judged.append((depth, self._judge(partial(self._belief.of, frame, depth))))
        return self._taken(waits=False)

    def _judge(self, work: Callable[[], _T]) -> "Future[_T]":
        """Do something with what is believed after all that was to be done before."""
        if self._thread is not None:
            return self._thread.submit(in_short_turns, work)
        done: Future[_T] = Future()
        done.set_result(work())
        return done

    def _taken(self, waits: bool) -> list[Frame]:
        """Return keyframes with what is believed of their depth, as far as that is decided.

        Args:
            waits: Until all is.
        """
        ready = []
        while self._judged and (waits or self._judged[0][1].done()):
            depth, judged = self._judged.popleft()
            believed, frame = judged.result(), self._waiting.get(depth.keyframe)
            if frame is None:
                continue
            if frame.depth_m is not None:
                self._patience.tell(was_in_vain=believed is None)
            if believed is None:
                continue
            # It may have been moved meanwhile.
            ready.append(replace(believed, world_from_camera=frame.world_from_camera))
            # One that is not comes again, better.
            if depth.is_final:
                del self._waiting[depth.keyframe]
                self.counters["keyframes_with_estimate"] += 1
                # They were to begin a map without any depth, which there is now.
                self.given_up.clear()
        return ready
