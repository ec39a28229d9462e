# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Publisher, node and subscriber as processes: a stream at full rate, and two nodes on one domain.

The same for 60 s is `benchmarks/over_dds.py`; docs/ros.md has its figures.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from ros_node import FRAMES, Running
from ros_stream import Camera

pytestmark = [pytest.mark.ros, pytest.mark.slow]

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "over_dds.py"


@pytest.mark.parametrize("case", ["raw", "compressed", "burst"])
def test_no_image_of_a_stream_is_lost_without_being_counted(case: str) -> None:
    """30 Hz of 640x480 raw or 1280x720 JPEG, 200 Hz of odometry; a burst is ten images at once."""
    # Small images of the map, as this is about the way to it.
    small = ["--set", "keyframes.max_width_px=160", "--set", "image_queue_size=30"]
    command = [sys.executable, str(BENCHMARK), "--case", case, "--seconds", "4", "--json", *small]
    done = subprocess.run(
        [*command, "--device", "cpu"], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["images_sent"] >= 120 and report["poses_sent"] > 0
    assert report["frames"] > 0 and report["node_lives"]
    # Each is a frame or in one of the counts.
    assert report["uncounted"] == report["unaccounted"] == 0


def test_two_nodes_in_namespaces_do_not_meet(domain: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with Camera(namespace="/a") as camera_a, Camera(namespace="/b") as camera_b:
        a = Running(tmp_path / "a", domain, namespace="/a")
        b = Running(tmp_path / "b", domain, namespace="/b")
        try:
            camera_a.wait_for_subscriber()
            camera_b.wait_for_subscriber()
            for frame in FRAMES[:8]:
                camera_a.publish(frame)
                time.sleep(0.05)
            for frame in FRAMES[8:11]:
                camera_b.publish(frame)
                time.sleep(0.05)
            for running, count in ((a, 8), (b, 3)):
                running.wait(lambda r=running, n=count: r.number("input", "frames") == n)  # type: ignore[misc]
                running.wait(lambda r=running: r.listener.receiver.triangles > 0)  # type: ignore[misc]
            for running, count in ((a, 8), (b, 3)):
                assert running.number("input", "color_received") == count
                answer = running.listener.call("save_mesh")
                assert answer.success, answer.message
                assert Path(answer.message).is_relative_to(running.output_dir.resolve())
        finally:
            a.close()
            b.close()
