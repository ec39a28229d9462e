# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes on their way in, and corrected poses of those that are held."""

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float

from ineus_core.dynamic_objects import EVIDENCE, Verdict, told_of
from ineus_core.errors import CapacityError
from ineus_core.fields import HashSdf
from ineus_core.keyframes import DepthConfig, KeyframeBuffer, Replay
from ineus_core.reconstruction.depth_integrator import DepthIntegrator
from ineus_core.reconstruction.estimated_depth import EstimatedDepth
from ineus_core.reconstruction.fused_map import FusedMap
from ineus_core.reconstruction.gone_surface import GoneSurface
from ineus_core.reconstruction.keyframe_correction import CorrectedKeyframe, KeyframeCorrection
from ineus_core.reconstruction.keyframe_thread import KeyframeThread
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.scene_bounds import BoundsConfig, box_of_depth
from ineus_core.rendering import OccupancyGrid
from ineus_core.types import Frame, KeyframeId

_LOG = logging.getLogger(__name__)
_CONTRADICTING = 3
"""Frames in a row outside of the field that outweigh fewer keyframes within it."""
_MOST_OUTWEIGHED = 16
"""Keyframes that a map may be given up with; so many frames outside are held to begin it anew."""
_JUMP = 0.25
"""Share of the field's side from the last frame within it to those outside, that no motion takes:
a camera that leaves the field goes out step by step."""
_SPARE_M = 0.5
"""Room beyond what a frame needs when the grid grows, as then all of its cells are copied."""


class KeyframeInserter:
    """Takes frames that are needed as keyframes, and their poses when these are corrected.

    Args:
        origin: What the poses of frames count from; for messages.
        bounds: How far depth widens the box of the scene.
        depth: The depth that is believed.
        field: Says how far it reaches.
        grid: Grows with what is measured.
        buffer: Holds the keyframes.
        replay: Keeps rays of those that leave.
        integrator: Takes in the depth of those that come.
        correction: Corrects poses and colours, finds what moves and closes holes of their depth.
        gone: Has the blocks meshed in which something is not there any more.
        holes: Estimates what the sensor has not returned, later; None: nobody does.
        fused: Takes in what keyframes have measured; None: nobody does.
        counters: Counts what becomes of the frames.
    """

    def __init__(
        self,
        origin: MapOrigin,
        bounds: BoundsConfig,
        depth: DepthConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        buffer: KeyframeBuffer,
        replay: Replay,
        integrator: DepthIntegrator,
        correction: KeyframeCorrection,
        gone: GoneSurface,
        holes: EstimatedDepth | None,
        fused: FusedMap | None,
        counters: Counter[str],
    ) -> None:
        """Begin without a keyframe."""
        self._origin, self._bounds, self._depth = origin, bounds, depth
        self._field, self._grid, self._buffer, self._replay = field, grid, buffer, replay
        self._integrator, self._counters = integrator, counters
        self._correction, self._holes, self._gone, self._fused = correction, holes, gone, fused
        self._outside: deque[Frame] = deque(maxlen=_MOST_OUTWEIGHED)
        self._outside_in_a_row = 0
        self._last_inside_m: Float[np.ndarray, " 3"] | None = None
        self._beside: KeyframeThread[CorrectedKeyframe] = KeyframeThread("ineus-correction")

    def insert(self, frame: Frame) -> bool:
        """Take a frame that is needed, or better depth of one that is held; False if not."""
        self.complete()
        if not self._is_inside(frame):
            return False
        is_taken = self._take_in(self._correction.correct(frame, self._is_held(frame)))
        while self.go_on_filling():
            pass
        return is_taken

    def begin(self, frame: Frame, others_wait: bool = False) -> "Future[bool] | None":
        """Begin to take a frame as `insert` does; None if it is not taken.

        Another thread corrects it, and `complete` stores it, as does each other use of this. Until
        then its future is not done. Holes that it tells of are then left to `go_on_filling`.

        Args:
            others_wait: Poses of other keyframes move with those that wait.
        """
        self.complete()
        if not self._is_inside(frame):
            return None
        is_held = self._is_held(frame)
        return self._beside.begin(partial(self._correction.correct, frame, is_held, others_wait))

    @property
    def is_correcting(self) -> bool:
        """Whether `complete` would have to wait for the other thread."""
        return self._beside.is_busy

    def wait_for_correction(self, at_most_s: float) -> None:
        """Wait for the other thread, if it corrects anything."""
        self._beside.wait(at_most_s)

    def complete(self) -> None:
        """Store what has begun, if anything has."""
        self._beside.complete(self._take_in)

    def _is_held(self, frame: Frame) -> bool:
        return (frame.stamp_ns, frame.camera_id) in self._buffer.ids

    def _is_inside(self, frame: Frame) -> bool:
        # Before it is stored: a frame that does not fit takes no slot.
        if frame.depth_m is not None and not self._grow(frame):
            self._outside.append(frame)
            self._outside_in_a_row += 1
            return False
        # Only frames in a row count: one that fits says that the map is not in the wrong place.
        self._outside.clear()
        self._outside_in_a_row = 0
        self._last_inside_m = frame.world_from_camera[:3, 3]
        return True

    def _take_in(self, corrected: CorrectedKeyframe) -> bool:
        """Store a keyframe, and let others follow it; True, as there is room for each."""
        self._follow(corrected.poses)
        self._counters.update(corrected.counts)
        if corrected.verdict is not None:
            self._forget_movers(corrected.verdict)
        frame = corrected.frame
        is_estimate = frame.depth_confidence is not None
        # Only what was estimated becomes better when later frames come.
        slot = self._replace_depth(frame) if is_estimate else None
        if slot is None:
            slot = self._store(frame)
        if frame.depth_m is not None:
            self._integrator.integrate_added(frame, self._buffer, slot)
            self._fuse((frame.stamp_ns, frame.camera_id))
            if self._holes is not None and not is_estimate:
                self._fill(self._holes.begin(frame))
        return True

    def go_on_filling(self) -> bool:
        """Do a part of what the newest keyframe tells of holes; False if there is nothing left."""
        more = None if self._holes is None else self._holes.go_on()
        if more is None:
            return False
        self._fill(more)
        return True

    def finish(self) -> None:
        """Fill the holes of the last keyframes, as none will come."""
        self.complete()
        if self._holes is not None:
            self._fill(self._holes.finish())

    def _fill(self, keyframes: Sequence[Frame]) -> None:
        """Take in keyframes again whose holes are filled, if they are still held."""
        for filled in keyframes:
            keyframe = self._correction.usable(filled)
            slot = self._replace_depth(keyframe)
            if slot is None:
                continue
            self._fuse((keyframe.stamp_ns, keyframe.camera_id))
            if self._grow(keyframe):
                self._integrator.integrate_added(keyframe, self._buffer, slot)
                self._counters["keyframes_filled"] += 1
                self._counters["depth_pixels_filled"] += _estimates(keyframe)

    def _store(self, frame: Frame) -> int:
        """Store a keyframe; return its slot."""
        # Its rays have to be drawn before `add` overwrites its slot.
        leaving = self._buffer.slot_to_free()
        if leaving is not None:
            self._replay.keep_rays_of(leaving)
            self._counters["keyframes_to_reservoir"] += 1
        slot = self._buffer.add(frame)
        self._correction.hold_only(self._buffer.ids)
        self._replay.on_keyframe_added()
        self._counters["keyframes"] += 1
        return slot

    def _replace_depth(self, frame: Frame) -> int | None:
        """Give a keyframe other depth, to be fused; return its slot, None if it is not held."""
        self._take_back((frame.stamp_ns, frame.camera_id))
        return self._buffer.replace_depth(frame)

    @property
    def exposure_varies(self) -> bool:
        """Whether colours of keyframes were brought to one exposure, as it has changed."""
        self.complete()
        return self._correction.exposure_varies

    def resume_exposure(self, varies: bool) -> None:
        """Begin with a map whose exposure has changed already, or has not."""
        self.complete()
        self._correction.resume_exposure(varies)

    def pass_by(self, frame: Frame) -> Float[np.ndarray, "n 3"] | None:
        """Fuse a frame that is not kept, where that is done; return some points of its returns.

        Its pose is refined as that of the newest keyframe was.
        """
        if self._fused is None:
            return None
        self.complete()
        return self._fused.fuse(self._correction.passing(frame))

    def _forget_movers(self, verdict: Verdict) -> None:
        """Take from earlier keyframes what a new one looks through."""
        for keyframe, pixels in verdict.excluded.items():
            self._exclude(keyframe, pixels, verdict.gone_points)
        for released in verdict.released:
            self._replace_depth(released)
            self._fuse((released.stamp_ns, released.camera_id))
        if verdict.witness is not None:
            self._replay.judge_kept(partial(told_of, verdict.witness), EVIDENCE)
        if len(verdict.gone_points):
            self._gone.add(verdict.gone_points)
            # A return outweighs six views through it, so that planners would long see it there.
            gone = torch.as_tensor(verdict.gone_points, dtype=torch.float32)
            self._grid.forget_returns(gone.to(self._grid.log_odds.device))
        self._forget_contradicted(verdict)
        self._gone.on_keyframe()

    def _exclude(
        self,
        keyframe: KeyframeId,
        pixels: Bool[np.ndarray, "h w"],
        gone_points: Float[np.ndarray, "n 3"],
    ) -> None:
        """Use pixels of a keyframe no more, which show something at some of the points."""
        # Before its pixels are excluded: what is undone has to be what was fused.
        before = None if self._fused is None else self._buffer.frame_of(keyframe)
        self._buffer.exclude(keyframe, pixels)
        if self._fused is not None and before is not None and before.depth_m is not None:
            after = self._buffer.frame_of(keyframe)
            has_depth = after is not None and after.depth_m is not None
            self._fused.tell_otherwise(before, after if has_depth else None, gone_points)

    def _forget_contradicted(self, verdict: Verdict) -> None:
        """Take from the fused blocks what frames that are not held have shown, and has gone."""
        if self._fused is None:
            return
        gone_points = verdict.gone_points
        if verdict.witness is not None:
            contradicted = self._fused.forget_contradicted(verdict.witness, EVIDENCE)
            self._gone.add(contradicted)
            gone_points = np.concatenate((gone_points, contradicted))
        if len(gone_points):
            self._fused.distrust_field(gone_points)

    def follow(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes refined poses; depth is observed anew where it falls into other cells."""
        self.complete()
        self._correction.follow(poses)
        self._follow(poses)

    def _follow(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        if self._holes is not None:
            self._holes.move(poses)
        for keyframe, world_from_camera in poses.items():
            self._buffer.replace_pose(keyframe, world_from_camera)
            if self._integrator.is_out_of_place(keyframe, world_from_camera):
                self._integrator.integrate_held(keyframe, self._buffer)
                self._fuse(keyframe)

    def _fuse(self, keyframe: KeyframeId) -> None:
        """Fuse a keyframe as it is held, so that just this can be taken back when it moves."""
        if self._fused is None:
            return
        frame = self._buffer.frame_of(keyframe)
        if frame is not None and frame.depth_m is not None:
            self._fused.fuse_keyframe(frame)
        self._fused.hold_only(self._buffer.ids)

    def _take_back(self, keyframe: KeyframeId) -> None:
        """Take back what a keyframe has told, before its depth changes."""
        frame = None if self._fused is None else self._buffer.frame_of(keyframe)
        if self._fused is not None and frame is not None and frame.depth_m is not None:
            self._fused.take_back(frame)

    def dynamic_points(self) -> Float[np.ndarray, "n 3"]:
        """Return where the newest keyframe shows something that may move."""
        self.complete()
        return self._correction.dynamic_points()

    def contradicting(self, frames_within: int) -> list[Frame]:
        """Return newer frames that contradict the first ones; none unless they outweigh those.

        They lie outside of the field, agree on where, and are more than all before.

        Args:
            frames_within: Frames so far that lie within the field, keyframes or not.
        """
        self.complete()
        keyframes = self._counters["keyframes"]
        is_new = keyframes < _CONTRADICTING
        # Frames outside come at their full rate, so that they are compared with all frames.
        needed = _CONTRADICTING if is_new else max(_CONTRADICTING, frames_within + 1)
        if keyframes > _MOST_OUTWEIGHED or self._outside_in_a_row < needed:
            return []
        positions = np.stack([frame.world_from_camera[:3, 3] for frame in self._outside])
        # Poses that jump about are wrong themselves, and no reason to begin anew.
        agree = bool((np.ptp(positions, axis=0) <= 0.5 * self._field.side_m).all())
        return list(self._outside) if agree and (is_new or self._are_far(positions)) else []

    def _are_far(self, positions_m: Float[np.ndarray, "n 3"]) -> bool:
        """Tell whether frames outside are where no motion leads from the last one within."""
        if self._last_inside_m is None:
            return True
        away_m = np.linalg.norm(positions_m - self._last_inside_m, axis=1)
        return bool((away_m > _JUMP * self._field.side_m).all())

    def _fits(self, box: Float[np.ndarray, "2 3"]) -> bool:
        if self._field.holds(torch.as_tensor(box, dtype=torch.float32)):
            return True
        self._counters["frames_out_of_bounds"] += 1
        # Once for many in a row: a camera that stays out there sends them at its full rate. And
        # not for ever where poses jump to and fro.
        if not self._outside and self._counters["frames_out_of_bounds"] <= _MOST_OUTWEIGHED:
            where = self._origin.points_in_world(box).tolist()
            _LOG.warning("frame at %s lies outside the field's %.0f m", where, self._field.side_m)
        return False

    def _grow(self, frame: Frame) -> bool:
        box = box_of_depth(frame, self._bounds, self._depth)
        if not self._fits(box):
            return False
        try:
            if self._grid.grow(torch.as_tensor(box, dtype=torch.float32), spare_m=_SPARE_M):
                _LOG.info("occupancy grid grown to %s", tuple(self._grid.log_odds.shape))
        except CapacityError as error:
            self._counters["frames_out_of_bounds"] += 1
            _LOG.warning("%s", error)
            return False
        return True

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> int:
        """Give keyframes corrected poses, and observe their depth anew; how many are held."""
        # Other than a refinement, a correction as of a closed loop may be of metres: it may leave
        # the box, and depth falls into other cells in any case.
        self.complete()
        moved = 0
        self._correction.move(poses)
        if self._holes is not None:
            self._holes.move(poses)
        for keyframe, world_from_camera in poses.items():
            if not self._buffer.replace_pose(keyframe, world_from_camera):
                continue
            moved += 1
            frame = self._buffer.frame_of(keyframe)
            if frame is not None and frame.depth_m is not None and self._grow(frame):
                self._integrator.integrate(frame)
                self._fuse(keyframe)
        return moved


def _estimates(frame: Frame) -> int:
    """Count the pixels whose depth was estimated beside a sensor's, which is sure."""
    if frame.depth_m is None or frame.depth_confidence is None:
        return 0
    return int(np.count_nonzero((frame.depth_m > 0) & (frame.depth_confidence < 1)))
