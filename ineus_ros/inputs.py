# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Topics to frames: subscriptions, the wait for the pose, decoding."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ineus_core.errors import SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.ros_messages import decode_camera, image_decoder, stamp_ns
from ineus_core.sources.transforms import TransformNotYet
from ineus_core.types import Camera, Frame
from ineus_ros.drops import Drops
from ineus_ros.losses import LossCounter
from ineus_ros.pairing import ColorDepthPairing, Pair
from ineus_ros.poses import Poses, make_poses

RETRY_PERIOD_S = 0.1
NOT_FRAMES = ("bad_pose", "bad_camera_info", "depth_without_color", "render_failed")
"""Reasons of drops that cost a message, but not a colour image."""


@dataclass(frozen=True)
class ImageSet:
    """Messages that belong together and wait for their pose."""

    color: Any
    depth: Any | None
    since_s: float
    """When it began to wait, on the clock of `Inputs`."""


@dataclass(frozen=True)
class View:
    """Where a frame was taken, for rendering beside it."""

    frame: Frame
    frame_id: str


class Inputs:
    """Subscribes to what makes a frame; each colour image becomes a frame or a counted drop.

    Args:
        submit: Takes each frame; must not block.
    """

    def __init__(self, node: Node, config: RosConfig, submit: Callable[[Frame], None]) -> None:
        """Subscribe."""
        self.drops = Drops(node.get_logger())
        self.counters: Counter[str] = Counter()
        self.losses: dict[str, LossCounter] = {}
        """Messages that the middleware did not deliver, by stream."""
        self.newest: View | None = None
        self._holds: set[str] = set()
        self._node = node
        self._config = config
        self._submit = submit
        self._camera: Camera | None = None
        self._camera_key: tuple[Any, ...] = ()
        self._awaiting_pose: deque[ImageSet] = deque()
        self._patience_s = 0.0
        self._ticked_s = time.monotonic()
        self._pairing = ColorDepthPairing(config, self._has_depth_publisher, self.drops)
        self._subscribe_images()
        self.poses: Poses = make_poses(node, config, self.drops, self.retry)
        self._timer = node.create_timer(RETRY_PERIOD_S, self._on_timer)

    @property
    def waiting(self) -> int:
        """Colour images that are neither frames nor drops yet."""
        return self.counters["color_received"] - self.counters["frames"] - self.frames_dropped

    @property
    def frames_dropped(self) -> int:
        """Colour images that became no frame."""
        return sum(n for reason, n in self.drops.counts.items() if reason not in NOT_FRAMES)

    @property
    def uses_depth(self) -> bool | None:
        """Whether frames have depth; None while it is not known."""
        return self._pairing.uses_depth

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
        self._pairing.clear()
        self.drops.add("cleared", "the inputs were reset", len(self._awaiting_pose))
        self._awaiting_pose.clear()

    def retry(self) -> None:
        """Make frames of the image sets whose pose has come; drop those that waited too long."""
        self._await_poses(self._pairing.poll())
        for _ in range(len(self._awaiting_pose)):
            images = self._awaiting_pose.popleft()
            header = images.color.header
            if self._camera is None:
                self._wait_on(images, "no_camera_info", "no usable color/camera_info")
                continue
            try:
                pose = self.poses.world_from_camera(stamp_ns(header), header.frame_id)
            except TransformNotYet as error:
                self._wait_on(images, "no_pose_in_time", error)
            except SourceError as error:
                self.drops.add("no_pose", error)
            else:
                self._make_frame(images, self._camera, pose)

    def _wait_on(self, images: ImageSet, reason: str, message: object) -> None:
        """Put images back, or drop them when their time is over."""
        if self._patience_s - images.since_s < self._config.tf_timeout_s:
            self._awaiting_pose.append(images)
        else:
            self.drops.add(reason, message)

    def _make_frame(self, images: ImageSet, camera: Camera, world_from_camera: np.ndarray) -> None:
        reason = "bad_color"
        # Bytes from a network fail in ways that no list of exceptions covers; the node lives on.
        try:
            rgb = self._decode_color(images.color)
            reason = "bad_depth"
            depth_m = None if images.depth is None else self._decode_depth(images.depth)
            reason = "bad_frame"
            stamp = stamp_ns(images.color.header)
            frame = Frame(stamp, camera, world_from_camera, rgb, depth_m)
        except Exception as error:
            self.drops.add(reason, error)
            return
        self.newest = View(frame, images.color.header.frame_id)
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
        self.retry()

    def _await_poses(self, pairs: list[Pair]) -> None:
        for color, depth in pairs:
            self._awaiting_pose.append(ImageSet(color, depth, self._patience_s))
            if len(self._awaiting_pose) > self._config.awaiting_pose_size:
                self._awaiting_pose.popleft()
                self.drops.add("pose_queue_full", "too many images wait for their pose")

    def _on_color(self, message: Any) -> None:
        self.counters["color_received"] += 1
        if self._holds:
            self.drops.add(min(self._holds), "images go by unused")
            return
        self._await_poses(self._pairing.add_color(message))
        self.retry()

    def _on_depth(self, message: Any) -> None:
        self.counters["depth_received"] += 1
        if not self._holds:
            self._await_poses(self._pairing.add_depth(message))
            self.retry()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.counters["camera_info_received"] += 1
        roi = message.roi
        sizes = (message.width, message.height, message.binning_x, message.binning_y)
        window = (roi.x_offset, roi.y_offset, roi.width, roi.height, message.distortion_model)
        key = (*sizes, *window, tuple(message.k), tuple(message.d), tuple(message.p))
        # NaN is not equal to itself, so a bad camera is decoded, and counted, each time.
        if key == self._camera_key and self._camera is not None:
            return
        try:
            self._camera = decode_camera(message, self._config.rectified)
            self._camera_key = key
        except Exception as error:
            self._camera = None
            self.drops.add("bad_camera_info", error)

    def _subscribe_images(self) -> None:
        config = self._config
        depth_transport = config.depth_transport
        if depth_transport == "same":
            depth_transport = config.image_transport
        self._decode_color = image_decoder(config.image_transport == "compressed", is_depth=False)
        self._decode_depth = image_decoder(depth_transport == "compressed", is_depth=True)
        self._subscribe("camera_info", CameraInfo, "color/camera_info", self._on_camera_info)
        if config.image_transport == "compressed":
            self._subscribe("color", CompressedImage, "color/image/compressed", self._on_color)
        else:
            self._subscribe("color", Image, "color/image", self._on_color)
        self._depth: Subscription | None = None
        if config.depth_input == "none":
            return
        if depth_transport == "compressed":
            topic = "depth/image/compressedDepth"
            self._depth = self._subscribe("depth", CompressedImage, topic, self._on_depth)
        else:
            self._depth = self._subscribe("depth", Image, "depth/image", self._on_depth)

    def _subscribe(
        self, name: str, kind: type, topic: str, callback: Callable[[Any], None]
    ) -> Subscription:
        reliability = (
            ReliabilityPolicy.RELIABLE if self._config.reliable else ReliabilityPolicy.BEST_EFFORT
        )
        qos = QoSProfile(depth=self._config.image_queue_size, reliability=reliability)
        lost = LossCounter(lambda: self._node.count_publishers(subscription.topic_name))
        self.losses[name] = lost

        def receive(message: Any, info: Any) -> None:
            lost.on_message(info)
            callback(message)

        subscription = self._node.create_subscription(
            kind, topic, receive, qos, event_callbacks=lost.events()
        )
        return subscription

    def _has_depth_publisher(self) -> bool:
        if self._depth is None:
            return False
        return self._node.count_publishers(self._depth.topic_name) > 0
