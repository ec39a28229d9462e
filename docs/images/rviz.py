# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Take the picture of RViz: the node, the built-in room on topics, and `config/ineus.rviz`.

The distances and the images that the layout leaves off are on, and a plane of points is asked
about, so that there is a query result. Needs `rviz2`, ImageMagick and a display, such as Xvfb's.

Run: xvfb-run -s "-screen 0 1440x860x24" python docs/images/rviz.py OUT.jpg
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rclpy
import yaml
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.sources.bags import writer as bag_writer
from ineus_ros.demo.processes import ChildProcess, private_domain
from ineus_ros.outputs.clouds import cloud_message
from ineus_ros.outputs.planning import XYZ_POINT

LAYOUT = Path(__file__).parents[2] / "config" / "ineus.rviz"
REMAPS = {
    "color/image": bag_writer.COLOUR_TOPIC,
    "color/camera_info": bag_writer.COLOUR_INFO_TOPIC,
    "depth/image": bag_writer.DEPTH_TOPIC,
    "odom": "/odom",
}
TURNED_ON = ("Distance slice", "Rendered colour", "Rendered depth", "Rendered normals")
QUERY_ACROSS_M, QUERY_HEIGHT_M = np.arange(-1.5, 1.5, 0.1), np.arange(0.1, 2.0, 0.1)
QUERY_PERIOD_S = 2.0
FRAME_RATE_HZ = 1


def with_more_on(layout: Path, out: Path) -> Path:
    """Copy a layout and turn on what it leaves off, but for more of the surface."""
    content = yaml.safe_load(layout.read_text(encoding="utf-8"))
    geometry = content["Window Geometry"] | {"X": 0, "Y": 0}
    manager = content["Visualization Manager"]
    # Without a GPU, drawing takes cores that the node could use.
    manager["Global Options"]["Frame Rate"] = FRAME_RATE_HZ
    for display in manager["Displays"]:
        display["Enabled"] |= display["Name"] in TURNED_ON
        # A panel of Qt: its name, and whether it is open.
        name = display["Name"].encode("utf-16-be").hex()
        state = geometry["QMainWindow State"].replace(name + "00", name + "01")
        geometry["QMainWindow State"] = state
    content["Window Geometry"] = geometry
    out.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return out


def start_node(namespace: str, environment: Mapping[str, str], folder: Path) -> ChildProcess:
    """Start the node on the topics of the bag."""
    rotation = rotation_to_quaternion(bag_writer.BODY_FROM_CAMERA[:3, :3])
    parameters = {
        "pose_source": "odom",
        "body_from_camera": [float(value) for value in (0, 0, 0, *rotation)],
        "reliable": "true",
        "output_dir": folder / "node",
        "meshing.voxel_size_m": 0.04,
        "mesh_colors": "shaded",
    }
    words = [sys.executable, "-m", "ineus_ros.node", "--ros-args", "-r", f"__ns:=/{namespace}"]
    words += [word for pair in REMAPS.items() for word in ("-r", f"{pair[0]}:={pair[1]}")]
    words += [word for pair in parameters.items() for word in ("-p", f"{pair[0]}:={pair[1]}")]
    return ChildProcess(words, environment, folder / "node.log")


def ask(namespace: str, player: ChildProcess, train_s: float) -> None:
    """Ask about a plane of points again and again, until some time after the last image."""
    across_m, height_m = np.meshgrid(QUERY_ACROSS_M, QUERY_HEIGHT_M)
    plane = np.zeros(across_m.size, XYZ_POINT)
    plane["x"], plane["z"] = across_m.ravel(), height_m.ravel()
    node = rclpy.create_node("asks", namespace=f"/{namespace}")
    publisher = node.create_publisher(PointCloud2, "ineus/query", 1)
    played_s = time.monotonic()
    while time.monotonic() < played_s + train_s:
        header = Header(stamp=node.get_clock().now().to_msg())
        publisher.publish(cloud_message(header, plane))
        time.sleep(QUERY_PERIOD_S)
        if player.is_running:
            played_s = time.monotonic()
    node.destroy_node()


def show(given: argparse.Namespace, folder: Path, environment: Mapping[str, str]) -> None:
    """Start node, RViz and player, and take the picture when the map has been trained."""
    bag = folder / "room.mcap"
    room = SyntheticConfig(scene="room", frames=given.frames, noise=1.0, ceiling=False)
    bag_writer.write_bag(SyntheticSource(room), bag, overwrite=True)
    layout = with_more_on(LAYOUT, folder / "all.rviz")
    place = ["--ros-args", "-r", f"__ns:=/{given.namespace}"]
    player = [sys.executable, "-m", "ineus_ros.player", str(bag), "--wait-subscribers", "90"]
    with ExitStack() as stack:

        def start(words: list[str], log: str) -> ChildProcess:
            return stack.enter_context(ChildProcess(words, environment, folder / log))

        stack.enter_context(start_node(given.namespace, environment, folder))
        start([given.rviz, "-d", str(layout), "-f", bag_writer.ODOM_FRAME, *place], "rviz.log")
        ask(given.namespace, start(player, "player.log"), given.train_seconds)
        grab = ["import", "-window", "root", "-quality", "90", str(given.out)]
        subprocess.run(grab, check=True)


def main() -> None:
    """Show it all, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rviz", default="rviz2", help="program to start")
    parser.add_argument("--namespace", default="", help="of the node and of RViz")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--train-seconds", type=float, default=200.0)
    parser.add_argument("--logs", type=Path, help="folder to keep bag and logs in")
    given = parser.parse_args()
    with TemporaryDirectory() as scratch, private_domain() as environment:
        # This process too, as it asks in the same domain.
        os.environ.update(environment)
        rclpy.init()
        folder = given.logs or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        show(given, folder, environment)
        rclpy.shutdown()


if __name__ == "__main__":
    main()
