# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where a camera was at a stamp: from a topic of poses, or from TF. Never a guess."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.bags.transforms import PoseTrack, TransformNotYet
from ineus_ros.drops import Drops
from ineus_ros.inputs.tf import Tf
from ineus_ros.qos import of_sensors

KINDS = {
    "pose": PoseStamped,
    "pose_with_covariance": PoseWithCovarianceStamped,
    "transform": TransformStamped,
    "odom": Odometry,
}
"""Message types of the topics that poses may come on."""


_HINT = "expected body_from_camera, or the frame id of the camera as pose_frame"


@dataclass(frozen=True)
class Mounting:
    """Where a camera sits on the body that carries it."""

    camera_frame: str
    body_from_camera: np.ndarray
    """As configured, else the identity."""
    is_configured: bool
    """Whether the configuration tells; else it is left to TF."""


class Poses(Protocol):
    """Something that knows where the camera was."""

    def world_from_camera(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """Pose [4 4] at a stamp in ns.

        Raises:
            TransformNotYet: If it may still come.
            SourceError: If it will not.
        """
        ...

    @property
    def world_frame(self) -> str:
        """Frame id of the world that the poses are in."""
        ...


def make_poses(
    node: Node, config: RosConfig, tf: Tf | None, drops: Drops, on_pose: Callable[[], None]
) -> Poses:
    """Subscribe to the poses that the configuration asks for.

    Args:
        on_pose: Called after each new pose.
    """
    if config.pose_source == "tf":
        if tf is None:
            raise MissingDependencyError("tf2_ros (or tf2_msgs)", "ros")
        return TfPoses(config, tf)
    wanted = KINDS if config.pose_source == "auto" else [config.pose_source]
    topics = [
        TopicPoses(node, config, topic, KINDS[topic], tf, drops, on_pose) for topic in wanted
    ]
    if config.pose_source != "auto":
        return topics[0]
    return FirstPoses(node, config, topics, tf)


class TopicPoses:
    """Poses of one topic, interpolated to the stamp of the image."""

    def __init__(
        self,
        node: Node,
        config: RosConfig,
        topic: str,
        kind: type,
        tf: Tf | None,
        drops: Drops,
        on_pose: Callable[[], None],
    ) -> None:
        """Subscribe to `topic`."""
        self.topic = topic
        self.received = 0
        self._node = node
        self._config = config
        self._tf = tf
        self._drops = drops
        self._on_pose = on_pose
        self._track = PoseTrack(round(config.pose_tolerance_s * 1e9), bridge_usual_gaps=True)
        self._header_frame: str | None = None
        self._body_frame = config.pose_frame
        self._world_frame: str | None = None
        self._body_from_camera: dict[str, np.ndarray] = {}
        """Of cameras that TF knows nothing of, by frame id."""
        self._asked_s: dict[str, float] = {}
        qos = of_sensors(config, config.pose_queue_size)
        self._subscription = node.create_subscription(kind, topic, self._on_message, qos)

    @property
    def world_frame(self) -> str:
        """The global frame, or the frame of the poses where nothing joins the two."""
        return self._world_frame or self._config.global_frame

    def world_from_camera(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """Product of the interpolated pose and what TF or the configuration knows beside it."""
        header_from_body = self._track.at(stamp)
        body_from_camera = self._extrinsics(stamp, mounting)
        return self._world_from_header(stamp) @ header_from_body @ body_from_camera

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def _on_message(self, message: Any) -> None:
        self.received += 1
        frame = message.header.frame_id.lstrip("/")
        if self._header_frame is None:
            self._header_frame = frame
        try:
            if frame != self._header_frame:
                raise SourceError(
                    f"{self.topic} in frame {frame!r}: it began in {self._header_frame!r}"
                )
            self._track.add(stamp_ns(message.header), decode_transform(message))
        except SourceError as error:
            self._drops.add("bad_pose", error)
            return
        if not self._config.pose_frame:
            self._body_frame = getattr(message, "child_frame_id", "").lstrip("/")
        self._on_pose()

    def _world_from_header(self, stamp: int) -> np.ndarray:
        header, world = self._header_frame or "", self._config.global_frame
        if header in ("", world) or self._world_frame is not None:
            return np.eye(4)
        if self._tf is not None:
            try:
                return self._tf.lookup(world, header, stamp)
            except TransformNotYet:
                if self._may_wait(header):
                    raise
        self._world_frame = header
        self._node.get_logger().warning(
            f"{self.topic} is in {header!r}, not in global_frame {world!r}, and no transform "
            f"joins them: the mesh is built in {header!r}"
        )
        return np.eye(4)

    def _extrinsics(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """`body_from_camera`, from TF or from the configuration.

        Where there is no TF at all the poses count as the camera's own, which is said once.

        Raises:
            TransformNotYet: There is TF, but it does not know the camera (yet).
            SourceError: A rig of several cameras is on a body without a name.
        """
        camera_frame, configured = mounting.camera_frame, mounting.body_from_camera
        body = self._body_frame
        if not body and len(self._config.cameras) > 1 and not mounting.is_configured:
            raise SourceError(
                f"{self.topic} does not name the body that carries the cameras: "
                "expected body_from_cameras or pose_frame"
            )
        if body in ("", camera_frame):
            return configured
        if camera_frame in self._body_from_camera:
            return self._body_from_camera[camera_frame]
        unknown = f"no transform from {camera_frame!r} to {body!r}"
        if self._tf is not None:
            try:
                return self._tf.lookup(body, camera_frame, stamp)
            except TransformNotYet as error:
                may_tell = not self._tf.is_silent or self._may_wait(body)
                if not mounting.is_configured and may_tell:
                    raise TransformNotYet(f"{unknown}: {_HINT}") from error
        if mounting.is_configured:
            self._body_from_camera[camera_frame] = configured
            self._node.get_logger().info(f"{unknown}: body_from_camera is as configured")
        else:
            self._node.get_logger().warning(
                f"{unknown}, nor any other: the poses of {self.topic} are taken as the camera's; "
                f"where they are not, {_HINT}",
                once=True,
            )
        return configured

    def _may_wait(self, frame: str) -> bool:
        """Whether TF has had less than half the patience of an image for this frame id."""
        now_s = time.monotonic()
        return now_s - self._asked_s.setdefault(frame, now_s) < 0.5 * self._config.tf_timeout_s


class TfPoses:
    """Poses from TF alone."""

    def __init__(self, config: RosConfig, tf: Tf) -> None:
        """Look up in `tf`."""
        self._config = config
        self._tf = tf

    @property
    def world_frame(self) -> str:
        """The global frame."""
        return self._config.global_frame

    def world_from_camera(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """Look up the way from the camera, or from `pose_frame` and on as configured."""
        is_told = self._config.pose_frame and mounting.is_configured
        body = self._config.pose_frame if is_told else mounting.camera_frame
        world_from_body = self._tf.lookup(self._config.global_frame, body, stamp)
        return world_from_body @ mounting.body_from_camera


class FirstPoses:
    """The first of several sources to deliver; the others are then let go."""

    def __init__(
        self, node: Node, config: RosConfig, topics: list[TopicPoses], tf: Tf | None
    ) -> None:
        """Wait for any of `topics`, or for TF to join camera and world."""
        self._node = node
        self._config = config
        self._topics = topics
        self._tf = None if tf is None else TfPoses(config, tf)
        self._chosen: Poses | None = None

    @property
    def world_frame(self) -> str:
        """That of the chosen source."""
        return self._chosen.world_frame if self._chosen else self._config.global_frame

    def world_from_camera(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """Ask the chosen source, or choose."""
        if self._chosen is None:
            self._choose(stamp, mounting)
        if self._chosen is None:
            raise TransformNotYet(f"no pose yet on {', '.join(KINDS)} or TF")
        return self._chosen.world_from_camera(stamp, mounting)

    def _choose(self, stamp: int, mounting: Mounting) -> None:
        chosen: Poses | None = next((topic for topic in self._topics if topic.received), None)
        name = chosen.topic if isinstance(chosen, TopicPoses) else "TF"
        if chosen is None and self._tf is not None:
            try:
                self._tf.world_from_camera(stamp, mounting)
                chosen = self._tf
            except TransformNotYet:
                return
        if chosen is None:
            return
        self._chosen = chosen
        self._node.get_logger().info(f"poses come from {name}")
        for topic in self._topics:
            if topic is not chosen:
                topic.close()
