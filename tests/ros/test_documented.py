# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/ros.md are the interface of the node: names, types and delivery."""

import json
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from ineus_ros.node import ReconstructionNode

pytestmark = pytest.mark.ros

DOCUMENT = (Path(__file__).parents[2] / "docs" / "ros.md").read_text(encoding="utf-8")
CONFIG = Path(__file__).parents[2] / "config"
SHOWN_BY_RVIZ = {
    "MarkerArray": "visualization_msgs/MarkerArray",
    "PointCloud2": "sensor_msgs/PointCloud2",
    "Map": "nav_msgs/OccupancyGrid",
    "Path": "nav_msgs/Path",
    "PoseArray": "geometry_msgs/PoseArray",
    "Image": "sensor_msgs/Image",
}
"""Message by display; of each there is one."""
OF_EVERY_NODE = {"/rosout", "/parameter_events", "/clock", "/ineus/transition_event"}

Rows = dict[str, tuple[str, str]]
"""Type and delivery of each topic."""


def documented(title: str) -> Rows:
    """Read the table below a title."""
    text = DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows: Rows = {}
    before = ""
    for line in re.findall(r"^\| `.*$", text, re.MULTILINE):
        names, kind, qos = [cell.strip() for cell in line.split("|")][1:4]
        before = qos = before if qos.startswith("likewise") else qos
        for name in re.findall(r"`([^`]+)`", names):
            full = name.replace("~", "/ineus") if name[0] in "~/" else f"/{name}"
            rows[full] = kind, qos
    return rows


@pytest.fixture
def configured(ros: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    made: list[ReconstructionNode] = []

    def make(**parameters: str) -> ReconstructionNode:
        words = [word for item in parameters.items() for word in ("-p", f"{item[0]}:={item[1]}")]
        make_node: Any = lambda context: ReconstructionNode(context=context)  # noqa: E731
        made.append(ros(make_node, ["-p", "device:=cpu", *words]))
        made[-1].trigger_configure()
        return made[-1]

    yield make
    for node in made:
        node.trigger_cleanup()


def found(entities: Any) -> Rows:
    rows: Rows = {}
    for entity in entities:
        qos = entity.qos_profile
        is_reliable = qos.reliability == ReliabilityPolicy.RELIABLE
        is_latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        package, name = entity.msg_type.__module__.split(".")[0], entity.msg_type.__name__
        delivery = "reliable" if is_reliable else "best effort"
        rows[entity.topic_name] = (
            f"{package}/{name}",
            delivery + ", transient local" * is_latched,
        )
    return {name: row for name, row in rows.items() if name not in OF_EVERY_NODE}


def test_topics_out(configured: Callable[..., Any]) -> None:
    rows = found(configured().publishers)
    rows.pop("/ineus/static_map_slice", None)
    assert rows == documented("Topics out")


def test_rviz_shows_topics_of_the_node_and_asks_for_what_was_said_before(
    configured: Callable[..., Any],
) -> None:
    shown = yaml.safe_load((CONFIG / "ineus.rviz").read_text())
    rows = found(configured().publishers)
    displays = [item for item in shown["Visualization Manager"]["Displays"] if "Topic" in item]
    kinds = {item["Class"].split("/")[1] for item in displays}
    assert kinds == set(SHOWN_BY_RVIZ)
    for item in displays:
        # Relative, so that a namespace of RViz is theirs.
        kind, delivery = rows["/" + item["Topic"]["Value"]]
        assert kind == SHOWN_BY_RVIZ[item["Class"].split("/")[1]], item["Name"]
        wants = item["Topic"]["Durability Policy"] == "Transient Local"
        assert wants == delivery.endswith("transient local"), item["Name"]
        assert item["Topic"]["Reliability Policy"] == "Reliable"
    channels = {item.get("Channel Name", "distance") for item in displays}
    assert channels == {"distance"}


def test_rviz_opens_no_panel_of_images_whose_display_is_off() -> None:
    # It would turn the display on, and the node would render for it.
    shown = yaml.safe_load((CONFIG / "ineus.rviz").read_text())
    state = bytes.fromhex(shown["Window Geometry"]["QMainWindow State"])
    displays = shown["Visualization Manager"]["Displays"]
    images = [item for item in displays if item["Class"].endswith("/Image")]
    assert len(images) == 3
    for item in images:
        _, found, behind = state.partition(item["Name"].encode("utf-16-be"))
        assert found and behind[0] == item["Enabled"], item["Name"]


def test_foxglove_shows_topics_of_the_node(configured: Callable[..., Any]) -> None:
    layout = json.loads((CONFIG / "ineus.foxglove.json").read_text())
    rows = found(configured().publishers)
    panels = layout["configById"]
    shown = set(panels["3D!mesh"]["topics"])
    images = {
        panel["imageMode"]["imageTopic"] for name, panel in panels.items() if "Image" in name
    }
    assert len(shown) == 9 and len(images) == 3
    assert {rows[topic][0] for topic in images} == {"sensor_msgs/Image"}
    assert shown | {panels["DiagnosticSummary!node"]["topicToRender"]} <= set(rows)
    assert set(re.findall(r'"(?:first|second)": "([^"]+)"', json.dumps(layout["layout"]))) == set(
        panels
    )


def test_topics_in(configured: Callable[..., Any]) -> None:
    rows = found(configured(image_transport="raw").subscriptions)
    rows |= found(configured(image_transport="compressed").subscriptions)
    told = documented("Topics in")
    if find_spec("tf2_msgs") is None:
        told = {name: row for name, row in told.items() if not name.startswith("/tf")}
    assert set(rows) == set(told)
    for name, (kind, qos) in rows.items():
        assert kind == told[name][0], name
        # That of TF is tf2's own; the others say more than this, as the depth of the queue.
        assert name.startswith("/tf") or told[name][1].startswith(qos), name


def test_services(configured: Callable[..., Any]) -> None:
    own = ("std_srvs", "nvblox_msgs")
    rows = {
        service.service_name: f"{package}/{service.srv_type.__name__}"
        for service in configured().services
        if (package := service.srv_type.__module__.split(".")[0]) in own
    }
    rows.pop("/ineus/get_esdf_and_gradient", None)
    assert rows == {name: kind for name, (kind, _) in documented("Services").items()}
