# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Bags as other people's robots record them, and bags that are broken."""

from pathlib import Path

import numpy as np
import pytest
from bag_making import CAMERA, MOUNT, MS, START_NS, BagMaker, make_frame, pose_at

from ineus_core.errors import ConfigError, SourceError
from ineus_core.sources.bags import ros_encoders as encode
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.types import Camera


def write_simple(path: Path, frames: int = 5, **without: bool) -> Path:
    """Write a bag with colour, camera_info, depth and poses of the camera itself."""
    with BagMaker(path) as bag:
        for frame in map(make_frame, range(frames)):
            if "info" not in without:
                bag.info("/cam/camera_info", frame.stamp_ns)
            bag.image("/cam/image_raw", frame.stamp_ns, frame.rgb)
            if "depth" not in without:
                bag.depth("/cam/depth", frame.stamp_ns, frame.depth_m)
            if "poses" not in without:
                bag.pose("/slam/pose", frame.stamp_ns, frame.world_from_camera)
    return path


def assert_same_frames(source: RosbagSource, count: int) -> None:
    frames = list(source)
    assert len(frames) == count == len(source)
    for index, frame in enumerate(frames):
        expected = make_frame(index)
        assert frame.stamp_ns == expected.stamp_ns
        assert frame.camera == expected.camera
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera, atol=1e-9)
        np.testing.assert_array_equal(frame.rgb, expected.rgb)
        np.testing.assert_allclose(frame.depth_m, expected.depth_m, atol=5.1e-4)
    assert not source.dropped


def test_frames_come_back_and_iterating_starts_over(tmp_path: Path) -> None:
    source = RosbagSource(write_simple(tmp_path / "bag"))
    assert_same_frames(source, 5)
    assert_same_frames(source, 5)
    assert source.reference_mesh() is None
    assert source.describe()["colour"].startswith("/cam/image_raw (16 x 12")


def test_a_bare_file_and_a_folder_without_metadata(tmp_path: Path) -> None:
    path = write_simple(tmp_path / "bag")
    assert_same_frames(RosbagSource(path / "bag.mcap"), 5)
    (path / "metadata.yaml").unlink()
    assert_same_frames(RosbagSource(path), 5)


def test_fewer_frames(tmp_path: Path) -> None:
    path = write_simple(tmp_path / "bag", frames=4)
    source = RosbagSource(path, max_frames=3)
    depths = [frame.depth_m for frame in source]
    assert len(source) == len(depths) == 3
    assert [float(depth[5, 5]) for depth in depths if depth is not None] == pytest.approx(
        [1.0, 1.01, 1.02]
    )


def test_a_robot_with_fast_tf_a_static_mount_and_latched_camera_info(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/robot/front/rgb/camera_info", START_NS, frame_id="/front_optical")
        bag.tf("/tf_static", START_NS, "/base_link", "/front_optical", MOUNT)
        for step in range(-1, 60):
            stamp = START_NS + step * 5 * MS
            bag.tf("/tf", stamp, "odom", "base_link", pose_at(step * 5e-3))
            bag.odom("/odom", stamp, pose_at(step * 5e-3))
            if step % 7 == 1:
                rgb = make_frame(step).rgb
                bag.image(
                    "/robot/front/rgb/image_color", stamp - 2 * MS, rgb, frame_id="front_optical"
                )
    source = RosbagSource(tmp_path / "bag")
    assert source.poses.description == "TF, odom <- front_optical"
    frames = list(source)
    assert len(frames) == len(source) == 9
    for index, frame in enumerate(frames):
        expected = pose_at((index * 7 + 1) * 5e-3 - 2e-3) @ MOUNT
        np.testing.assert_allclose(frame.world_from_camera, expected, atol=1e-5)
        assert frame.depth_m is None


def test_slower_depth_late_images_and_missing_poses_are_counted(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/c/camera_info", START_NS)
        for step in range(12):
            frame = make_frame(step)
            # Recorded in the order 1 0 3 2 ...
            log_ns = make_frame(step ^ 1).stamp_ns
            bag.image("/c/image_raw", frame.stamp_ns, frame.rgb, log_ns=log_ns)
            if step % 2 == 0:
                bag.depth("/d/depth_raw", frame.stamp_ns + 5 * MS, frame.depth_m, encoding="32FC1")
            if step < 8:
                bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    source = RosbagSource(tmp_path / "bag")
    stamps = [frame.stamp_ns for frame in source]
    assert stamps == [make_frame(step).stamp_ns for step in (0, 2, 4, 6)]
    assert source.dropped == {"no_depth": 6, "no_pose": 2}


def test_the_right_topics_among_many(tmp_path: Path) -> None:
    big = Camera(32, 24, 28, 28, 16, 12)
    with BagMaker(tmp_path / "bag") as bag:
        for frame in map(make_frame, range(3)):
            stamp, depth = frame.stamp_ns, frame.depth_m
            assert depth is not None
            for name in ("infra1", "color"):
                bag.info(f"/camera/{name}/camera_info", stamp, big if name == "infra1" else CAMERA)
            bag.image("/camera/infra1/image_rect_raw", stamp, np.zeros((24, 32, 3), np.uint8))
            bag.image("/debug/overlay", stamp, frame.rgb)
            bag.image("/camera/color/image_raw", stamp, frame.rgb)
            bag.depth("/camera/depth/image_rect_raw", stamp, np.ones((24, 32), np.float32))
            bag.depth("/camera/aligned_depth_to_color/image_raw", stamp, depth)
            bag.pose("/goal_pose", stamp, np.eye(4))
            bag.pose("/orbslam/pose", stamp, frame.world_from_camera)
    source = RosbagSource(tmp_path / "bag")
    used = source.describe()
    assert used["colour"].startswith("/camera/color/image_raw ")
    assert used["depth"] == "/camera/aligned_depth_to_color/image_raw"
    assert used["camera"] == "/camera/color/camera_info"
    assert used["poses"].startswith("/orbslam/pose")
    assert_same_frames(source, 3)


def test_compressed_colour_and_depth(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for frame in map(make_frame, range(3)):
            header = bag.header(frame.stamp_ns, "camera")
            colour = encode.encode_compressed_image(bag.make, header, frame.rgb, 100)
            bag.put("/c/image_raw/compressed", frame.stamp_ns, colour)
            depth = encode.encode_compressed_depth(bag.make, header, frame.depth_m)
            bag.put("/c/depth/compressedDepth", frame.stamp_ns, depth)
            bag.info("/c/camera_info", frame.stamp_ns)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    for index, frame in enumerate(RosbagSource(tmp_path / "bag")):
        expected = make_frame(index)
        assert np.abs(frame.rgb.astype(int) - expected.rgb).mean() < 4
        np.testing.assert_allclose(frame.depth_m, expected.depth_m, atol=5.1e-4)


@pytest.mark.parametrize("form", ["16UC1; png compressed ", "png", "rgb8; png compressed"])
def test_depth_as_a_plain_png(tmp_path: Path, form: str) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        frame = make_frame(0)
        bag.info("/c/camera_info", frame.stamp_ns)
        bag.image("/c/image_raw", frame.stamp_ns, frame.rgb)
        depth = encode.encode_compressed_depth(
            bag.make, bag.header(frame.stamp_ns, "camera"), frame.depth_m
        )
        depth.data, depth.format = depth.data[12:], form
        bag.put("/c/depth/image_raw/compressed", frame.stamp_ns, depth)
        bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    (read,) = RosbagSource(tmp_path / "bag")
    np.testing.assert_allclose(read.depth_m, frame.depth_m, atol=5.1e-4)


def test_a_damaged_picture_is_counted(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/c/camera_info", START_NS)
        for frame in map(make_frame, range(3)):
            header = bag.header(frame.stamp_ns, "camera")
            message = encode.encode_image(bag.make, header, frame.rgb)
            if frame.stamp_ns != START_NS:
                message.data = message.data[:-7]
            bag.put("/c/image_raw", frame.stamp_ns, message)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    source = RosbagSource(tmp_path / "bag")
    assert len(list(source)) == 1
    assert source.dropped == {"bad_color": 2}


def test_configured_topics_and_frames(tmp_path: Path) -> None:
    path = write_simple(tmp_path / "bag")
    config = RosbagConfig(color_topic="cam/image_raw", depth_topic="none", pose_topic="/slam/pose")
    assert all(frame.depth_m is None for frame in RosbagSource(path, config))
    with pytest.raises(SourceError, match="no topic /nothing: the bag has /cam"):
        RosbagSource(path, RosbagConfig(color_topic="/nothing"))
    with pytest.raises(SourceError, match="expected some of"):
        RosbagSource(path, RosbagConfig(pose_topic="/cam/image_raw"))
    with pytest.raises(ConfigError, match="gripper"):
        RosbagSource(path, RosbagConfig(pose_frame="gripper"))


@pytest.mark.parametrize(
    ("missing", "reason"), [("poses", "no poses"), ("info", "no camera_info")]
)
def test_a_bag_that_lacks_something_names_it(tmp_path: Path, missing: str, reason: str) -> None:
    path = write_simple(tmp_path / "bag", **{missing: True})
    with pytest.raises(SourceError, match=reason) as error:
        RosbagSource(path)
    assert str(path) in str(error.value) and "/cam/image_raw" in str(error.value)


@pytest.mark.parametrize("pose_source", ["tf", "odom"])
def test_a_configured_source_of_poses_that_is_not_there(tmp_path: Path, pose_source: str) -> None:
    path = write_simple(tmp_path / "bag")
    with pytest.raises(SourceError, match=r"/tf|Odometry"):
        RosbagSource(path, RosbagConfig(pose_source=pose_source))


def test_bags_without_frames(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "empty"):
        pass
    with pytest.raises(SourceError, match="the bag has no topic"):
        RosbagSource(tmp_path / "empty")
    with BagMaker(tmp_path / "silent") as bag:
        bag.declare("/image", "sensor_msgs/msg/Image")
        bag.info("/camera_info", START_NS)
    with pytest.raises(SourceError, match="no colour images"):
        RosbagSource(tmp_path / "silent")
    with BagMaker(tmp_path / "late") as bag:
        bag.info("/camera_info", START_NS)
        bag.image("/image", START_NS, make_frame(0).rgb)
        bag.pose("/pose", START_NS + 1, np.eye(4))
    with pytest.raises(SourceError, match=r"none of the 1 images .* \(1 no_pose\)"):
        list(RosbagSource(tmp_path / "late"))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.7, 0.99])
def test_a_truncated_bag_is_an_error_with_its_name(
    tmp_path: Path, storage: str, part: float
) -> None:
    with BagMaker(tmp_path / "bag", storage) as bag:
        for frame in map(make_frame, range(40)):
            bag.info("/camera_info", frame.stamp_ns)
            bag.image("/image", frame.stamp_ns, frame.rgb)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    file = next(file for file in (tmp_path / "bag").iterdir() if file.suffix != ".yaml")
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    for path in (file, tmp_path / "bag"):
        with pytest.raises(SourceError, match="cannot be read") as error:
            list(RosbagSource(path))
        assert str(path) in str(error.value)


def test_paths_that_are_no_bag(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for name, reason in (("absent", "no such"), ("notes.txt", "expected"), ("", "expected")):
        with pytest.raises(SourceError, match=reason):
            RosbagSource(tmp_path / name)


def test_depth_of_another_size_is_an_error(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/c/camera_info", START_NS)
        bag.image("/c/image", START_NS, make_frame(0).rgb)
        bag.depth("/c/depth", START_NS, np.ones((6, 8), np.float32))
        bag.pose("/pose", START_NS, np.eye(4))
    with pytest.raises(SourceError, match="8 x 6 pixels: expected the 16 x 12"):
        list(RosbagSource(tmp_path / "bag"))


def test_stamps_of_zero_fall_back_to_the_time_of_recording(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/c/camera_info", START_NS)
        for frame in map(make_frame, range(4)):
            bag.image("/c/image", 0, frame.rgb, log_ns=frame.stamp_ns)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    stamps = [frame.stamp_ns for frame in RosbagSource(tmp_path / "bag")]
    assert stamps == [make_frame(index).stamp_ns for index in range(4)]


def test_camera_info_that_changes_holds_from_its_time(tmp_path: Path) -> None:
    other = Camera(16, 12, 20, 20, 8, 6)
    with BagMaker(tmp_path / "bag") as bag:
        for index in range(4):
            frame = make_frame(index)
            bag.info("/c/camera_info", frame.stamp_ns, CAMERA if index < 2 else other)
            bag.image("/c/image", frame.stamp_ns, frame.rgb)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    cameras = [frame.camera for frame in RosbagSource(tmp_path / "bag")]
    assert cameras == [CAMERA, CAMERA, other, other]


def test_rectified_images_use_the_projection_matrix(tmp_path: Path) -> None:
    distorted = Camera(16, 12, 14, 14, 8, 6, "plumb_bob", (0.1, 0, 0, 0, 0))
    for name, model in (("image_rect_color", "none"), ("direct", "plumb_bob")):
        with BagMaker(tmp_path / name) as bag:
            bag.info("/c/camera_info", START_NS, distorted)
            bag.image(f"/c/{name}", START_NS, make_frame(0).rgb)
            bag.pose("/pose", START_NS, np.eye(4))
        (frame,) = RosbagSource(tmp_path / name)
        assert frame.camera.distortion_model == model
