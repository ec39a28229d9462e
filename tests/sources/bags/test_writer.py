# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that are written come back the same, complete or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bag_making import MS, START_NS, make_frame, pose_at

from ineus_core.errors import CapacityError, ConfigError, SourceError
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.ros_messages import decode_transform
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.sources.bags.writer import BODY_FROM_CAMERA, BagWriterConfig, write_bag
from ineus_core.types import Frame

FRAMES = [make_frame(index) for index in range(4)]


def assert_same(path: Path, config: RosbagConfig | None = None, colour_error: float = 0) -> None:
    frames = list(RosbagSource(path, config or RosbagConfig()))
    assert [frame.stamp_ns for frame in frames] == [frame.stamp_ns for frame in FRAMES]
    for frame, expected in zip(frames, FRAMES, strict=True):
        assert frame.camera == expected.camera
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera, atol=1e-9)
        assert np.abs(frame.rgb.astype(int) - expected.rgb).mean() <= colour_error
        np.testing.assert_allclose(frame.depth_m, expected.depth_m, atol=5.1e-4)


@pytest.mark.parametrize("name", ["out.mcap", "out.db3", "folder"])
@pytest.mark.parametrize("pose_source", ["tf", "odom"])
def test_written_bags_come_back(tmp_path: Path, name: str, pose_source: str) -> None:
    path = tmp_path / "new" / name
    assert write_bag(FRAMES, path) == 4
    assert path.is_file() == (name == "out.mcap")
    assert [file.name for file in path.parent.iterdir()] == [name]
    assert_same(path, RosbagConfig(pose_source=pose_source))


def test_jpeg_and_metres(tmp_path: Path) -> None:
    config = BagWriterConfig(compressed=True, depth_encoding="32FC1")
    write_bag(FRAMES, tmp_path / "out.mcap", config)
    assert_same(tmp_path / "out.mcap", colour_error=4)
    with BagFile(tmp_path / "out.mcap") as bag:
        assert "/camera/color/image_raw/compressed" in bag.topics
        assert bag.first("/camera/depth/image_raw").encoding == "32FC1"


def test_topics_frame_ids_and_recorded_qos(tmp_path: Path) -> None:
    write_bag(FRAMES, tmp_path / "out.mcap")
    with BagFile(tmp_path / "out.mcap") as bag:
        counts = {topic.name: topic.count for topic in bag.topics.values()}
        assert counts == {
            "/tf_static": 1,
            "/tf": 4,
            "/odom": 4,
            "/camera/color/camera_info": 4,
            "/camera/color/image_raw": 4,
            "/camera/depth/camera_info": 4,
            "/camera/depth/image_raw": 4,
        }
        assert bag.topics["/tf_static"].qos[0].durability.name == "TRANSIENT_LOCAL"
        assert bag.topics["/tf"].qos[0].durability.name == "VOLATILE"
        mount = bag.first("/tf_static").transforms[0]
        assert mount.header.frame_id == "base_link"
        assert mount.child_frame_id == "camera_color_optical_frame"
        np.testing.assert_allclose(decode_transform(mount), BODY_FROM_CAMERA, atol=1e-12)
        odometry = bag.first("/odom")
        assert (odometry.header.frame_id, odometry.child_frame_id) == ("odom", "base_link")
        assert bag.first("/camera/color/image_raw").encoding == "rgb8"


def test_the_optical_axis_is_the_body_forward() -> None:
    # Forward, left and up of the body are z, -x and -y of the camera.
    np.testing.assert_array_equal(BODY_FROM_CAMERA[:3, :3] @ [0, 0, 1], [1, 0, 0])
    np.testing.assert_array_equal(BODY_FROM_CAMERA[:3, :3] @ [-1, 0, 0], [0, 1, 0])
    np.testing.assert_array_equal(BODY_FROM_CAMERA[:3, :3] @ [0, -1, 0], [0, 0, 1])
    assert np.linalg.det(BODY_FROM_CAMERA) == pytest.approx(1)


def test_odometry_between_the_frames(tmp_path: Path) -> None:
    config = BagWriterConfig(odom_rate_hz=90)
    write_bag(FRAMES, tmp_path / "out.mcap", config)
    with BagFile(tmp_path / "out.mcap") as bag:
        poses = [(ns, bag.decode(name, raw)) for name, ns, raw in bag.messages(["/odom"])]
    # 33 ms at 90 Hz need three pieces of 11 ms.
    assert [ns - START_NS for ns, _ in poses] == [step * 11 * MS for step in range(10)]
    for ns, message in poses:
        expected = pose_at((ns - START_NS) * 1e-9) @ np.linalg.inv(BODY_FROM_CAMERA)
        np.testing.assert_allclose(decode_transform(message), expected, atol=1e-6)
    assert_same(tmp_path / "out.mcap")


def test_colour_only(tmp_path: Path) -> None:
    frames = [Frame(f.stamp_ns, f.camera, f.world_from_camera, f.rgb) for f in FRAMES]
    write_bag(frames, tmp_path / "out.mcap", max_frames=2)
    source = RosbagSource(tmp_path / "out.mcap")
    assert [frame.depth_m for frame in source] == [None, None]


@pytest.mark.parametrize("name", ["out.mcap", "out.db3", "folder"])
def test_nothing_is_replaced_unless_asked(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_bag(FRAMES[:1], path)
    with pytest.raises(ConfigError, match="exists"):
        write_bag(FRAMES, path)
    assert len(RosbagSource(path)) == 1
    write_bag(FRAMES, path, overwrite=True)
    assert len(RosbagSource(path)) == 4
    assert os.listdir(tmp_path) == [name]


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="without a bag"):
        write_bag(FRAMES, tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_failure_leaves_nothing_new_and_the_old_in_place(tmp_path: Path) -> None:
    def breaks() -> Iterator[Frame]:
        yield FRAMES[0]
        raise SourceError("the disk of the source has died")

    path = tmp_path / "out.mcap"
    with pytest.raises(SourceError, match="died"):
        write_bag(breaks(), path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(SourceError, match="no frame"):
        write_bag([], path)
    assert os.listdir(tmp_path) == []
    write_bag(FRAMES, path)
    with pytest.raises(SourceError, match="died"):
        write_bag(breaks(), path, overwrite=True)
    assert os.listdir(tmp_path) == ["out.mcap"]
    assert_same(path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CapacityError, match="cannot be written"):
        write_bag(FRAMES, tmp_path / "file" / "out.mcap")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rosbags.rosbag2 import Writer

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write_bag(FRAMES, tmp_path / "out.mcap")
    monkeypatch.setattr(Writer, "close", no_space)
    with pytest.raises(CapacityError, match="No space left"):
        write_bag(FRAMES[:1], tmp_path / "out.mcap", overwrite=True)
    assert os.listdir(tmp_path) == ["out.mcap"]
    assert len(RosbagSource(tmp_path / "out.mcap")) == 4
