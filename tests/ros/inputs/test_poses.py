# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which of several sources of poses a node takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from nav_msgs.msg import Odometry
from rclpy.node import Node
from ros_stream import pose_message, tf_message
from std_msgs.msg import Empty

from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.pose_policy import Mounting
from ineus_core.sources.pose_track import TransformNotYet
from ineus_ros.drops import Drops
from ineus_ros.inputs.poses import AutoPoses, Patience, make_poses
from ineus_ros.inputs.tf import TreeTf

pytestmark = pytest.mark.ros

S = 1_000_000_000
CAMERA = Mounting("lens", np.eye(4), is_configured=False)


def at(x: float) -> np.ndarray:
    transform = np.eye(4)
    transform[0, 3] = x
    return transform


class Robot:
    """The poses of a node, fed by hand: by odometry of the camera at x = 1, by TF at x = 2."""

    def __init__(self, node: Node) -> None:
        config = RosConfig(pose_tolerance_s=1.0)
        self.drops = Drops(node.get_logger())
        self.tf = TreeTf(node, config, Empty, self.drops, lambda: None)
        self.may_wait = True
        made = make_poses(
            node, config, self.tf, self.drops, lambda: None, lambda frame: self.may_wait
        )
        assert isinstance(made, AutoPoses)
        self.poses = made

    def tell_odometry(self) -> None:
        topic = next(t for t in self.poses._topics if t.poses.topic == "odom")
        message = Odometry(child_frame_id="lens")
        message.header.frame_id, message.header.stamp.sec = "odom", 1
        message.pose.pose = pose_message(at(1.0))
        topic._on_message(message)

    def tell_tf(self, moves: bool) -> None:
        take = self.tf.on_moving if moves else self.tf.on_static
        take(tf_message("odom", "lens", S, at(2.0)))

    @property
    def x(self) -> float:
        return float(self.poses.world_from_camera(S, CAMERA)[0, 3])


@pytest.fixture
def robot(ros: Callable[..., Any]) -> Callable[..., Robot]:
    def make(*arguments: str) -> Robot:
        return Robot(ros(lambda context: Node("ineus", context=context), list(arguments)))

    return make


def test_tf_by_which_the_camera_moves_goes_before_a_topic_by_its_usual_name(
    robot: Callable[..., Robot],
) -> None:
    made = robot()
    made.tell_odometry()
    with pytest.raises(TransformNotYet):
        made.poses.world_from_camera(S, CAMERA)
    made.tell_tf(moves=True)
    assert made.x == 2.0


def test_a_topic_that_is_remapped_goes_before_tf(robot: Callable[..., Robot]) -> None:
    made = robot("-r", "odom:=/slam/odometry")
    made.tell_tf(moves=True)
    with pytest.raises(TransformNotYet):
        made.poses.world_from_camera(S, CAMERA)
    made.tell_odometry()
    assert made.x == 1.0


@pytest.mark.parametrize("tells_mounting", [True, False])
def test_a_topic_serves_where_tf_tells_no_motion(
    robot: Callable[..., Robot], tells_mounting: bool
) -> None:
    made = robot()
    if tells_mounting:
        made.tell_tf(moves=False)
    made.tell_odometry()
    made.may_wait = False
    assert made.x == 1.0
    # What is chosen stays.
    made.tell_tf(moves=True)
    assert made.x == 1.0


def test_the_frame_that_the_node_itself_tells_of_is_no_tf(robot: Callable[..., Robot]) -> None:
    """Far from the origin of the world, it would else wait for TF that nobody sends."""
    made = robot()
    assert made.tf.is_empty
    made.tf.on_static(tf_message("odom", "ineus_origin", 0, at(5e5)))
    assert made.tf.is_empty
    # It is in the tree all the same, as clouds of queries may be in it.
    assert made.tf.lookup("odom", "ineus_origin", S)[0, 3] == 5e5
    made.tell_tf(moves=False)
    assert not made.tf.is_empty


def test_a_camera_that_stands_still_by_tf_is_taken_as_that(robot: Callable[..., Robot]) -> None:
    made = robot()
    made.tell_tf(moves=False)
    with pytest.raises(TransformNotYet):
        made.poses.world_from_camera(S, CAMERA)
    made.may_wait = False
    assert made.x == 2.0


def test_patience_is_half_the_time_that_an_image_waits() -> None:
    now_s = [0.0]
    patience = Patience(RosConfig(tf_timeout_s=2.0), lambda: now_s[0])
    assert patience("base")
    now_s[0] = 0.9
    assert patience("base") and patience("lens")
    now_s[0] = 1.1
    assert not patience("base") and patience("lens")
