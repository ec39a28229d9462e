# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses from topics and TF, by the policy that bags have too: `sources/bags/pose_policy.py`."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.pose_policy import (
    NO_FRAME_ID,
    CameraPoses,
    Mounting,
    TfPoses,
    TopicPoses,
    preferred_topic,
)
from ineus_core.sources.pose_track import TransformNotYet
from ineus_ros.drops import Drops
from ineus_ros.inputs.receipt import ReceiptTimes
from ineus_ros.inputs.tf import Tf
from ineus_ros.qos import of_sensors

KINDS = {
    "pose": PoseStamped,
    "pose_with_covariance": PoseWithCovarianceStamped,
    "transform": TransformStamped,
    "odom": Odometry,
}
"""Message types of the topics that poses may come on, by falling preference."""


class Patience:
    """How long TF may still come to know a frame id: half as long as an image waits for its pose.

    Args:
        now_s: The clock.
    """

    def __init__(self, config: RosConfig, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing asked."""
        # When it is over, the images that have waited meanwhile are still there.
        self._limit_s, self._now_s = 0.5 * config.tf_timeout_s, now_s
        self._asked_s: dict[str, float] = {}

    def __call__(self, what: str) -> bool:
        """Decide whether the first question about a frame id is so recent that it may be told."""
        now_s = self._now_s()
        # From the first question about it: a frame id that never comes must not cost each image
        # its time.
        return now_s - self._asked_s.setdefault(what, now_s) < self._limit_s


def make_poses(
    node: Node,
    config: RosConfig,
    tf: Tf | None,
    drops: Drops,
    on_pose: Callable[[], None],
    may_wait: Callable[[str], bool] | None = None,
    now_s: Callable[[], float] = time.monotonic,
    receipt: ReceiptTimes | None = None,
) -> CameraPoses:
    """Subscribe to the poses that the configuration asks for.

    Args:
        on_pose: Called after each new pose.
        may_wait: Decides whether TF may still come to know a frame id.
        now_s: The clock by which it does unless that is given.
        receipt: Stamps messages that need it; made here if not given.
    """
    receipt = receipt or ReceiptTimes(node, config)
    patience = may_wait or Patience(config, now_s)
    if config.pose_source == "tf":
        if tf is None:
            raise MissingDependencyError("tf2_ros (or tf2_msgs)", "ros")
        return TfPoses(config, tf, config.global_frame)
    wanted = list(KINDS) if config.pose_source == "auto" else [config.pose_source]
    topics = [
        PoseTopic(node, config, name, tf, patience, drops, on_pose, receipt) for name in wanted
    ]
    if config.pose_source != "auto":
        return topics[0].poses
    return AutoPoses(node, config, topics, tf, patience)


class PoseTopic:
    """A subscription to poses of one kind."""

    def __init__(
        self,
        node: Node,
        config: RosConfig,
        name: str,
        tf: Tf | None,
        may_wait: Callable[[str], bool],
        drops: Drops,
        on_pose: Callable[[], None],
        receipt: ReceiptTimes,
    ) -> None:
        """Subscribe to the topic of a name of `KINDS`."""
        self._receipt = receipt
        is_rig = len(config.cameras) > 1
        self.poses = TopicPoses(name, config, tf, may_wait=may_wait, is_rig=is_rig)
        # Only who remaps a topic has said that his poses come on it.
        expanded = node.resolve_topic_name(name, only_expand=True)
        self.is_named = node.resolve_topic_name(name) != expanded
        self._node, self._drops, self._on_pose = node, drops, on_pose
        qos = of_sensors(config, config.pose_queue_size)
        self._subscription = node.create_subscription(KINDS[name], name, self._receive, qos)

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def _receive(self, message: Any, info: Any) -> None:
        self._receipt.stamp(message.header, self.poses.topic, info)
        self._on_message(message)

    def _on_message(self, message: Any) -> None:
        try:
            self.poses.add(message)
        except SourceError as error:
            self._drops.add("bad_pose", error)
            return
        self._on_pose()


class AutoPoses:
    """The preferred of several sources; once it is chosen, the others are let go.

    What is named wins, that is, a topic that is remapped. Else TF, if the camera moves by it, else
    the first topic to deliver.
    """

    def __init__(
        self,
        node: Node,
        config: RosConfig,
        topics: list[PoseTopic],
        tf: Tf | None,
        may_wait: Callable[[str], bool],
    ) -> None:
        """Wait for any of `topics`, or for TF to join camera and world."""
        self._node, self._config, self._may_wait = node, config, may_wait
        self._topics = topics
        self._candidates = [topic for topic in topics if topic.is_named] or topics
        is_named = any(topic.is_named for topic in topics)
        self._tf = None if tf is None or is_named else TfPoses(config, tf, config.global_frame)
        self._chosen: CameraPoses | None = None

    @property
    def world_frame(self) -> str:
        """That of the chosen source."""
        return self._chosen.world_frame if self._chosen else self._config.global_frame

    def world_from_camera(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """Ask the chosen source, or choose."""
        if self._chosen is None:
            self._chosen = self._choose(mounting)
            self._let_go_of_others()
        return self._chosen.world_from_camera(stamp, mounting)

    def _choose(self, mounting: Mounting) -> CameraPoses:
        if self._tf is not None:
            if self._tf.tells_motion(mounting):
                return self._tf
            # Topics are often there first; the choice shall not be one of chance.
            if self._may_wait("TF"):
                raise TransformNotYet("TF does not tell yet how the camera moves")
        poses = [topic.poses for topic in self._candidates]
        chosen = preferred_topic(poses, mounting.camera_frame)
        if chosen is not None:
            return chosen
        if self._tf is not None and self._tf.is_joined(mounting):
            self._node.get_logger().warning("the camera does not move, by all transforms")
            return self._tf
        # What keeps TF from being asked helps more than a list of topics that do not come.
        if not mounting.camera_frame and self._tf is not None:
            raise TransformNotYet(NO_FRAME_ID)
        names = ", ".join(topic.topic for topic in poses)
        raise TransformNotYet(f"no pose yet on {names}" + " or TF" * (self._tf is not None))

    def _let_go_of_others(self) -> None:
        chosen = self._chosen
        name = chosen.topic if isinstance(chosen, TopicPoses) else "TF"
        self._node.get_logger().info(f"poses come from {name}")
        # Each of their messages would go on to cost the executor time.
        for topic in self._topics:
            if topic.poses is not chosen:
                topic.close()
