# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The policy of poses that bags and topics share, on messages and frame ids made by hand."""

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ineus_core.errors import SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.pose_policy import Mounting, TfPoses, TopicPoses, preferred_topic
from ineus_core.sources.bags.transforms import TransformTree
from ineus_core.sources.pose_track import TransformNotYet, TransformUnknown

S = 1_000_000_000
CAMERA = Mounting("lens", np.eye(4), is_configured=False)


def at(x: float, z: float = 0.0) -> np.ndarray:
    transform = np.eye(4)
    transform[:3, 3] = x, 0.0, z
    return transform


MOUNTED = Mounting("lens", at(0.0, 0.5), is_configured=True)


def pose(second: float, x: float, frame: str = "odom", body: str = "", w: float = 1.0) -> Any:
    """Make a stamped pose, or odometry if it has a body."""
    whole, rest = divmod(round(second * S), S)
    header = SimpleNamespace(stamp=SimpleNamespace(sec=whole, nanosec=rest), frame_id=frame)
    position = SimpleNamespace(x=x, y=0.0, z=0.0)
    orientation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=w)
    message = SimpleNamespace(
        header=header, pose=SimpleNamespace(position=position, orientation=orientation)
    )
    if body:
        message.child_frame_id = body
    return message


def topic(tf: TransformTree | None = None, given: Any = (), **settings: Any) -> TopicPoses:
    """Poses every second of a walk along x at 1 m/s, or those that are given."""
    names = {"may_wait", "is_rig", "jump_ns", "capacity"}
    policy = {name: settings.pop(name) for name in names & settings.keys()}
    config = RosConfig(**{"pose_tolerance_s": 1.0, **settings})
    poses = TopicPoses("/poses", config, tf, **policy)
    for message in given or [pose(second, second) for second in range(4)]:
        poses.add(message)
    return poses


def x_at(poses: TopicPoses, second: float, mounting: Mounting = CAMERA) -> float:
    return float(poses.world_from_camera(round(second * S), mounting)[0, 3])


def tree(*links: tuple[str, str, float]) -> TransformTree:
    made = TransformTree()
    for parent, child, x in links:
        made.add(parent, child, 0, at(x), static=True)
    return made


def test_poses_are_interpolated_and_never_extrapolated() -> None:
    poses = topic()
    assert x_at(poses, 1.25) == pytest.approx(1.25)
    with pytest.raises(TransformNotYet):
        x_at(poses, 3.5)
    with pytest.raises(TransformUnknown):
        x_at(poses, -0.5)


def test_each_image_is_placed_by_the_frame_ids_that_its_poses_have() -> None:
    """A localisation that changes its frame id on the way; TF joins both to the world."""
    given = [pose(second, second) for second in range(3)]
    given += [pose(second, 100.0 + second, frame="/map") for second in range(3, 6)]
    poses = topic(tree(("odom", "map", -90.0)), given)
    assert x_at(poses, 1.5) == pytest.approx(1.5)
    assert x_at(poses, 4.5) == pytest.approx(14.5)
    with pytest.raises(TransformUnknown):
        x_at(poses, 2.5)
    with pytest.raises(TransformNotYet):
        x_at(poses, 6.0)


def test_one_message_in_another_frame_taints_none_that_follow() -> None:
    poses = topic(None, [pose(0, 50.0, frame="marker"), *(pose(s, s) for s in range(1, 4))])
    assert x_at(poses, 1.5) == pytest.approx(1.5)
    assert poses.world_frame == "odom"
    with pytest.raises(TransformUnknown, match="'marker' of /poses to the world 'odom'"):
        x_at(poses, 0.0)


def test_the_first_poses_name_the_world_where_nothing_joins_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    poses = topic(None, [*(pose(s, s, "map") for s in range(3)), pose(3, 9.0), pose(4, 9.0)])
    with caplog.at_level(logging.WARNING):
        assert x_at(poses, 0.5) == pytest.approx(0.5)
    assert poses.world_frame == "map" and "the mesh is built in 'map'" in caplog.text
    with pytest.raises(TransformUnknown):
        x_at(poses, 3.5)


@pytest.mark.parametrize(
    "bad", [pose(3, np.nan), pose(3, 0.0, w=0.0), pose(3, 0.0, w=np.inf), pose(3, 0.0, w=2.0)]
)
def test_a_bad_pose_is_refused_and_leaves_the_others(bad: Any) -> None:
    poses = topic()
    with pytest.raises(SourceError, match="expected"):
        poses.add(bad)
    assert x_at(poses, 2.5) == pytest.approx(2.5) and poses.received == 4


def test_a_jump_back_begins_anew_unless_poses_are_read_ahead() -> None:
    live, read_ahead = topic(), topic(jump_ns=0)
    for poses in (live, read_ahead):
        poses.add(pose(0.5, 7.0, frame="map"))
        poses.add(pose(0.75, 7.0, frame="map"))
    with pytest.raises(TransformNotYet):
        x_at(live, 1.5)
    assert x_at(read_ahead, 1.5) == pytest.approx(1.5)


def test_frame_ids_that_never_end_take_no_memory() -> None:
    poses = topic(None, [pose(second, 0.0, frame=f"map_{second}") for second in range(100)])
    assert len(poses._tracks) <= 8 and poses.received == 100


def test_tf_knows_the_mounting_better_than_the_configuration() -> None:
    walk = [pose(second, second, body="base") for second in range(3)]
    told = topic(tree(("base", "lens", 0.25)), walk)
    assert x_at(told, 1.0, MOUNTED) == pytest.approx(1.25)
    silent = topic(None, walk)
    assert silent.world_from_camera(S, MOUNTED)[2, 3] == pytest.approx(0.5)


def test_tf_is_waited_for_and_then_the_configuration_holds() -> None:
    walk = [pose(second, second, body="base") for second in range(3)]
    still = [True]
    tf = tree(("base", "gripper", 1.0))
    poses = topic(tf, walk, may_wait=lambda frame: still[0])
    with pytest.raises(TransformNotYet, match="body_from_camera"):
        x_at(poses, 1.0, MOUNTED)
    still[0] = False
    assert poses.world_from_camera(S, MOUNTED)[2, 3] == pytest.approx(0.5)
    # What has been decided holds: a map is not moved by a word that comes late.
    tf.add("base", "lens", 0, at(0.25), static=True)
    assert poses.world_from_camera(S, MOUNTED)[2, 3] == pytest.approx(0.5)


def test_tf_that_leaves_out_the_camera_is_no_reason_to_guess() -> None:
    walk = [pose(second, second, body="base") for second in range(3)]
    with pytest.raises(SourceError, match="'base' of /poses to the camera 'lens': expected"):
        x_at(topic(tree(("base", "gripper", 1.0)), walk), 1.0)
    assert x_at(topic(TransformTree(), walk), 1.0) == pytest.approx(1.0)
    with pytest.raises(SourceError, match="does not name the body"):
        x_at(topic(is_rig=True), 1.0)


def test_an_image_with_another_frame_id_is_placed_by_it() -> None:
    walk = [pose(second, second, body="base") for second in range(3)]
    poses = topic(tree(("base", "lens", 0.25), ("base", "other", 0.75)), walk)
    other = Mounting("other", np.eye(4), is_configured=False)
    assert (x_at(poses, 1.0), x_at(poses, 1.0, other)) == (1.25, 1.75)


def test_what_names_its_body_goes_before_what_may_be_of_anything() -> None:
    tf = tree(("base", "lens", 0.25))
    marker = topic(tf, [pose(0, 9.0)])
    odometry = topic(tf, [pose(0, 0.0, body="base")])
    silent = TopicPoses("/silent", RosConfig(), tf)
    assert preferred_topic([silent, marker, odometry], "lens") is odometry
    assert preferred_topic([silent, marker], "lens") is marker
    assert preferred_topic([silent], "lens") is None


def test_tf_tells_motion_only_by_a_link_that_moves() -> None:
    still = tree(("odom", "base", 1.0), ("base", "lens", 0.25))
    poses = TfPoses(RosConfig(), still, "odom")
    assert poses.is_joined(CAMERA) and not poses.tells_motion(CAMERA)
    for second in range(3):
        still.add("odom", "base", second * S, at(float(second)))
    assert poses.tells_motion(CAMERA)
    assert poses.world_from_camera(S, CAMERA)[0, 3] == pytest.approx(1.25)
    as_far_as_the_body = TfPoses(RosConfig(pose_frame="base"), still, "odom")
    assert as_far_as_the_body.world_from_camera(S, MOUNTED)[2, 3] == pytest.approx(0.5)
    assert not TfPoses(RosConfig(), still, "map").tells_motion(CAMERA)
