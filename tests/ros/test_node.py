# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: frames in over DDS, mesh, images, status and services out."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ineus_core.meshing import read_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource

pytest.importorskip("rclpy", reason="needs rclpy")

from ros_node import FRAMES, SOURCE, Running, later
from ros_stream import Camera

from ineus_ros.demo.listener import Listener, wait_until

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module")
def camera(domain: Mapping[str, str]) -> Iterator[Camera]:
    with Camera() as made:
        yield made


@pytest.fixture(scope="module")
def node(
    domain: Mapping[str, str], camera: Camera, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Run a node that has taken the frames and has a mesh."""
    running = Running(tmp_path_factory.mktemp("node"), domain)
    try:
        camera.wait_for_subscriber()
        for frame in FRAMES:
            camera.publish(frame)
            time.sleep(0.02)
        running.wait(lambda: running.number("training", "pipeline.frames_used") == len(FRAMES))
        running.wait(lambda: running.listener.receiver.triangles > 100)
        yield running
    finally:
        running.close()


def test_frames_become_a_coloured_mesh_near_the_true_surface(node: Running) -> None:
    node.wait(lambda: node.number("training", "step") > 30)
    assert node.listener.call("save_mesh").success
    mesh = node.listener.receiver.mesh()
    distance_m = np.abs(SOURCE.sdf(mesh.vertices.astype(np.float64)))
    assert np.median(distance_m) < 0.06
    assert np.ptp(mesh.colours.astype(int), axis=0).min() > 15
    assert {marker.frame_id for marker in node.listener.receiver.markers.values()} == {"odom"}


def test_every_image_is_accounted_for(node: Running, camera: Camera) -> None:
    assert (
        node.number("input", "color_received") + node.number("input", "color_lost") == camera.sent
    )
    assert node.number("input", "frames") == camera.sent
    assert node.number("input", "frames_dropped") == node.number("input", "frames_waiting") == 0


def test_save_mesh_writes_inside_output_dir_and_says_where(node: Running) -> None:
    answer = node.listener.call("save_mesh")
    assert answer.success
    assert answer.message == str(node.output_dir.resolve() / "mesh.ply")
    assert len(read_mesh(answer.message).triangles) > 100


def test_a_full_disk_leaves_the_old_mesh_and_the_node_goes_on(node: Running) -> None:
    """A limit on the size of files stands for the disk; writing fails in the same way."""
    import resource

    path = Path(node.listener.call("save_mesh").message)
    before = path.read_bytes()
    process, limit = node.process.process.pid, resource.RLIMIT_FSIZE
    _, most = resource.prlimit(process, limit)
    resource.prlimit(process, limit, (len(before) // 4, most))
    try:
        for service in ("save_mesh", "save_checkpoint"):
            answer = node.listener.call(service)
            assert not answer.success and "does not fit" in answer.message, answer.message
    finally:
        resource.prlimit(process, limit, (most, most))
    assert path.read_bytes() == before
    assert [file.name for file in node.output_dir.iterdir()] == ["mesh.ply"]
    assert node.listener.call("save_mesh").success


def test_a_late_subscriber_gets_the_whole_mesh(node: Running) -> None:
    from std_srvs.srv import SetBool

    assert node.listener.call("pause", SetBool, data=True).success
    held = node.listener.statuses
    node.wait(lambda: node.listener.statuses > held + 2)
    with Listener() as late:
        wait_until(lambda: late.receiver.triangles == node.number("mesh", "triangles"), 120.0)
        assert late.receiver.triangles == node.number("mesh", "triangles") > 0
        np.testing.assert_array_equal(
            sorted(late.receiver.markers), sorted(node.listener.receiver.markers)
        )
    assert node.listener.call("pause", SetBool, data=False).success


def test_images_are_rendered_for_who_looks(node: Running) -> None:
    from sensor_msgs.msg import CameraInfo, Image

    got: dict[str, Any] = {}
    listening = node.listener.node
    subscriptions = [
        listening.create_subscription(
            kind, f"/ineus/{topic}", lambda message, topic=topic: got.update({topic: message}), 1
        )
        for topic, kind in (
            ("color/image", Image),
            ("depth/image", Image),
            ("normal/image", Image),
            ("camera_info", CameraInfo),
        )
    ]
    node.wait(lambda: len(got) == 4)
    for subscription in subscriptions:
        listening.destroy_subscription(subscription)
    color, depth, normal, info = (got[topic] for topic in sorted(got, key=_ORDER.index))
    assert (color.width, color.height, color.encoding) == (32, 24, "rgb8")
    assert (depth.encoding, normal.encoding) == ("32FC1", "rgb8")
    assert (info.width, info.height, info.k[0]) == (32, 24, pytest.approx(0.6 * 32))
    depth_m = np.frombuffer(depth.data, np.float32)
    measured_m = FRAMES[-1].depth_m
    assert measured_m is not None
    assert np.median(depth_m) == pytest.approx(np.median(measured_m), rel=0.2)
    stamp = depth.header.stamp
    assert stamp.sec * 10**9 + stamp.nanosec == FRAMES[-1].stamp_ns
    assert depth.header.frame_id == "camera_optical"


def test_a_view_is_rendered_where_it_is_asked_for(node: Running) -> None:
    from geometry_msgs.msg import PoseStamped
    from ros_stream import pose_message
    from sensor_msgs.msg import Image

    got: list[Image] = []
    listening = node.listener.node
    asking = listening.create_publisher(PoseStamped, "/ineus/render", 5)
    subscription = listening.create_subscription(Image, "/ineus/render/depth/image", got.append, 5)
    node.wait(lambda: asking.get_subscription_count() > 0)
    node.wait(lambda: listening.count_publishers("/ineus/render/depth/image") > 0)
    time.sleep(0.3)
    request = PoseStamped(pose=pose_message(FRAMES[3].world_from_camera))
    request.header.frame_id, request.header.stamp.sec = "no_such_frame", 77
    asking.publish(request)
    node.wait(lambda: node.number("render", "dropped.bad_request") == 1)
    request.header.frame_id = "odom"
    asking.publish(request)
    node.wait(lambda: bool(got))
    measured_m = FRAMES[3].depth_m
    assert measured_m is not None and got[0].header.stamp.sec == 77
    depth_m = np.frombuffer(got[0].data, np.float32)
    assert np.median(depth_m) == pytest.approx(np.median(measured_m), rel=0.2)
    for entity in (asking, subscription):
        (listening.destroy_publisher if entity is asking else listening.destroy_subscription)(
            entity
        )


_ORDER = ["color/image", "depth/image", "normal/image", "camera_info"]


def test_a_checkpoint_is_written_and_taken_back(node: Running) -> None:
    answer = node.listener.call("save_checkpoint")
    assert answer.success and Path(answer.message).is_dir(), answer.message
    answer = node.listener.call("load_checkpoint")
    assert answer.success, answer.message


def test_bad_messages_and_a_camera_of_another_size_leave_the_node_alive(
    node: Running, camera: Camera
) -> None:
    camera.publish(later(FRAMES[0], 1), lambda messages: messages["color"].data.pop())
    node.wait(lambda: node.number("input", "dropped.bad_color") == 1)
    other = SyntheticSource(SyntheticConfig(frames=16, width_px=32, height_px=24)).frame(0)
    camera.publish(later(other, 2))
    node.wait(lambda: node.number("input", "color_received") == camera.sent)
    camera.publish(later(FRAMES[1], 3))
    node.wait(
        lambda: (
            node.number("input", "color_received") == camera.sent
            and node.number("input", "frames_waiting") == 0
        )
    )
    before = node.listener.statuses
    node.wait(lambda: node.listener.statuses > before + 2)
    assert node.process.is_running
    assert "worker died" not in node.log.read_text()
    assert node.listener.call("save_mesh").success


def test_reset_forgets_the_mesh_here_and_at_the_subscriber(node: Running, camera: Camera) -> None:
    assert node.listener.call("reset").success
    node.wait(lambda: node.listener.receiver.triangles == 0)
    answer = node.listener.call("save_mesh")
    assert not answer.success and "no mesh" in answer.message
    for number, frame in enumerate(FRAMES[:6]):
        camera.publish(later(frame, 10 + number))
        time.sleep(0.05)
    node.wait(lambda: node.listener.receiver.triangles > 100)
