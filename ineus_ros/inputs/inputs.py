# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Topics to frames: the cameras, the wait for the pose, the way to the decoder."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.pose_policy import CameraPoses
from ineus_core.sources.bags.ros_messages import stamp_ns
from ineus_core.sources.pose_track import TransformNotYet
from ineus_core.types import Camera, Frame
from ineus_ros.drops import Drops
from ineus_ros.inputs.camera import CameraInput, Shared
from ineus_ros.inputs.decoding import FrameMaker, PosedImages
from ineus_ros.inputs.message_loss import LossCounter
from ineus_ros.inputs.pairing import Images
from ineus_ros.inputs.poses import make_poses
from ineus_ros.inputs.tf import make_tf
from ineus_ros.timers import wall_timer

RETRY_PERIOD_S = 0.1
NOT_FRAMES = (
    "bad_pose",
    "bad_camera_info",
    "depth_without_color",
    "mask_without_color",
)
"""Reasons of drops that cost a message, but not a colour image."""


@dataclass(frozen=True)
class Waiting:
    """Images that wait for their pose."""

    camera: CameraInput
    images: Images
    since_s: float
    """When they began to wait, on the clock of `Inputs`."""


@dataclass(frozen=True)
class NewestFrame:
    """The newest frame of the first camera, which rendered images are shown beside."""

    frame: Frame
    frame_id: str
    """Of the colour image."""


class Inputs:
    """Subscribes to what makes a frame; each colour image becomes a frame or a counted drop.

    Args:
        submit: Takes each frame, on a thread of ours; must not block.
        on_jump: Called when stamps jump back and the map is not to be kept.
    """

    def __init__(
        self,
        node: Node,
        config: RosConfig,
        submit: Callable[[Frame], None],
        on_jump: Callable[[], object] = lambda: None,
    ) -> None:
        """Subscribe."""
        self.drops = Drops(node.get_logger())
        # The decoder's thread counts frames, and must not add a name while others are read.
        self.counters: Counter[str] = Counter(color_received=0, frames=0)
        self.losses: dict[str, LossCounter] = {}
        """Messages that the middleware did not deliver, by stream."""
        self.newest: NewestFrame | None = None
        """Of the first camera."""
        self.first_from_camera: dict[int, np.ndarray] = {0: np.eye(4)}
        """Place of each camera in the frame of the first one, once it is known."""
        self._holds: set[str] = set()
        self._config, self._submit, self._on_reset = config, submit, on_jump
        self._awaiting_pose: deque[Waiting] = deque()
        self._patience_s = 0.0
        self._ticked_s = time.monotonic()
        self._tf = make_tf(node, config, self.drops, self.retry)
        shared = Shared(
            self.drops,
            self.counters,
            self.losses,
            self._tf,
            self._holds,
            self._on_images,
            self._on_time_jump,
        )
        self._cameras = [
            CameraInput(node, config, camera_id, shared)
            for camera_id in range(max(1, len(config.cameras)))
        ]
        self._maker = FrameMaker(
            [camera.decoders for camera in self._cameras],
            config.awaiting_pose_size,
            self.drops,
            self._take_frame,
        )
        self.poses: CameraPoses = make_poses(node, config, self._tf, self.drops, self.retry)
        self._timer = wall_timer(node, RETRY_PERIOD_S, self._on_timer)

    @property
    def waiting(self) -> int:
        """Colour images that are neither frames nor drops yet."""
        return self.counters["color_received"] - self.counters["frames"] - self.frames_dropped

    @property
    def frames_dropped(self) -> int:
        """Colour images that became no frame."""
        counts = self.drops.snapshot()
        return sum(n for reason, n in counts.items() if reason not in NOT_FRAMES)

    @property
    def uses_depth(self) -> bool | None:
        """Whether frames have depth; None while it is not known."""
        told = [camera.pairing.uses_depth for camera in self._cameras]
        return True if any(told) else None if None in told else False

    @property
    def is_active(self) -> bool:
        """Whether images are taken."""
        return not self._holds

    @property
    def world_frame(self) -> str:
        """Frame id of the world that the poses are in."""
        return self.poses.world_frame

    def hold(self, reason: str) -> None:
        """Let images go by, counted under the reason, until it is released."""
        self._holds.add(reason)

    def release(self, reason: str) -> None:
        """Take images again unless there is another reason not to."""
        self._holds.discard(reason)

    def clear(self) -> None:
        """Drop what waits."""
        for camera in self._cameras:
            camera.pairing.clear()
        cleared = len(self._awaiting_pose) + self._maker.clear()
        self.drops.add("cleared", "the inputs were reset", cleared)
        self._awaiting_pose.clear()

    def close(self) -> None:
        """End the thread that decodes."""
        self._maker.close()

    def retry(self) -> None:
        """Make frames of the images whose pose has come; drop those that waited too long."""
        for source in self._cameras:
            self._await_poses(source, source.pairing.poll())
        for _ in range(len(self._awaiting_pose)):
            waiting = self._awaiting_pose.popleft()
            reason = "no_camera_info"
            try:
                camera = self._camera_of(waiting)
                depth_camera = self._depth_camera_of(waiting)
                reason = "no_pose_in_time"
                pose = self._pose_of(waiting)
                reason = "no_depth_transform"
                color_from_depth = self._depth_transform_of(waiting, depth_camera)
            except TransformNotYet as error:
                self._wait_on(waiting, reason, error)
            except SourceError as error:
                self.drops.add("no_pose" if reason == "no_pose_in_time" else reason, error)
            else:
                camera_id = waiting.camera.camera_id
                self._maker.submit(
                    PosedImages(
                        waiting.images, camera_id, camera, pose, depth_camera, color_from_depth
                    )
                )

    def _camera_of(self, waiting: Waiting) -> Camera:
        camera = waiting.camera.color_calibration.camera
        if camera is None:
            raise TransformNotYet("no usable color/camera_info")
        return camera

    def _depth_camera_of(self, waiting: Waiting) -> Camera | None:
        if waiting.images.depth is None:
            return None
        try:
            return waiting.camera.depth_camera()
        except SourceError as error:
            raise TransformNotYet(str(error)) from error

    def _pose_of(self, waiting: Waiting) -> np.ndarray:
        stamp = stamp_ns(waiting.images.color.header)
        frame_id = waiting.images.color.header.frame_id
        pose = self.poses.world_from_camera(stamp, waiting.camera.mounting(frame_id))
        first = self._cameras[0]
        if waiting.camera.camera_id not in self.first_from_camera and first.color_frame:
            mounting = first.mounting(first.color_frame)
            world_from_first = self.poses.world_from_camera(stamp, mounting)
            self.first_from_camera[waiting.camera.camera_id] = (
                rigid_inverse(world_from_first) @ pose
            )
        return pose

    def _depth_transform_of(self, waiting: Waiting, depth_camera: Camera | None) -> np.ndarray:
        return (
            np.eye(4) if depth_camera is None else waiting.camera.color_from_depth(waiting.images)
        )

    def _wait_on(self, waiting: Waiting, reason: str, message: object) -> None:
        """Put images back, or drop them when their time is over."""
        if self._patience_s - waiting.since_s < self._config.tf_timeout_s:
            self._awaiting_pose.append(waiting)
        else:
            self.drops.add(reason, message)

    def _take_frame(self, frame: Frame, header: Any) -> None:
        """Hand on a frame, on the decoder's thread."""
        if frame.camera_id == 0:
            self.newest = NewestFrame(frame, header.frame_id)
        self.counters["frames"] += 1
        self._submit(frame)

    def _on_timer(self) -> None:
        """Let the clock of those who wait go on, but not by a time in which nothing was taken.

        On a busy machine all callbacks may stand still for seconds; the poses are then there, but
        in the queue of the middleware.
        """
        now_s = time.monotonic()
        self._patience_s += min(now_s - self._ticked_s, 2 * RETRY_PERIOD_S)
        self._ticked_s = now_s
        for camera in self._cameras:
            camera.pairing.look_for_masks()
        self.retry()

    def _on_images(self, camera: CameraInput, found: list[Images]) -> None:
        self._await_poses(camera, found)
        self.retry()

    def _await_poses(self, camera: CameraInput, found: list[Images]) -> None:
        for images in found:
            self._awaiting_pose.append(Waiting(camera, images, self._patience_s))
            if len(self._awaiting_pose) > self._config.awaiting_pose_size:
                self._awaiting_pose.popleft()
                self.drops.add("pose_queue_full", "too many images wait for their pose")

    def _on_time_jump(self) -> None:
        """Forget what was told of later times: it does not hold any more."""
        self.counters["time_jumps"] += 1
        if self._tf is not None:
            self._tf.forget()
        if self._config.on_time_jump == "reset":
            self.clear()
            self._on_reset()
