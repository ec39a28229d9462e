# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The player in a process of its own, heard by a subscriber over DDS."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bag_making import START_NS, make_frame

from ineus_core.sources import BagFile
from ineus_core.sources.bags.ros_messages import (
    decode_camera,
    decode_image,
    decode_transform,
    stamp_ns,
)
from ineus_core.sources.bags.writer import write_bag

rclpy = pytest.importorskip("rclpy", reason="needs rclpy (pip install '.[ros]')")

pytestmark = pytest.mark.ros

FRAMES = 12
HUNG_S = 180.0
"""Longer than anything takes on a busy machine."""
WAIT = ("--wait-subscribers", str(HUNG_S))
COLOUR = "/camera/color/image_raw"


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "walk.mcap"
    write_bag([make_frame(index, period_ms=50) for index in range(FRAMES)], path)
    return path


class Listener:
    """Keeps what arrives."""

    def __init__(self) -> None:
        from geometry_msgs.msg import TransformStamped
        from nav_msgs.msg import Odometry
        from rclpy.executors import SingleThreadedExecutor
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import CameraInfo, Image

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = {}
        # Others find subscribers in the order in which these were made. The player waits for that
        # of colour, and then knows the others.
        topics = {"/camera/color/camera_info": CameraInfo, "/odom": Odometry, "/clock": Clock}
        topics["/transform"] = TransformStamped
        for name, message_type in {**topics, COLOUR: Image}.items():
            self.heard[name] = []
            self.node.create_subscription(message_type, name, self.heard[name].append, 100)

    def spin_while(self, process: subprocess.Popen[str]) -> str:
        """Listen until the process has ended; return its output."""
        end = time.monotonic() + HUNG_S
        while process.poll() is None and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        taken = -1
        while taken < (taken := sum(map(len, self.heard.values()))):
            for _ in range(50):
                self.executor.spin_once(timeout_sec=0.01)
        if process.poll() is None:
            process.kill()
            raise AssertionError(f"still playing after {HUNG_S} s: {process.communicate()}")
        output, errors = process.communicate()
        assert "Traceback" not in errors, errors
        return output + errors

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def start(path: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ineus_ros.player", str(path), *options]
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_everything_arrives_unchanged(bag: Path, listener: Listener) -> None:
    process = start(bag, *WAIT, "--clock")
    output = listener.spin_while(process)
    assert process.returncode == 0, output
    for topic in (COLOUR, "/camera/color/camera_info", "/odom"):
        assert len(listener.heard[topic]) == FRAMES, output
    for index, message in enumerate(listener.heard[COLOUR]):
        expected = make_frame(index, period_ms=50)
        assert stamp_ns(message.header) == expected.stamp_ns
        np.testing.assert_array_equal(decode_image(message), expected.rgb)
    camera = decode_camera(listener.heard["/camera/color/camera_info"][0])
    assert camera == make_frame(0).camera
    assert decode_transform(listener.heard["/odom"][3])[0, 3] == pytest.approx(0.15)
    clock = [message.clock for message in listener.heard["/clock"]]
    assert stamp_ns(type("Header", (), {"stamp": clock[0]})) >= START_NS
    assert f"{FRAMES:6d}  {COLOUR}" in output and "late by" in output


def test_types_that_are_not_installed_are_named_once(bag: Path, listener: Listener) -> None:
    output = listener.spin_while(start(bag, "--rate", "0"))
    try:
        import tf2_msgs.msg  # noqa: F401
    except ImportError:
        assert output.count("skipping /tf:") == 1 and "tf2_msgs/msg/TFMessage" in output


def test_what_transforms_tell_goes_out_where_they_cannot(bag: Path, listener: Listener) -> None:
    """Wheels of rclpy have no tf2_msgs; a node without TF would take odometry for the camera's."""
    if importlib.util.find_spec("tf2_msgs") is not None:
        pytest.skip("transforms can be played here")
    output = listener.spin_while(start(bag, "--rate", "4", *WAIT))
    assert output.count("in place of the transforms: poses of") == 1, output
    poses = listener.heard["/transform"]
    assert len(poses) == FRAMES
    image = listener.heard[COLOUR][0]
    for index, message in enumerate(poses):
        frame = make_frame(index, period_ms=50)
        assert stamp_ns(message.header) == frame.stamp_ns
        assert message.child_frame_id == image.header.frame_id
        np.testing.assert_allclose(decode_transform(message), frame.world_from_camera, atol=1e-6)


def test_one_topic_alone(bag: Path, listener: Listener) -> None:
    output = listener.spin_while(start(bag, "--rate", "4", "--topic", COLOUR, *WAIT))
    assert len(listener.heard[COLOUR]) == FRAMES, output
    assert not listener.heard["/odom"]


class WaitedTime(threading.Event):
    """A clock that goes on by what is waited for, and by nothing else."""

    now_s = 7.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return self.is_set()


@pytest.mark.parametrize(("rate", "period_s"), [(1.0, 0.05), (4.0, 0.0125), (0.0, 0.0)])
def test_each_message_goes_out_when_it_is_due(
    ros: Callable[..., Any],
    bag: Path,
    monkeypatch: pytest.MonkeyPatch,
    rate: float,
    period_s: float,
) -> None:
    from rclpy.node import Node

    from ineus_ros import player

    clock, sent_s = WaitedTime(), list[float]()
    monkeypatch.setattr(player, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    node = ros(lambda context: Node("player", context=context))
    with BagFile(bag) as opened:
        played = player.Player(node, opened, clock, only=[COLOUR])
        published = played._publishers[COLOUR].publish

        def publish(raw: bytes) -> None:
            sent_s.append(clock.now_s)
            published(raw)

        played._publishers[COLOUR] = SimpleNamespace(publish=publish)
        played.play(rate)
    assert np.diff(sent_s) == pytest.approx([period_s] * (FRAMES - 1))
    assert played.worst_s == pytest.approx(0.0) and played.played == {COLOUR: FRAMES}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_ends_cleanly_on_a_signal(
    bag: Path, listener: Listener, number: signal.Signals
) -> None:
    process = start(bag, "--loop", "--rate", "5", *WAIT)
    end = time.monotonic() + HUNG_S
    while len(listener.heard[COLOUR]) <= FRAMES and time.monotonic() < end:
        listener.executor.spin_once(timeout_sec=0.05)
    assert len(listener.heard[COLOUR]) > FRAMES
    process.send_signal(number)
    # Who does not heed it would play for ever.
    output = listener.spin_while(process)
    assert process.returncode == 0, output
    assert "played" in output


def test_errors_are_one_line(bag: Path, tmp_path: Path) -> None:
    for path, options, word in (
        (tmp_path / "absent.mcap", (), "absent.mcap"),
        (bag, ("--topic", "/nothing"), "/nothing"),
    ):
        _, errors = (process := start(path, *options)).communicate(timeout=HUNG_S)
        assert process.returncode == 1
        assert word in errors and "Traceback" not in errors
