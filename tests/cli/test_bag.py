# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus bag` as a user meets it."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bag_making import START_NS, BagMaker, make_frame
from command import CommandResult

from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.sources.bags.writer import write_bag

Ineus = Callable[..., CommandResult]


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    path = tmp_path / "in.mcap"
    write_bag([make_frame(index) for index in range(3)], path)
    return path


def test_make_says_what_it_wrote(bag: Path, tmp_path: Path, ineus: Ineus) -> None:
    out = tmp_path / "out.db3"
    result = ineus("bag", "make", bag, out, "--max-frames", 2, "--depth-encoding", "32FC1")
    assert result.exit_code == 0, result.stderr
    assert f"{out}: 2 frames" in result.stdout
    assert len(RosbagSource(out)) == 2
    ineus("bag", "make", bag, out).assert_fails(2, str(out), "--overwrite")
    again = ineus("bag", "make", bag, out, "--overwrite", "--compressed", "--odom-rate", 90)
    assert again.exit_code == 0, again.stderr
    assert len(RosbagSource(out)) == 3


def test_make_refuses_what_it_cannot_do(bag: Path, tmp_path: Path, ineus: Ineus) -> None:
    out = tmp_path / "out.mcap"
    ineus("bag", "make", tmp_path / "absent", out).assert_fails(1, "absent")
    ineus("bag", "make", bag, out, "--source", "rosbug").assert_fails(2, "rosbug")
    ineus("bag", "make", bag, out, "--depth-encoding", "8UC1").assert_fails(2, "8UC1")
    ineus("bag", "make", bag, out, "--odom-rate", -1).assert_fails(2, "-1")
    ineus("bag", "make", bag, out, "--hold-out", 1).assert_fails(2, "--hold-out 1")
    assert not out.exists()


def test_make_leaves_out_what_is_held_out_for_measuring(tmp_path: Path, ineus: Ineus) -> None:
    """The same frames that `ineus run --hold-out` keeps from training."""
    everything, out = tmp_path / "in.mcap", tmp_path / "out.mcap"
    write_bag([make_frame(index) for index in range(7)], everything)
    result = ineus("bag", "make", everything, out, "--hold-out", 3)
    assert result.exit_code == 0, result.stderr
    stamps = [frame.stamp_ns for frame in RosbagSource(everything)]
    kept = [frame.stamp_ns for frame in RosbagSource(out)]
    assert kept == [stamps[index] for index in (0, 1, 3, 4, 6)]


def test_info_lists_topics_and_what_would_be_used(bag: Path, ineus: Ineus) -> None:
    result = ineus("bag", "info", bag)
    assert result.exit_code == 0, result.stderr
    for words in ("/camera/depth/image_raw", "nav_msgs/msg/Odometry", "0.066 s", "TF, odom <-"):
        assert words in result.stdout


def test_info_says_why_a_bag_is_of_no_use(tmp_path: Path, ineus: Ineus) -> None:
    with BagMaker(tmp_path / "bag") as maker:
        maker.image("/image", START_NS, make_frame(0).rgb)
    result = ineus("bag", "info", tmp_path / "bag")
    assert result.exit_code == 0
    assert "cannot use it" in result.stdout and "camera_info" in result.stdout
    (tmp_path / "cut.mcap").write_bytes((tmp_path / "bag" / "bag.mcap").read_bytes()[:200])
    ineus("bag", "info", tmp_path / "cut.mcap").assert_fails(1, "cut.mcap", "cannot be read")


def test_play_becomes_the_player(bag: Path, ineus: Ineus, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)
    monkeypatch.setattr(os, "execv", lambda _path, words: calls.append(words))
    ineus("bag", "play", bag, "--rate", 2, "--loop", "--topic", "/odom", "--topic", "/tf")
    (words,) = calls
    assert words[:4] == [sys.executable, "-m", "ineus_ros.player", str(bag)]
    assert words[words.index("--rate") + 1] == "2.0" and "--loop" in words
    assert words.count("--topic") == 2


def test_play_without_rclpy_says_how_to_get_it(
    bag: Path, ineus: Ineus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    ineus("bag", "play", bag).assert_fails(1, "rclpy", "[ros]")


@pytest.mark.parametrize("name", ["pipe.mcap", "folder/pipe.mcap", "folder/metadata.yaml"])
def test_a_pipe_is_not_waited_for(ineus: Ineus, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / name)
    ineus("bag", "info", tmp_path / Path(name).parts[0]).assert_fails(
        1, "expected a file of .mcap"
    )
