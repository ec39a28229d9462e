# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames on their way into a map: the first ones begin it, and anew if they were wrong."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from ineus_core.keyframes import KeyframePolicy, has_returns
from ineus_core.pose_refinement import PictureRefiner
from ineus_core.reconstruction.assembly import Assembly, GivenField
from ineus_core.reconstruction.checkpoint import CheckpointContent
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.frame_gate import JudgedFrame
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.memory import give_back_memory
from ineus_core.reconstruction.reconstruction import Reconstruction
from ineus_core.reconstruction.unmeasured_keyframes import UnmeasuredKeyframes
from ineus_core.stereo import PHOTOGRAPHS
from ineus_core.timing import TimeShare
from ineus_core.training import Ranks
from ineus_core.types import Frame, KeyframeId

_LOG = logging.getLogger(__name__)
_SHOWN = 8
"""Keyframes with depth that one without is matched with which comes after them."""


class FrameIntake:
    """Takes frames into a map that it begins, or goes on with a checkpoint's.

    Args:
        config: Of every part.
        device: Where everything lies.
        ranks: The processes that train the same field on the same frames, if there are several.
        make_policy: Makes a keyframe policy of your own, anew for each map.
    """

    def __init__(
        self,
        config: ReconstructorConfig,
        device: torch.device,
        ranks: Ranks | None = None,
        make_policy: Callable[[], KeyframePolicy] | None = None,
    ) -> None:
        """Hold nothing until the first frame."""
        self.map: Reconstruction | None = None
        """What the frames have begun, or None before."""
        self._given_config = config
        self._assembly = Assembly(config, device, ranks, make_policy)
        self._gate = self._assembly.gate()
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if no frame had come."""
        self._gate.begin_map()
        self._forget_map()
        self._waiting: list[Frame] = []
        self._given_field: GivenField | None = None
        self._expected: list[Float[np.ndarray, "4 4"]] = []
        self._surface_points: Float[np.ndarray, "n 3"] | None = None
        self._unmeasured: UnmeasuredKeyframes | None = None
        self._to_show: deque[Frame] = deque(maxlen=_SHOWN)
        """Keyframes with depth that those without have not been matched with."""
        # Before anything is expected a stream is assumed, as online nobody tells.
        self._has_estimates = self._assembly.estimates_depth([], None)
        self.newest_stamp_ns = 0
        self._has_begun_from_frames = False
        self.begins_anew = False
        """Whether a map was replaced by another one; who has told of it takes it back."""

    def _forget_map(self) -> None:
        """Drop the map and give its memory back."""
        if self.map is not None:
            self.map = None
            # Now, as the next map may need it at once.
            give_back_memory()

    def restore(self, content: CheckpointContent) -> None:
        """Go on with the map of a checkpoint; what was mapped before is forgotten.

        Raises:
            CheckpointError: It cannot be used; what was mapped before then stays as it was.
            CapacityError: There is no room for it; likewise.
        """
        # Built beside what is there, which a checkpoint that does not fit must not cost.
        restored = self._assembly.restore(content)
        self.reset()
        self._adopt(restored)
        self.newest_stamp_ns = content.meta.stamp_ns

    def restore_field(self, content: CheckpointContent) -> None:
        """Begin with the field of a checkpoint once frames come; all else is forgotten.

        Raises:
            CheckpointError: It cannot be used; what was mapped before then stays as it was.
        """
        given = self._assembly.restore_field(content)
        self.reset()
        self._given_field = given

    @property
    def counters(self) -> Counter[str]:
        """Of what became of the frames."""
        counters = Counter() if self._unmeasured is None else Counter(self._unmeasured.counters)
        if self._gate.repeated:
            counters["frames_with_repeated_stamp"] = self._gate.repeated
        return counters if self.map is None else self.map.counters + counters

    @property
    def is_measured(self) -> bool:
        """Whether most keyframes have the depth of a sensor."""
        counters = self.counters
        return 2 * counters["keyframes_with_estimate"] <= counters["keyframes"]

    @property
    def origin(self) -> MapOrigin:
        """What the coordinates of the map count from."""
        return MapOrigin() if self.map is None else self.map.origin

    def expect(
        self,
        poses: Sequence[Float[np.ndarray, "4 4"]],
        points: Float[np.ndarray, "n 3"] | None = None,
    ) -> None:
        """Say from where all frames will be, as `world_from_camera`, before the first one comes.

        Frames without depth then need not wait until the box of the scene can be judged, and each
        is kept as long as there is room for all.

        Args:
            points: On surfaces, where some are known, such as those of structure from motion.
        """
        self._expected, self._surface_points = list(poses), points
        self._has_estimates = self._assembly.estimates_depth(self._expected, points)

    def limit_estimation(
        self, time_share: float, now_s: Callable[[], float] = time.perf_counter
    ) -> None:
        """Say how much of a clock's time depth from motion may take, from the next `reset` on.

        Keyframes that come too soon for it are then left out. Where nothing is said it takes the
        time that it needs.
        """
        make = partial(TimeShare, time_share, now_s)
        self._assembly = replace(self._assembly, time_for_depth=make)

    def judge(self, frame: Frame) -> JudgedFrame:
        """Decide without the device whether a frame is needed as a keyframe.

        From any thread, each frame once, in the order in which `take` gets them. Depth without any
        return is none: the frame is taken by its colours.
        """
        if frame.depth_m is not None and not has_returns(frame):
            frame = replace(frame, depth_m=None)
        return self._gate.judge(frame, self._kept_anyway)

    @property
    def _are_photographs(self) -> bool:
        """Whether all frames are a known set of few, in any order and any unit of length."""
        return 0 < len(self._expected) <= PHOTOGRAPHS

    @property
    def _kept_anyway(self) -> int:
        """Frames without depth that are all kept if there is room; 0 if nobody knows how many."""
        # Frames of a video that are next to each other show nothing of each other's depth.
        is_video = self._has_estimates and not self._are_photographs
        return 0 if is_video else len(self._expected)

    def take(self, judged: JudgedFrame) -> bool:
        """Take a frame that was judged; False if it is not needed as a keyframe."""
        return self._take(self._judged_again(judged))

    def begin_taking(self, judged: JudgedFrame, others_wait: bool = False) -> "Future[bool]":
        """Begin to take a frame that was judged; its result is that of `take`.

        A keyframe is corrected on another thread. Until `is_correcting` is over, steps,
        meshes and views cost no wait; what changes keyframes waits for it.

        Args:
            others_wait: Poses of other keyframes move with those that wait.
        """
        judged = self._judged_again(judged)
        frame = judged.frame
        if self.map is not None and frame is not None and frame.depth_m is not None:
            self._show(frame)
            begun = self.map.inserter.begin(self.origin.frame_in_map(frame), others_wait)
            if begun is not None:
                return begun
            is_taken = self._begin_anew_if_contradicted()
        elif frame is not None and frame.depth_m is None and self._has_estimates:
            return self._without_depth().begin(frame)
        else:
            is_taken = self._take(judged)
        taken: Future[bool] = Future()
        taken.set_result(is_taken)
        return taken

    @property
    def is_correcting(self) -> bool:
        """Whether another thread still corrects a frame that was begun to be taken."""
        if self._unmeasured is not None and self._unmeasured.is_busy:
            return True
        return self.map is not None and self.map.inserter.is_correcting

    def wait_for_correction(self, at_most_s: float) -> None:
        """Wait until `is_correcting` is over, or some time has gone by."""
        if self._unmeasured is not None and self._unmeasured.is_busy:
            self._unmeasured.wait(at_most_s)
        elif self.map is not None:
            self.map.inserter.wait_for_correction(at_most_s)

    def end_taking(self, taking: "Future[bool]") -> bool:
        """Wait for a frame that was begun to be taken; return what `take` would have."""
        if self._unmeasured is not None:
            self._unmeasured.complete()
        if not taking.done() and self.map is not None:
            self.map.inserter.complete()
        # Else it went with the map that it was for.
        return taking.done() and taking.result()

    def _judged_again(self, judged: JudgedFrame) -> JudgedFrame:
        self.newest_stamp_ns = max(self.newest_stamp_ns, judged.stamp_ns)
        return self._gate.judged_again(judged, self._kept_anyway)

    def _take(self, judged: JudgedFrame) -> bool:
        frame = judged.frame
        if frame is None:
            if judged.passing is not None and self.map is not None:
                self.map.pass_by(self.origin.frame_in_map(judged.passing))
            # The pose of a frame that is not kept counts too, so that enough may be known by now.
            if self._waiting:
                self._start_if_enough()
            return False
        if self._has_estimates and frame.depth_m is None:
            return self._without_depth().take(frame)
        self._show(frame)
        if self._unmeasured is not None:
            while self._unmeasured.go_on():
                pass
        if self.map is not None:
            return self._store([frame]) or self._begin_anew_if_contradicted()
        self._waiting.append(frame)
        return self._start_if_enough()

    def _start_if_enough(self) -> bool:
        """Build the field if the frames that wait for it tell enough; True if they still wait."""
        bounds = self._given_config.bounds
        # The box of the scene is judged once, so that enough of it has to be known.
        is_enough = (
            has_returns(self._waiting[-1])
            or len(self._expected) > 0
            or len(self._gate.first_poses) >= bounds.frames_to_start
            or len(bounds.aabb) > 0
        )
        return self._begin_with_waiting() if is_enough else True

    def _without_depth(self) -> UnmeasuredKeyframes:
        """Return what takes keyframes that are inserted when others have shown their depth."""
        if self._unmeasured is None:
            config = self._given_config.pose_refinement
            # Poses of photographs were found together, by the same points.
            refines = config.enabled and config.pictures and not self._are_photographs
            estimated = self._assembly.estimated_depth(self._surface_points, self._are_photographs)
            refiner = PictureRefiner(config) if refines else None
            self._unmeasured = UnmeasuredKeyframes(estimated, refiner, self._follow, self._insert)
        while self._to_show:
            self._unmeasured.show(self._to_show.popleft())
        return self._unmeasured

    def _show(self, frame: Frame) -> None:
        """Let keyframes without depth be matched with one that has some, now or when they come."""
        if frame.depth_m is None or not self._has_estimates:
            return
        self._to_show.append(frame)
        if self._unmeasured is not None and self._unmeasured.is_awaited:
            self._without_depth()

    def go_on_estimating(self) -> bool:
        """Do a part of what a keyframe that was begun to be taken tells of the depth of others.

        Returns:
            False if there was nothing left, or another thread works on a keyframe with depth.
        """
        if self._unmeasured is not None and self._unmeasured.go_on():
            return True
        if self.map is None or self.map.inserter.is_correcting:
            return False
        return self.map.inserter.go_on_filling()

    def _follow(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> None:
        """Give keyframes refined poses."""
        if self.map is not None:
            in_map = {key: self.origin.pose_in_map(pose) for key, pose in poses.items()}
            self.map.inserter.follow(in_map)

    def _insert(self, keyframes: Sequence[Frame]) -> bool:
        """Insert keyframes, the first of which begin the reconstruction."""
        if not keyframes:
            return False
        if self.map is None:
            self._begin(keyframes)
        return self._store(keyframes) or self._begin_anew_if_contradicted()

    def _store(self, keyframes: Sequence[Frame]) -> bool:
        """Insert keyframes into the map that there is; whether it took any."""
        assert self.map is not None
        in_map = [self.origin.frame_in_map(keyframe) for keyframe in keyframes]
        inserted = [self.map.inserter.insert(keyframe) for keyframe in in_map]
        return any(inserted)

    def start(self) -> bool:
        """Build the field from the frames so far; comes by itself, or is called after the last."""
        is_kept = False
        if self._unmeasured is not None:
            is_kept = self._unmeasured.finish()
            if self.map is None:
                # Where there is no estimate at all, pictures alone have to do.
                self._waiting += self._unmeasured.given_up
        if self.map is not None:
            self.map.inserter.finish()
            return is_kept
        return self._begin_with_waiting()

    def _begin_with_waiting(self) -> bool:
        """Begin the map with the frames that wait for it, if any does."""
        if not self._waiting:
            return False
        frames, self._waiting = self._waiting, []
        return self._insert(frames)

    def _begin(self, frames: Sequence[Frame]) -> Reconstruction:
        """Build the field for frames, which are still to be taken."""
        origin = self._origin_for(frames)
        points = self._surface_points
        # Frames that are not needed still tell where cameras are.
        poses = self._expected or self._gate.first_poses
        begun = self._assembly.begin(
            origin,
            [origin.frame_in_map(frame) for frame in frames],
            [origin.pose_in_map(pose) for pose in poses],
            None if points is None else origin.points_in_map(points),
            self._given_field,
            self._are_photographs,
        )
        self._adopt(begun)
        self._has_begun_from_frames = self._given_field is None
        return begun

    def _adopt(self, reconstruction: Reconstruction) -> None:
        """Have frames judged and taken for a reconstruction."""
        self.map = reconstruction
        # In double, as the world may be kilometres away from the map's origin.
        held_box_m = reconstruction.field.held_box_m.numpy().astype(np.float64)
        self._gate.know_map(
            reconstruction.origin.points_in_world(held_box_m), reconstruction.buffer.capacity
        )

    def _origin_for(self, frames: Sequence[Frame]) -> MapOrigin:
        """Choose what the coordinates of the map count from."""
        if self._given_field is not None:
            return self._given_field.origin
        box = np.array(self._given_config.bounds.aabb).reshape(-1, 3)
        positions = [frame.world_from_camera[:3, 3] for frame in frames]
        return MapOrigin.near(positions if len(box) == 0 else [box.mean(axis=0)])

    def _begin_anew_if_contradicted(self) -> bool:
        """Begin again from the newest frames, if they show that the first ones were wrong.

        A pose that was 0 for a moment, or of another frame, would else fix the box for good.
        """
        wrong = self.map
        assert wrong is not None
        outside = wrong.inserter.contradicting(self._gate.frames_within)
        knows_box = len(self._given_config.bounds.aabb) > 0
        if not outside or knows_box or not self._has_begun_from_frames:
            return False
        frames = [wrong.origin.frame_in_world(frame) for frame in outside]
        _LOG.warning(
            "the map begins anew at %s m, where the newest frames are and more agree on: poses of "
            "the first %d keyframes are elsewhere, which are lost",
            frames[-1].world_from_camera[:3, 3].round(2).tolist(),
            len(wrong.buffer),
        )
        counters = wrong.counters
        # Those that are used now were counted as out; those of the first place are out instead.
        were_out = counters["frames_out_of_bounds"] + len(wrong.buffer) - len(frames)
        # Its memory is needed for the new one.
        del wrong
        self._forget_map()
        self.begins_anew = True
        self._gate.begin_map()
        judged = [self._gate.judge(frame) for frame in frames]
        renewed = self._begin(frames).counters
        is_any_taken = self._store([one.frame for one in judged if one.frame is not None])
        renewed["maps_begun_anew"] = counters["maps_begun_anew"] + 1
        renewed["frames_out_of_bounds"] += were_out
        return is_any_taken

    def move_keyframes(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> int:
        """Give keyframes corrected poses; return how many of them are held."""
        if self._unmeasured is not None:
            self._unmeasured.move(poses)
        if self.map is None:
            return 0
        in_map = {key: self.origin.pose_in_map(pose) for key, pose in poses.items()}
        return self.map.move_keyframes(in_map)
