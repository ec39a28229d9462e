# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Topics to frames: the cameras, the wait for the pose, the way to the decoder."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from rclpy.node import Node

from ineus_core.errors import ConfigError
from ineus_core.ros_config import RosConfig
from ineus_core.sources import Adjustment
from ineus_core.types import Frame
from ineus_ros.drops import Drops
from ineus_ros.inputs.awaiting_pose import AwaitingPose
from ineus_ros.inputs.camera import CameraInput, Shared
from ineus_ros.inputs.decoding import FrameDecoder
from ineus_ros.inputs.message_loss import LossCounter
from ineus_ros.inputs.pairing import Images
from ineus_ros.inputs.poses import make_poses
from ineus_ros.inputs.receipt import ReceiptTimes
from ineus_ros.inputs.tf import make_tf
from ineus_ros.timers import wall_timer

# The listener of tf2 calls nothing of ours when a transform comes, and publishers of depth or
# masks show only when somebody looks.
RETRY_PERIOD_S = 0.1
REST_PERIOD_S = 1.0
"""Between two looks while no image waits: each costs the executor 2 ms."""
NOT_FRAMES = (
    "bad_pose",
    "bad_camera_info",
    "depth_without_color",
    "mask_without_color",
)
"""Reasons of drops that cost a message, but not a colour image."""


class _Stage(Protocol):
    """One thing after the other that colour images wait for."""

    def __len__(self) -> int: ...

    @property
    def oldest_ns(self) -> int | None: ...

    def drop_oldest(self) -> None: ...


@dataclass(frozen=True)
class NewestFrame:
    """The newest frame of the first camera, which rendered images are shown beside."""

    frame: Frame
    frame_id: str
    """Of the colour image."""


class Inputs:
    """Subscribes to what makes a frame; each colour image becomes a frame or a counted drop.

    Between its arrival and its frame an image waits in one queue, for its partners, its pose and
    its turn to be decoded, in this order. However long each of these takes, the queue is bounded
    as a whole: what is too much costs the oldest image.

    Args:
        submit: Takes each frame, on a thread of ours; must not block.
        on_jump: Called when stamps jump back and the map is not to be kept.
        now_s: The clock by which depth and poses are waited for.
        adjustment: What is meant otherwise than the messages say.

    Raises:
        ConfigError: The adjustment has another scale than the world.
    """

    def __init__(
        self,
        node: Node,
        config: RosConfig,
        submit: Callable[[Frame], None],
        on_jump: Callable[[], object] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
        adjustment: Adjustment | None = None,
    ) -> None:
        """Subscribe."""
        self._adjustment = adjustment or Adjustment()
        if self._adjustment.scale != 1:
            raise ConfigError(
                f"source.scale {self._adjustment.scale:g}: the map of a node is in metres, as all "
                "that shares its frames; expected 1, which an offline run may change"
            )
        self.drops = Drops(node.get_logger())
        # The decoders' threads count frames, and must not add a name while others are read.
        self.counters: Counter[str] = Counter(color_received=0, frames=0)
        self.losses: dict[str, LossCounter] = {}
        """Messages that the middleware did not deliver, by stream."""
        self.newest: NewestFrame | None = None
        """Of the first camera."""
        # More than one: a node may be paused and not active at once, and then either alone does
        # not start it.
        self._holds: set[str] = set()
        self._config, self._submit, self._on_reset = config, submit, on_jump
        self._now_s, self._ticked_s = now_s, now_s()
        receipt = ReceiptTimes(node, config)
        self._tf = make_tf(node, config, self.drops, self.retry, receipt)
        shared = Shared(
            self.drops,
            self.counters,
            self.losses,
            self._tf,
            receipt,
            self._holds,
            self._on_images,
            self._on_time_jump,
            now_s,
        )
        self._cameras = [
            CameraInput(node, config, camera_id, shared)
            for camera_id in range(max(1, len(config.cameras)))
        ]
        # For each camera as many, in one bound for all.
        self._capacity = config.input_queue_size * len(self._cameras)
        decoders = [camera.decoders for camera in self._cameras]
        self._decoder = FrameDecoder(decoders, self.drops, self._take_frame)
        self.poses = make_poses(
            node, config, self._tf, self.drops, self.retry, now_s=now_s, receipt=receipt
        )
        self._awaiting_pose = AwaitingPose(
            config,
            self.poses,
            self._cameras[0],
            self.drops,
            self._decoder.submit,
            round(1e9 * self._adjustment.poses.time_offset_s),
        )
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
    def held(self) -> int:
        """Colour images in the queue; one that is being decoded is not in it any more."""
        return sum(map(len, self._stages()))

    @property
    def first_from_camera(self) -> Mapping[int, np.ndarray]:
        """Place of each camera in the frame of the first one, once it is known."""
        return self._awaiting_pose.first_from_camera

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
        cleared = self._awaiting_pose.clear() + self._decoder.clear()
        self.drops.add("cleared", "the inputs were reset", cleared)

    def close(self) -> None:
        """End the thread that decodes."""
        self._decoder.close()

    def retry(self) -> None:
        """Make frames of the images that are complete by now."""
        for camera in self._cameras:
            self._await_poses(camera, camera.pairing.poll())
        self._awaiting_pose.look()

    def _take_frame(self, frame: Frame, header: Any) -> None:
        """Hand on a frame, on a decoder's thread."""
        if not self._adjustment.is_none:
            frame = self._adjustment.frame(frame)
        # A rig of cameras would let rendered images jump from one view to the other.
        if frame.camera_id == 0:
            self.newest = NewestFrame(frame, self._cameras[0].frame_of(header.frame_id))
        self.counters["frames"] += 1
        self._submit(frame)

    def _on_timer(self) -> None:
        """Let the clock of those who wait go on, but not by a time in which nothing was taken.

        On a busy machine all callbacks may stand still for seconds; the poses are then there, but
        in the queue of the middleware.
        """
        now_s = self._now_s()
        self._awaiting_pose.let_pass(min(now_s - self._ticked_s, 2 * RETRY_PERIOD_S))
        self._ticked_s = now_s
        for camera in self._cameras:
            camera.pairing.look_for_masks()
        self.retry()
        self._look_every(RETRY_PERIOD_S if self.held else REST_PERIOD_S)

    def _on_images(self, camera: CameraInput, found: list[Images]) -> None:
        self._await_poses(camera, found)
        self.retry()
        self._make_room()
        if self.held:
            self._look_every(RETRY_PERIOD_S)

    def _look_every(self, period_s: float) -> None:
        # Only on a change: a timer that each image sets back never comes.
        period_ns = round(1e9 * period_s)
        if self._timer.timer_period_ns != period_ns:
            self._timer.timer_period_ns = period_ns
            self._timer.reset()
            self._ticked_s = self._now_s()  # what comes now has not waited before

    def _await_poses(self, camera: CameraInput, found: list[Images]) -> None:
        for images in found:
            self._awaiting_pose.add(camera, images)

    def _make_room(self) -> None:
        """Drop the oldest images while too many wait, whatever they wait for."""
        stages = self._stages()
        while self.held > self._capacity:
            stamps = [(stage.oldest_ns, number) for number, stage in enumerate(stages)]
            known = [(stamp, number) for stamp, number in stamps if stamp is not None]
            # The decoder may have taken the last ones meanwhile.
            if known:
                stages[min(known)[1]].drop_oldest()

    def _stages(self) -> list[_Stage]:
        pairings: list[_Stage] = [camera.pairing for camera in self._cameras]
        return [*pairings, self._awaiting_pose, self._decoder]

    def _on_time_jump(self) -> None:
        """Forget what was told of later times: it does not hold any more."""
        self.counters["time_jumps"] += 1
        if self._tf is not None:
            self._tf.forget()
        if self._config.on_time_jump == "reset":
            self.clear()
            # Last, when nothing of the old time is left that would come into the new map.
            self._on_reset()
