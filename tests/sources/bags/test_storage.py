# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Bags in every packing: the same frames come out, or the cause is named."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from bag_making import BagMaker, make_frame

from ineus_core.errors import SourceError
from ineus_core.sources import source_kind
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.sources.bags.storage import full_type_name

FRAMES = 6


def write(path: Path, storage: str = "mcap", frames: range = range(FRAMES)) -> Path:
    """Write colour, depth, camera_info and TF."""
    with BagMaker(path, storage) as bag:
        for frame in map(make_frame, frames):
            bag.info("/cam/camera_info", frame.stamp_ns)
            bag.image("/cam/image_raw", frame.stamp_ns, frame.rgb)
            bag.depth("/cam/depth", frame.stamp_ns, frame.depth_m)
            bag.tf("/tf", frame.stamp_ns, "map", "camera", frame.world_from_camera)
    return path


def packed(data: bytes) -> bytes:
    from rosbags.rosbag2 import reader

    return reader.zstd.compress(data)


def in_file(data: bytes, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def storage_file(folder: Path) -> Path:
    return next(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))


def assert_all_frames(path: Path, first: int = 0) -> None:
    assert source_kind(path) == "rosbag"
    source = RosbagSource(path)
    frames = list(source)
    assert len(frames) == len(source) == FRAMES - first
    for index, frame in enumerate(frames, start=first):
        expected = make_frame(index)
        assert (frame.stamp_ns, frame.camera) == (expected.stamp_ns, expected.camera)
        np.testing.assert_array_equal(frame.rgb, expected.rgb)
        np.testing.assert_allclose(frame.depth_m, expected.depth_m, atol=5.1e-4)
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera, atol=1e-9)


def test_a_bag_of_ros_1(tmp_path: Path) -> None:
    assert_all_frames(write(tmp_path / "walk.bag", "ros1"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "walk.bag").rename(folder / "walk.bag")
    assert_all_frames(folder)


@pytest.mark.parametrize(("storage", "suffix"), [("mcap", ".zst"), ("sqlite3", ".zstd")])
def test_files_in_zstandard_with_and_without_metadata(
    tmp_path: Path, storage: str, suffix: str
) -> None:
    bag = write(tmp_path / "bag", storage)
    file = storage_file(bag)
    alone = in_file(packed(file.read_bytes()), tmp_path / "alone" / f"{file.name}{suffix}")
    assert_all_frames(alone)
    assert_all_frames(alone.parent)


def test_messages_that_are_packed_one_by_one_without_metadata(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", "sqlite3")
    with sqlite3.connect(storage_file(bag)) as base:
        for row, data in base.execute("SELECT id, data FROM messages").fetchall():
            base.execute("UPDATE messages SET data = ? WHERE id = ?", (packed(data), row))
    (bag / "metadata.yaml").unlink()
    assert_all_frames(bag)


def test_types_without_msg_in_their_name(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", "sqlite3")
    with sqlite3.connect(storage_file(bag)) as base:
        base.execute("UPDATE topics SET type = replace(type, '/msg/', '/')")
    assert_all_frames(storage_file(bag))
    assert full_type_name("tf/tfMessage") == "tf2_msgs/msg/TFMessage"
    assert full_type_name("sensor_msgs/Image") == "sensor_msgs/msg/Image"


def test_a_renamed_file_and_the_path_of_the_metadata(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bag = write(tmp_path / "bag")
    assert_all_frames(bag / "metadata.yaml")
    file = storage_file(bag)
    file.rename(bag / "walk_in_the_lab.mcap")
    assert_all_frames(bag)
    assert f"names {file.name}, which is not there; read is what is: walk_in" in caplog.text
    caplog.clear()
    (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    assert_all_frames(bag)
    assert "metadata.yaml is not used" in caplog.text


def test_splits_of_which_the_last_is_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = [write(tmp_path / f"{i}", frames=range(3 * i, 3 * i + 3)) for i in range(2)]
    whole = tmp_path / "whole"
    whole.mkdir()
    for i, part in enumerate(parts):
        shutil.copy(storage_file(part), whole / f"walk_{i}.mcap")
    (whole / "walk_2.mcap").touch()
    assert_all_frames(whole)
    assert "left out walk_2.mcap, which is empty" in caplog.text


def test_a_pointer_of_git_lfs(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"
    for name in ("a.bag", "b.mcap", "c.db3"):
        file = in_file(pointer, tmp_path / name.replace(".", "_") / name)
        for path in (file, file.parent):
            with pytest.raises(
                SourceError, match=rf"{name}: it is a pointer of Git LFS.*lfs pull"
            ):
                RosbagSource(path)


def test_a_damaged_bag_of_ros_1_and_types_of_others(tmp_path: Path) -> None:
    data = write(tmp_path / "walk.bag", "ros1").read_bytes()
    with pytest.raises(SourceError, match=r"cut\.bag cannot be read: .*rosbag reindex"):
        RosbagSource(in_file(data[: len(data) // 2], tmp_path / "cut.bag"))


def test_files_of_several_kinds_are_not_one_bag(tmp_path: Path) -> None:
    write(tmp_path / "walk.bag", "ros1")
    shutil.copy(storage_file(write(tmp_path / "other")), tmp_path / "walk.mcap")
    with pytest.raises(SourceError, match=r"walk\.bag, walk\.mcap\) are not one bag"):
        RosbagSource(tmp_path)
