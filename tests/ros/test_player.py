# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The player in a process of its own, heard by a subscriber over DDS."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_making import START_NS, make_frame

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
COLOUR = "/camera/color/image_raw"


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "walk.mcap"
    write_bag([make_frame(index, period_ms=50) for index in range(FRAMES)], path)
    return path


class Listener:
    """Keeps what arrives, with the time of arrival."""

    def __init__(self) -> None:
        from nav_msgs.msg import Odometry
        from rclpy.executors import SingleThreadedExecutor
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import CameraInfo, Image

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[tuple[float, Any]]] = {}
        topics = {COLOUR: Image, "/camera/color/camera_info": CameraInfo, "/odom": Odometry}
        for name, message_type in {**topics, "/clock": Clock}.items():
            self.heard[name] = []
            self.node.create_subscription(message_type, name, self._keeper(name), 100)

    def _keeper(self, name: str) -> Any:
        return lambda message: self.heard[name].append((time.monotonic(), message))

    def spin_while(self, process: subprocess.Popen[str], timeout_s: float = 30) -> str:
        """Listen until the process has ended; return its output."""
        end = time.monotonic() + timeout_s
        while process.poll() is None and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        for _ in range(50):
            self.executor.spin_once(timeout_sec=0.01)
        if process.poll() is None:
            process.kill()
            raise AssertionError(f"still playing after {timeout_s} s: {process.communicate()}")
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


def test_everything_arrives_in_time_and_unchanged(bag: Path, listener: Listener) -> None:
    process = start(bag, "--wait-subscribers", "20", "--clock")
    output = listener.spin_while(process)
    assert process.returncode == 0, output
    for topic in (COLOUR, "/camera/color/camera_info", "/odom"):
        assert len(listener.heard[topic]) == FRAMES, output
    for index, (_, message) in enumerate(listener.heard[COLOUR]):
        expected = make_frame(index, period_ms=50)
        assert stamp_ns(message.header) == expected.stamp_ns
        np.testing.assert_array_equal(decode_image(message), expected.rgb)
    camera = decode_camera(listener.heard["/camera/color/camera_info"][0][1])
    assert camera == make_frame(0).camera
    assert decode_transform(listener.heard["/odom"][3][1])[0, 3] == pytest.approx(0.15)
    times = [at for at, _ in listener.heard[COLOUR]]
    # Longer only on a busy machine, never shorter.
    assert 0.9 * 0.05 * (FRAMES - 1) < times[-1] - times[0] < 2
    clock = [message.clock for _, message in listener.heard["/clock"]]
    assert stamp_ns(type("Header", (), {"stamp": clock[0]})) >= START_NS
    assert f"{FRAMES:6d}  {COLOUR}" in output and "late by" in output


def test_types_that_are_not_installed_are_named_once(bag: Path, listener: Listener) -> None:
    output = listener.spin_while(start(bag, "--rate", "0"))
    try:
        import tf2_msgs.msg  # noqa: F401
    except ImportError:
        assert output.count("skipping /tf:") == 1 and "tf2_msgs/msg/TFMessage" in output


def test_rate_and_topics(bag: Path, listener: Listener) -> None:
    options = ("--rate", "4", "--topic", COLOUR, "--wait-subscribers", "20")
    output = listener.spin_while(start(bag, *options))
    times = [at for at, _ in listener.heard[COLOUR]]
    assert len(times) == FRAMES, output
    assert 0.05 * (FRAMES - 1) / 4 * 0.7 < times[-1] - times[0] < 0.05 * (FRAMES - 1)
    assert not listener.heard["/odom"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_ends_cleanly_on_a_signal(
    bag: Path, listener: Listener, number: signal.Signals
) -> None:
    process = start(bag, "--loop", "--rate", "5", "--wait-subscribers", "20")
    end = time.monotonic() + 30
    while len(listener.heard[COLOUR]) <= FRAMES and time.monotonic() < end:
        listener.executor.spin_once(timeout_sec=0.05)
    assert len(listener.heard[COLOUR]) > FRAMES
    process.send_signal(number)
    begin = time.monotonic()
    output = listener.spin_while(process, timeout_s=5)
    assert process.returncode == 0, output
    assert time.monotonic() - begin < 4
    assert "played" in output


def test_errors_are_one_line(bag: Path, tmp_path: Path) -> None:
    for path, options, word in (
        (tmp_path / "absent.mcap", (), "absent.mcap"),
        (bag, ("--topic", "/nothing"), "/nothing"),
    ):
        _, errors = (process := start(path, *options)).communicate(timeout=30)
        assert process.returncode == 1
        assert word in errors and "Traceback" not in errors
