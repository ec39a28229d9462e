# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the node costs a robot: a mesh update, its rest without input, its end while it trains.

Run: python benchmarks/node_costs.py [--triangles N] [--repeats N] [--device D]
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from visualization_msgs.msg import MarkerArray

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.sources.bags.writer import BODY_FROM_CAMERA, write_bag
from ineus_core.types import Mesh
from ineus_ros.demo.job import REMAPS
from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess, private_domain
from ineus_ros.large_messages import make_room_for_images
from ineus_ros.outputs.marker_cdr import ADD, BlockMarker, MarkerArrayWriter

BLOCKS = 100
"""Markers that the triangles are spread over."""
START_S, REST_S = 120.0, 20.0


def sheet(triangles: int) -> Mesh:
    """Make a coloured wavy sheet of this many triangles, with shared vertices as a mesher does."""
    rows, columns = 20, triangles // 40
    x, y = np.meshgrid(np.arange(rows + 1), np.arange(columns + 1), indexing="ij")
    below = columns + 1
    corner = (x[:-1, :-1] * below + y[:-1, :-1]).ravel()
    faces = [(0, below, below + 1), (0, below + 1, 1)]
    vertices = np.stack((x, y, np.sin(0.1 * x)), axis=-1).reshape(-1, 3) * 0.02
    return Mesh(
        vertices.astype(np.float32),
        np.concatenate([corner[:, None] + face for face in faces]).astype(np.int32),
        np.tile(np.array((0, 0, 1), np.float32), (x.size, 1)),
        np.random.default_rng(0).integers(0, 256, (x.size, 3), dtype=np.uint8),
    )


def mesh_update(triangles: int, repeats: int) -> dict[str, Any]:
    """Processor time of building and publishing an update, with a subscriber in this domain."""
    make_room_for_images()
    with Listener() as listener:
        rclpy.init()
        node = rclpy.create_node("ineus")
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        publisher = node.create_publisher(MarkerArray, "/ineus/mesh", qos)
        wait_until(lambda: publisher.get_subscription_count() > 0, 10.0)
        block = sheet(triangles // BLOCKS)
        count = BLOCKS * len(block.triangles)
        markers = [BlockMarker(number + 1, ADD, block) for number in range(BLOCKS)]
        writer = MarkerArrayWriter()
        build_ms, publish_ms = [], []
        for _ in range(repeats):
            begin_s = time.thread_time()
            message = writer.write(1, "odom", "mesh", markers)
            built_s = time.thread_time()
            publisher.publish(message)
            build_ms.append(1e3 * (built_s - begin_s))
            publish_ms.append(1e3 * (time.thread_time() - built_s))
            time.sleep(0.3)
        wait_until(lambda: listener.receiver.triangles == count, 10.0)
        arrived = listener.receiver.triangles
        node.destroy_node()
        rclpy.shutdown()
    both = [a + b for a, b in zip(build_ms, publish_ms, strict=True)]
    return {
        "triangles": count,
        "megabytes": round(len(message) * 1e-6, 1),
        "build_cpu_ms": round(statistics.median(build_ms), 2),
        "publish_cpu_ms": round(statistics.median(publish_ms), 2),
        "both_cpu_ms": {"median": round(statistics.median(both), 2), "worst": round(max(both), 2)},
        "arrived": arrived == count,
    }


def start(
    environment: Mapping[str, str],
    folder: Path,
    remaps: Sequence[str] = (),
    **parameters: object,
) -> ChildProcess:
    """Make a node with settings."""
    words = [sys.executable, "-m", "ineus_ros.node", "--ros-args", "-p", f"output_dir:={folder}"]
    words += [word for item in parameters.items() for word in ("-p", f"{item[0]}:={item[1]}")]
    return ChildProcess([*words, *remaps], environment, folder / "node.log")


def rest(environment: Mapping[str, str], folder: Path, device: str) -> dict[str, float]:
    """Share of a core that a node takes to which nobody sends anything."""
    with Listener() as listener, start(environment, folder, device=device) as node:
        wait_until(lambda: bool(listener.status), START_S)
        time.sleep(2.0)
        before_s, began_s = node.cpu_s(), time.monotonic()
        time.sleep(REST_S)
        share = (node.cpu_s() - before_s) / (time.monotonic() - began_s)
    return {"idle_percent_of_a_core": round(100 * share, 2)}


def end(environment: Mapping[str, str], folder: Path, device: str, bag: Path) -> dict[str, Any]:
    """From the interrupt of a node that trains to its end, with its mesh saved."""
    mount = [0.0, 0.0, 0.0, *map(float, rotation_to_quaternion(BODY_FROM_CAMERA[:3, :3]))]
    settings = {"pose_source": "odom", "save_on_shutdown": "true", "body_from_camera": mount}
    remaps = [word for pair in REMAPS.items() for word in ("-r", f"{pair[0]}:={pair[1]}")]
    (folder / "mesh.ply").unlink(missing_ok=True)
    with (
        Listener() as listener,
        start(environment, folder, remaps, device=device, **settings) as node,
    ):
        wait_until(lambda: bool(listener.status), START_S)
        words = [sys.executable, "-m", "ineus_ros.player", str(bag), "--wait-subscribers", "30"]
        with ChildProcess(words, environment, folder / "player.log") as player:
            wait_until(lambda: not player.is_running, 60.0)
        wait_until(lambda: listener.receiver.triangles > 1000, START_S)
        steps = listener.number("training", "step")
        wait_until(lambda: listener.number("training", "step") > steps, START_S)
        begin_s = time.monotonic()
        node.process.send_signal(signal.SIGINT)
        code = node.process.wait(30.0)
        took_s = time.monotonic() - begin_s
    return {"end_s": round(took_s, 2), "code": code, "saved": (folder / "mesh.ply").is_file()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triangles", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    with private_domain() as environment, tempfile.TemporaryDirectory() as name:
        os.environ.update(environment)
        folder = Path(name)
        report: dict[str, Any] = {
            "mesh_update": mesh_update(arguments.triangles, arguments.repeats)
        }
        report |= rest(environment, folder, arguments.device)
        bag = folder / "room.mcap"
        source = SyntheticSource(SyntheticConfig(frames=20, width_px=320, height_px=240))
        write_bag(source, bag)
        report["ends"] = [end(environment, folder, arguments.device, bag) for _ in range(5)]
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
