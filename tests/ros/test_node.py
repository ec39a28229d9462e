# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: frames in over DDS, mesh, images, status and services out."""

import dataclasses
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from ineus_core.meshing import read_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

pytest.importorskip("rclpy", reason="needs rclpy")

from ros_stream import Camera

from ineus_ros.listener import Listener, wait_until
from ineus_ros.processes import ChildProcess

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FRAMES = list(SyntheticSource(SyntheticConfig(frames=16, width_px=64, height_px=48)))
SMALL: Mapping[str, object] = {
    "device": "cpu",
    "reliable": "true",
    "depth_input": "required",
    "meshing.voxel_size_m": 0.08,
    "field.levels": 4,
    "field.hidden": 16,
    "training.rays_per_step": 256,
    "pipeline.mesh_rate_hz": 2.0,
    "pipeline.queue_frames": 64,
    "mesh_refresh_s": 1.0,
    "render_width_px": 32,
    "tf_timeout_s": 0.5,
}
STARTED_S = 60.0
"""The first step of the first run on a machine compiles kernels."""


def later(frame: Frame, seconds: int) -> Frame:
    """The frame, so long after the last of `FRAMES`."""
    return dataclasses.replace(frame, stamp_ns=FRAMES[-1].stamp_ns + seconds * 1_000_000_000)


class Running:
    """A node in a process of its own and what it told."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        waits_for_status: bool = True,
        **parameters: object,
    ) -> None:
        self.output_dir = folder / "out"
        self.log = folder / "node.log"
        self.listener = Listener()
        settings = {**SMALL, "output_dir": self.output_dir, **parameters}
        words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
        words += [word for item in settings.items() for word in ("-p", f"{item[0]}:={item[1]}")]
        self.process = ChildProcess(words, environment, self.log)
        self.wait(lambda: bool(self.listener.status) or not waits_for_status)

    def wait(self, condition: object, timeout_s: float = STARTED_S) -> None:
        assert callable(condition)
        wait_until(lambda: condition() or not self.process.is_running, timeout_s)
        assert condition(), f"{self.listener.status}\n{self.log.read_text()}"

    def number(self, part: str, name: str) -> int:
        return self.listener.number(part, name)

    def close(self) -> None:
        self.process.stop()
        self.listener.close()


@pytest.fixture(scope="module")
def camera(domain: Mapping[str, str]) -> Iterator[Camera]:
    with Camera() as made:
        yield made


@pytest.fixture(scope="module")
def node(
    domain: Mapping[str, str], camera: Camera, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A node that has seen the frames and has a mesh."""
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
    source = SyntheticSource(SyntheticConfig(frames=16, width_px=64, height_px=48))
    distance_m = np.abs(source.sdf(mesh.vertices.astype(np.float64)))
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


def test_a_late_subscriber_gets_the_whole_mesh(node: Running) -> None:
    from std_srvs.srv import SetBool

    assert node.listener.call("pause", SetBool, data=True).success
    held = node.listener.statuses
    node.wait(lambda: node.listener.statuses > held + 2)
    with Listener() as late:
        wait_until(lambda: late.receiver.triangles == node.number("mesh", "triangles"), 10.0)
        assert late.receiver.triangles == node.number("mesh", "triangles") > 0
        np.testing.assert_array_equal(
            sorted(late.receiver.markers), sorted(node.listener.receiver.markers)
        )
    assert node.listener.call("pause", SetBool, data=False).success


def test_images_are_rendered_for_who_looks(node: Running) -> None:
    from sensor_msgs.msg import CameraInfo, Image

    got: dict[str, object] = {}
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
    time.sleep(0.5)
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


def test_an_interrupt_while_training_ends_it_in_two_seconds_with_the_mesh_saved(
    domain: Mapping[str, str], camera: Camera, tmp_path: Path
) -> None:
    running = Running(tmp_path, domain, save_on_shutdown="true")
    try:
        camera.wait_for_subscriber()
        for frame in FRAMES[:8]:
            camera.publish(frame)
            time.sleep(0.05)
        running.wait(lambda: running.listener.receiver.triangles > 100)
        begin = time.monotonic()
        assert running.process.stop() == 0, running.log.read_text()
        assert time.monotonic() - begin < 2.0
    finally:
        running.close()
    assert "Traceback" not in running.log.read_text()
    assert len(read_mesh(running.output_dir / "mesh.ply").triangles) > 50


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("voxel_size:=0.1", "meshing.voxel_size_m"),
        ("meshing.voxel_size_m:=-1.0", "meshing.voxel_size_m"),
        ("device:=cuda:99", "cuda:99"),
    ],
)
def test_wrong_parameters_end_the_node_with_one_clear_line(
    domain: Mapping[str, str], tmp_path: Path, parameter: str, words: str
) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "ineus_ros.node", "--ros-args", "-p", parameter]
    child = ChildProcess(command, domain, log)
    wait_until(lambda: not child.is_running, 30.0)
    assert child.stop() == 2
    errors = [line for line in log.read_text().splitlines() if line.startswith("ineus: error:")]
    assert len(errors) == 1 and words in errors[0]
    assert "Traceback" not in log.read_text()


def test_without_input_the_node_rests(domain: Mapping[str, str], tmp_path: Path) -> None:
    running = Running(tmp_path, domain)
    try:
        time.sleep(1.0)
        before_s, began_s = running.process.cpu_s(), time.monotonic()
        time.sleep(4.0)
        used = (running.process.cpu_s() - before_s) / (time.monotonic() - began_s)
        assert used < 0.05, f"{100 * used:.1f} % of a core"
    finally:
        running.close()


def test_a_lifecycle_manager_starts_and_stops_the_node(
    domain: Mapping[str, str], camera: Camera, tmp_path: Path
) -> None:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState, GetState

    def change(transition: int) -> str:
        answer = running.listener.call(
            "change_state", ChangeState, transition=Transition(id=transition)
        )
        assert answer.success, running.log.read_text()
        return str(running.listener.call("get_state", GetState).current_state.label)

    running = Running(tmp_path, domain, waits_for_status=False, autostart="false")
    try:
        assert running.listener.call("get_state", GetState).current_state.label == "unconfigured"
        assert change(Transition.TRANSITION_CONFIGURE) == "inactive"
        camera.wait_for_subscriber()
        camera.publish(FRAMES[0])
        running.wait(lambda: running.number("input", "dropped.inactive") == 1)
        assert change(Transition.TRANSITION_ACTIVATE) == "active"
        for frame in FRAMES[1:6]:
            camera.publish(frame)
            time.sleep(0.05)
        running.wait(lambda: running.listener.receiver.triangles > 0)
        assert change(Transition.TRANSITION_DEACTIVATE) == "inactive"
        assert change(Transition.TRANSITION_CLEANUP) == "unconfigured"
        assert camera.color.get_subscription_count() == 0
        assert change(Transition.TRANSITION_CONFIGURE) == "inactive"
        assert running.process.stop() == 0
    finally:
        running.close()


def test_ineus_node_hands_over_configuration_and_ros_arguments(
    domain: Mapping[str, str], tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("device: cpu\nmeshing: {voxel_size_m: 0.5}\nglobal_frame: map\n")
    words = ["-c", "from ineus_core.cli import main; raise SystemExit(main())", "node"]
    words += ["--config", str(overlay), "--ros-args", "-r", "__ns:=/robot"]
    from rcl_interfaces.srv import GetParameters

    log = tmp_path / "log"
    with Listener("/robot/ineus") as listener:
        with ChildProcess([sys.executable, *words], domain, log) as child:
            assert wait_until(lambda: bool(listener.status), STARTED_S), log.read_text()
            names = ["meshing.voxel_size_m", "global_frame"]
            answer = listener.call("get_parameters", GetParameters, names=names)
            assert [v.double_value or v.string_value for v in answer.values] == [0.5, "map"]
            assert child.stop() == 0
