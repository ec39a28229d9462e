# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of the camera of a bag: odometry of a body, its mounting, trees of transforms."""

import logging
from pathlib import Path

import numpy as np
import pytest
from bag_making import MOUNT, MS, START_NS, BagMaker, make_frame, pose_at

from ineus_core.errors import SourceError
from ineus_core.geometry import rotation_to_quaternion
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.rosbag import RosbagSource


@pytest.mark.parametrize("pose_source", ["auto", "odom"])
def test_odometry_of_a_body_and_its_static_mount(tmp_path: Path, pose_source: str) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf("/tf_static", START_NS, "base_link", "lens", MOUNT)
        # A moving part of the robot that has nothing to do with the camera.
        bag.tf("/tf", START_NS, "base_link", "wheel", np.eye(4))
        bag.info("/image/camera_info", START_NS)
        for step in range(20):
            bag.odom("/wheel/odometry", START_NS + step * 10 * MS, pose_at(step * 0.01))
        bag.image("/image", START_NS + 53 * MS, make_frame(0).rgb, frame_id="lens")
    config = RosbagConfig(pose_source=pose_source)
    (frame,) = RosbagSource(tmp_path / "bag", config)
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0.053) @ MOUNT, atol=1e-5)


def write_odometry(path: Path, *other_transforms: str) -> Path:
    """Write a bag whose TF, if there is any, does not say where the camera sits."""
    with BagMaker(path) as bag:
        for child in other_transforms:
            bag.tf("/tf_static", START_NS, "base_link", child, np.eye(4))
        bag.info("/image/camera_info", START_NS)
        for step in range(20):
            bag.odom("/odom", START_NS + step * 10 * MS, pose_at(step * 0.01))
        bag.image("/image", START_NS + 53 * MS, make_frame(0).rgb, frame_id="lens")
    return path


def test_tf_that_leaves_out_the_camera_is_an_error_that_says_what_would_do(
    tmp_path: Path,
) -> None:
    path = write_odometry(tmp_path / "bag", "laser")
    with pytest.raises(SourceError, match="'base_link' of /odom to the camera 'lens': expected"):
        RosbagSource(path)
    (frame,) = RosbagSource(path, RosbagConfig(pose_frame="lens"))
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0.053), atol=1e-5)


@pytest.mark.parametrize("other_transforms", [(), ("laser",)])
def test_a_mounting_that_is_configured_holds_where_tf_cannot_tell(
    tmp_path: Path, other_transforms: tuple[str, ...]
) -> None:
    path = write_odometry(tmp_path / "bag", *other_transforms)
    mount = (0.2, 0.0, 0.5, *(float(x) for x in rotation_to_quaternion(MOUNT[:3, :3])))
    (frame,) = RosbagSource(path, RosbagConfig(body_from_camera=mount))
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0.053) @ MOUNT, atol=1e-5)


def test_where_there_is_no_tf_at_all_the_poses_are_those_of_the_camera(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        (frame,) = RosbagSource(write_odometry(tmp_path / "bag"))
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0.053), atol=1e-5)
    assert "'base_link' of /odom to the camera 'lens'; taking" in caplog.text


@pytest.mark.parametrize(
    ("numbers", "reason"), [((1.0,) * 6, "expected 7"), ((0, 0, 0, 0, 0, 0, 2.0), "length 2")]
)
def test_a_mounting_that_is_none_is_refused(numbers: tuple[float, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RosbagConfig(body_from_camera=numbers)


def test_a_tree_without_the_global_frame_is_read_from_its_root(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for step in range(10):
            bag.tf(
                "/tf", START_NS + step * 33 * MS, "vicon/world", "camera", pose_at(step * 0.033)
            )
        for frame in map(make_frame, range(10)):
            bag.info("/camera_info", frame.stamp_ns)
            bag.image("/image_raw", frame.stamp_ns, frame.rgb)
    with caplog.at_level(logging.WARNING):
        source = RosbagSource(tmp_path / "bag")
    assert source.poses.world_frame == "vicon/world"
    assert "'odom'" in caplog.text and "'vicon/world'" in caplog.text
    assert len(list(source)) == 10


def test_a_camera_that_stands_still_by_tf(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf("/tf_static", START_NS, "odom", "camera", MOUNT)
        bag.info("/c/camera_info", START_NS)
        bag.image("/c/image_raw", START_NS, make_frame(0).rgb)
    with caplog.at_level(logging.WARNING):
        (frame,) = RosbagSource(tmp_path / "bag")
    np.testing.assert_allclose(frame.world_from_camera, MOUNT, atol=1e-12)
    assert "does not move" in caplog.text


@pytest.mark.parametrize("where", ["pose", "tf"])
@pytest.mark.parametrize("how", ["nan", "zero quaternion"])
def test_one_bad_pose_is_left_out_and_counted(
    tmp_path: Path, where: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for frame in map(make_frame, range(4)):
            bag.info("/c/camera_info", frame.stamp_ns)
            bag.image("/c/image", frame.stamp_ns, frame.rgb)
            pose = frame.world_from_camera.copy()
            is_bad = frame.stamp_ns == START_NS
            pose[0, 3] = np.nan if is_bad and how == "nan" else pose[0, 3]
            has_no_turn = is_bad and how != "nan"
            if where == "pose":
                bag.pose("/pose", frame.stamp_ns, pose, has_no_turn=has_no_turn)
            else:
                bag.tf("/tf", frame.stamp_ns, "odom", "camera", pose, has_no_turn=has_no_turn)
    with caplog.at_level(logging.WARNING):
        source = RosbagSource(tmp_path / "bag")
    assert len(list(source)) == 3 and source.dropped == {"no_pose": 1}
    assert source.poses.bad_poses == 1 and "1 bad ones" in source.describe()["poses"]
    assert f"/{where} at {START_NS} ns" in caplog.text


def test_a_bag_with_bad_poses_alone_says_so(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/c/camera_info", START_NS)
        bag.image("/c/image", START_NS, make_frame(0).rgb)
        nowhere = np.eye(4)
        nowhere[0, 3] = np.nan
        bag.pose("/pose", START_NS, nowhere)
    with pytest.raises(SourceError, match=f"/pose at {START_NS} ns.*nan"):
        RosbagSource(tmp_path / "bag")


def write_marker_bag(path: Path) -> Path:
    """Write a bag with odometry of the robot, and poses of something else that it looks at."""
    with BagMaker(path) as bag:
        bag.tf("/tf_static", START_NS, "base_link", "lens", MOUNT)
        bag.info("/image/camera_info", START_NS)
        for step in range(20):
            bag.odom("/odom", START_NS + step * 10 * MS, pose_at(step * 0.01))
            bag.pose("/marker", START_NS + step * 10 * MS, pose_at(9.0))
        bag.image("/image", START_NS + 53 * MS, make_frame(0).rgb, frame_id="lens")
    return path


def test_poses_that_may_be_of_anything_go_after_those_that_name_their_body(
    tmp_path: Path,
) -> None:
    (frame,) = RosbagSource(write_marker_bag(tmp_path / "bag"))
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0.053) @ MOUNT, atol=1e-5)


def test_a_topic_that_is_named_wins(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/image/camera_info", START_NS)
        for step in range(20):
            bag.tf("/tf", START_NS + step * 10 * MS, "odom", "lens", pose_at(7.0 + step * 0.01))
            bag.pose("/slam", START_NS + step * 10 * MS, pose_at(step * 0.01), frame_id="odom")
        bag.image("/image", START_NS + 53 * MS, make_frame(0).rgb, frame_id="lens")
    for config, expected in (({}, 7.053), ({"pose_topic": "/slam"}, 0.053)):
        (frame,) = RosbagSource(tmp_path / "bag", RosbagConfig(**config))
        np.testing.assert_allclose(frame.world_from_camera, pose_at(expected), atol=1e-5)


def write_drifting_bag(path: Path, first_correction: int, topic: str = "") -> Path:
    """Write odometry that drifts by 5 cm a frame, and the map that corrects it from a frame on."""
    with BagMaker(path) as bag:
        bag.info("/image/camera_info", START_NS)
        for frame, index in ((make_frame(index), index) for index in range(12)):
            stamp, drift = frame.stamp_ns, np.eye(4)
            drift[0, 3] = 0.05 * index
            drifted = np.linalg.inv(drift) @ frame.world_from_camera
            if index >= first_correction:
                bag.tf("/tf", stamp, "map", "odom", drift)
            if topic:
                bag.odom(topic, stamp, drifted, child="camera")
            else:
                bag.tf("/tf", stamp, "odom", "camera", drifted)
            bag.image("/image", stamp, frame.rgb)
    return path


@pytest.mark.parametrize("topic", ["", "/odom"])
def test_a_map_above_a_drifting_odom_is_the_world(tmp_path: Path, topic: str) -> None:
    path = write_drifting_bag(tmp_path / "bag", 0, topic)
    source = RosbagSource(path)
    assert source.describe()["world"] == "map"
    for index, frame in enumerate(source):
        expected = make_frame(index).world_from_camera
        np.testing.assert_allclose(frame.world_from_camera, expected, atol=1e-5)
    asked_for = RosbagSource(path, RosbagConfig(global_frame="odom"))
    assert asked_for.describe()["world"] == "odom"


def test_a_map_that_comes_late_costs_no_frame(tmp_path: Path) -> None:
    source = RosbagSource(write_drifting_bag(tmp_path / "bag", 8))
    assert source.describe()["world"] == "odom" and len(list(source)) == 12


def write_robots(path: Path, is_relay: bool) -> Path:
    """Write TF in two namespaces with the same frame ids: a relay, or another robot."""
    with BagMaker(path) as bag:
        for index in range(4):
            frame = make_frame(index)
            for number, robot in enumerate(("a", "b")):
                pose = pose_at(index * 0.033 + (0 if is_relay else 5 * number))
                bag.tf(f"/{robot}/tf", frame.stamp_ns, "odom", "camera", pose)
                bag.info(f"/{robot}/camera_info", frame.stamp_ns)
                bag.image(f"/{robot}/image", frame.stamp_ns, frame.rgb)
    return path


def test_robots_of_the_same_frame_ids_are_told_apart_by_their_namespace(tmp_path: Path) -> None:
    path = write_robots(tmp_path / "bag", is_relay=False)
    with pytest.raises(SourceError, match=r"/a and /b both have a frame 'camera'.*namespace=a"):
        RosbagSource(path)
    source = RosbagSource(path, RosbagConfig(namespace="b"))
    assert source.describe()["colour"].startswith("/b/image ")
    np.testing.assert_allclose(next(iter(source)).world_from_camera, pose_at(5.0), atol=1e-5)


def test_transforms_that_are_said_twice_are_those_of_one_robot(tmp_path: Path) -> None:
    source = RosbagSource(write_robots(tmp_path / "bag", is_relay=True))
    np.testing.assert_allclose(next(iter(source)).world_from_camera, pose_at(0.0), atol=1e-5)


def test_odometry_that_names_no_body_is_refused_where_there_is_tf(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf("/tf_static", START_NS, "base_link", "lens", MOUNT)
        bag.info("/image/camera_info", START_NS)
        for step in range(20):
            bag.odom("/odom", START_NS + step * 10 * MS, pose_at(step * 0.01), child="")
        bag.image("/image", START_NS + 53 * MS, make_frame(0).rgb, frame_id="lens")
    with pytest.raises(SourceError, match=r"/odom does not name the body .*child_frame_id"):
        RosbagSource(tmp_path / "bag")
    (frame,) = RosbagSource(tmp_path / "bag", RosbagConfig(pose_frame="base_link"))
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0.053) @ MOUNT, atol=1e-5)


@pytest.mark.parametrize("frame_id", ["lens", "base_link"])
def test_what_the_camera_sees_does_not_say_where_it_is(tmp_path: Path, frame_id: str) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf("/tf_static", START_NS, "base_link", "lens", MOUNT)
        bag.info("/image/camera_info", START_NS)
        for step in range(20):
            stamp = START_NS + step * 10 * MS
            bag.pose("/thing", stamp, pose_at(step * 0.01), frame_id=frame_id)
        bag.image("/image", START_NS + 53 * MS, make_frame(0).rgb, frame_id="lens")
    with pytest.raises(SourceError, match=f"/thing are given in '{frame_id}', which moves with"):
        RosbagSource(tmp_path / "bag")
