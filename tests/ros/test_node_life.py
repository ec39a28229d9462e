# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How the node starts, rests, is managed, and ends; each test with a process of its own."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ineus_core.meshing import read_mesh

pytest.importorskip("rclpy", reason="needs rclpy")

from ros_node import FRAMES, STARTED_S, Running
from ros_stream import Camera

from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess
from ineus_ros.shared_memory import own_segments

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture
def camera(domain: Mapping[str, str]) -> Iterator[Camera]:
    with Camera() as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_training_ends_it_by_itself_with_the_mesh_saved(
    domain: Mapping[str, str], camera: Camera, tmp_path: Path, number: signal.Signals
) -> None:
    # Under nohup it is ignored, which the node would inherit and heed.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    running = Running(tmp_path, domain, save_on_shutdown="true")
    signal.signal(signal.SIGHUP, before)
    try:
        camera.wait_for_subscriber()
        for frame in FRAMES[:8]:
            camera.publish(frame)
            time.sleep(0.05)
        running.wait(lambda: running.listener.receiver.triangles > 100)
        segments = own_segments(running.process.process.pid)
        assert segments and all(segment.exists() for segment in segments)
        # Who does not end by itself is killed, which is another code. What the end takes is
        # measured by benchmarks/node_costs.py: here it would be the machine's other work.
        assert running.stop(number) == 0, running.log.read_text()
    finally:
        running.close()
    # 64 MB a start would fill the machine's shared memory, and then nothing is found any more.
    assert not any(segment.exists() for segment in segments)
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
    wait_until(lambda: not child.is_running, STARTED_S)
    assert child.stop() == 2
    errors = [line for line in log.read_text().splitlines() if line.startswith("ineus: error:")]
    assert len(errors) == 1 and words in errors[0]
    assert "Traceback" not in log.read_text()


def share_of_a_core(running: Running) -> float:
    """Return what the node takes while it publishes three statuses."""
    before_s, began_s = running.process.cpu_s(), time.monotonic()
    seen = running.listener.statuses
    running.wait(lambda: running.listener.statuses >= seen + 3)
    return (running.process.cpu_s() - before_s) / (time.monotonic() - began_s)


def test_without_input_the_node_rests(domain: Mapping[str, str], tmp_path: Path) -> None:
    running = Running(tmp_path, domain)
    try:
        # It comes to rest some time after its start, on a busy machine later. It takes 4 % of a
        # slow core (benchmarks/node_costs.py), a loop that never sleeps all of it.
        running.wait(lambda: share_of_a_core(running) < 0.25)
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
        assert running.stop() == 0
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
            assert child.stop(STARTED_S) == 0


def test_a_clock_that_stands_still_holds_up_neither_status_nor_end(
    domain: Mapping[str, str], tmp_path: Path
) -> None:
    """As with a bag that is over: `use_sim_time`, and nobody publishes /clock."""
    running = Running(tmp_path, domain, use_sim_time="true")
    try:
        seen = running.listener.statuses
        running.wait(lambda: running.listener.statuses > seen + 1)
        assert running.stop() == 0
    finally:
        running.close()
