# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The main job end to end: a bag played on real topics, the node, and the mesh that arrives."""

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from ineus_core.errors import SourceError
from ineus_core.evaluation import (
    evaluate_mesh,
    overview_camera,
    render_mesh_picture,
    write_report,
)
from ineus_core.geometry import rotation_to_quaternion
from ineus_core.meshing import remove_small_components, write_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.sources.bags import writer as bag_writer
from ineus_core.types import Mesh
from ineus_core.viewer import DEFAULT_PORT
from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess, private_domain
from ineus_ros.demo.report import print_table

REMAPS = {
    "color/image": bag_writer.COLOUR_TOPIC,
    "color/camera_info": bag_writer.COLOUR_INFO_TOPIC,
    "depth/image": bag_writer.DEPTH_TOPIC,
    "odom": "/odom",
}
START_TIMEOUT_S = 90.0
PLAY_TIMEOUT_S = 120.0
INTAKE_TIMEOUT_S = 120.0
SAVE_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class DemoConfig:
    """How long and how large."""

    out: Path
    frames: int = 75
    train_s: float = 45.0
    """Training after the last frame."""
    device: str = "auto"
    view: bool = False
    """Whether the node has a live page."""


@dataclass
class Outcome:
    """What the topics brought."""

    mesh: Mesh
    status: Mapping[str, Mapping[str, str]]
    messages: int
    received_bytes: int
    node_exit_code: int
    node_cpu_s: float


@dataclass
class Clock:
    """Wall time by stage."""

    wall_s: dict[str, float] = field(default_factory=dict)
    since_s: float = field(default_factory=time.monotonic)

    def end(self, stage: str) -> None:
        """End a stage and begin the next."""
        now_s = time.monotonic()
        self.wall_s[stage] = now_s - self.since_s
        self.since_s = now_s


def run(config: DemoConfig, console: Console) -> dict[str, Any]:
    """Do it all; return the report."""
    clock = Clock()
    config.out.mkdir(parents=True, exist_ok=True)
    # With the noise of a Kinect: exact depth would flatter what comes out.
    source = SyntheticSource(SyntheticConfig(scene="room", frames=config.frames, noise=1.0))
    bag = config.out / "room.mcap"
    console.print(f"[bold]1/4[/] recording {config.frames} frames of a built-in room to {bag}")
    bag_writer.write_bag(source, bag, overwrite=True)
    clock.end("record_s")
    outcome = _over_topics(config, bag, clock, console)
    console.print("[bold]4/4[/] comparing the mesh that arrived with the true surface")
    write_mesh(outcome.mesh, config.out / "mesh.ply")
    metrics = evaluate_mesh(outcome.mesh, source.reference_points())
    _write_picture(outcome.mesh, config.out / "mesh.png")
    clock.end("evaluate_s")
    report = _report(config, outcome, clock) | {"evaluation": {"mesh": metrics.to_json()}}
    write_report(config.out, report, mesh=outcome.mesh, title="ineus demo")
    print_table(report, console)
    console.print(f"mesh, picture and report are in {config.out}")
    return report


def _over_topics(config: DemoConfig, bag: Path, clock: Clock, console: Console) -> Outcome:
    """Play the bag into the node; everything passes through DDS, in a domain of our own."""
    with ExitStack() as stack:
        environment = stack.enter_context(private_domain())
        # This process too, as its listener has to be in the same domain as the children.
        os.environ.update(environment)
        # Before the node, so that it misses nothing that the node says.
        listener = stack.enter_context(Listener())
        node = _start_node(config, environment)
        stack.callback(node.stop)
        _await(lambda: bool(listener.status), START_TIMEOUT_S, node, "the node did not start")
        clock.end("start_s")
        if config.view:
            console.print(f"live page, until the node ends: http://127.0.0.1:{DEFAULT_PORT}")
        console.print("[bold]2/4[/] playing it on topics into the node")
        # What is played before the two have found each other is lost.
        words = [sys.executable, "-m", "ineus_ros.player", str(bag), "--wait-subscribers", "30"]
        player = ChildProcess(words, environment, config.out / "player.log")
        stack.callback(player.stop)
        _await(lambda: not player.is_running, PLAY_TIMEOUT_S, node, "the player did not end")
        if player.stop():
            raise SourceError(f"the player failed: {config.out / 'player.log'} says why")
        # What a slow machine has not taken by then is still counted, as waiting.
        wait_until(lambda: _has_taken_all(listener) or not node.is_running, INTAKE_TIMEOUT_S)
        clock.end("stream_s")
        _train(config.train_s, listener, node, console)
        clock.end("train_s")
        answer = listener.call("save_mesh", timeout_s=SAVE_TIMEOUT_S)
        if not answer.success:
            raise SourceError(f"save_mesh: {answer.message}")
        # The next status but one was surely made after the mesh was published.
        enough = listener.statuses + 2
        _await(
            lambda: listener.statuses >= enough and _holds_all(listener),
            20.0,
            node,
            "not all of the mesh has arrived",
        )
        node_cpu_s = node.cpu_s()
        exit_code = node.stop()
        clock.end("save_s")
        receiver = listener.receiver
        # Crumbs are left out here as the node leaves them out of the file that it saves.
        mesh = remove_small_components(receiver.mesh(), 64)
        return Outcome(
            mesh,
            listener.status,
            receiver.messages,
            receiver.received_bytes,
            exit_code,
            node_cpu_s,
        )


def _start_node(config: DemoConfig, environment: Mapping[str, str]) -> ChildProcess:
    rotation = rotation_to_quaternion(bag_writer.BODY_FROM_CAMERA[:3, :3])
    body_from_camera = [float(value) for value in (0, 0, 0, *rotation)]
    parameters = {
        "device": config.device,
        "pose_source": "odom",
        # Odometry in the bag is of the robot's body, not of the camera.
        "body_from_camera": body_from_camera,
        # The player sends images reliably, and at the end each has to be accounted for.
        "reliable": "true",
        "output_dir": config.out / "node",
        # Enough for a room, and several times as fast on two cores.
        "meshing.voxel_size_m": 0.04,
        "pipeline.mesh_rate_hz": 0.2,
        "mesh_refresh_s": 10.0,
    }
    if config.view:
        parameters["viewer.port"] = DEFAULT_PORT
    words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
    words += [word for pair in REMAPS.items() for word in ("-r", f"{pair[0]}:={pair[1]}")]
    words += [word for pair in parameters.items() for word in ("-p", f"{pair[0]}:={pair[1]}")]
    return ChildProcess(words, environment, config.out / "node.log")


def _await(condition: Any, timeout_s: float, node: ChildProcess, failure: str) -> None:
    """Wait for a condition; a node that has died is not waited for."""
    wait_until(lambda: condition() or not node.is_running, timeout_s)
    if not node.is_running:
        raise SourceError(f"the node ended with code {node.stop()}; its log says why")
    if not condition():
        raise SourceError(f"{failure} within {timeout_s:g} s")


def _has_taken_all(listener: Listener) -> bool:
    """Decide whether each received image is a frame in use or a counted drop."""
    number = listener.number
    # While images still come, all of those so far may be decided, and yet not all.
    is_quiet = float(listener.status["input"]["color_rate_hz"]) == 0
    frames = number("input", "frames")
    names = ("pipeline.frames_used", "pipeline.frames_dropped")
    decided = sum(number("training", name) for name in names)
    return is_quiet and 0 < frames <= decided and not number("input", "frames_waiting")


def _holds_all(listener: Listener) -> bool:
    return 0 < listener.receiver.triangles == listener.number("mesh", "triangles")


def _train(seconds: float, listener: Listener, node: ChildProcess, console: Console) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("[bold]3/4[/] training on"),
        BarColumn(),
        TextColumn("step {task.fields[step]}, {task.fields[triangles]} triangles received"),
        TimeRemainingColumn(),
    )
    begin = time.monotonic()
    if not console.is_terminal:
        console.print(f"[bold]3/4[/] training on for {seconds:g} s")
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=seconds, step=0, triangles=0)
        while (passed := time.monotonic() - begin) < seconds and node.is_running:
            progress.update(
                task,
                completed=passed,
                step=listener.number("training", "step"),
                triangles=listener.receiver.triangles,
            )
            time.sleep(0.2)


def _report(config: DemoConfig, outcome: Outcome, clock: Clock) -> dict[str, Any]:
    counts = outcome.status["input"]
    training = outcome.status["training"]
    received = int(counts.get("color_received", 0))
    used = int(training["pipeline.frames_used"])
    dropped = int(counts["frames_dropped"]) + int(training["pipeline.frames_dropped"])
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "torch", "rclpy")}
    return {
        "frames_sent": config.frames,
        "frames_in": received,
        "frames_lost": config.frames - received,
        "frames_lost_reported": int(counts.get("color_lost", 0)),
        "frames_used": used,
        "frames_dropped": dropped,
        "frames_waiting": received - used - dropped,
        "keyframes": int(training.get("keyframes", 0)),
        "steps": int(training.get("step", 0)),
        "mesh": {
            "vertices": len(outcome.mesh.vertices),
            "triangles": len(outcome.mesh.triangles),
            "messages": outcome.messages,
            "megabytes": outcome.received_bytes * 1e-6,
        },
        "node_exit_code": outcome.node_exit_code,
        "node_cpu_s": outcome.node_cpu_s,
        "wall_s": sum(clock.wall_s.values()),
        "stages": clock.wall_s,
        "device": f"{training.get('device', '')}, {platform.machine()}",
        "versions": versions,
        "status": outcome.status,
    }


def _write_picture(mesh: Mesh, path: Path) -> None:
    pose, camera = overview_camera(mesh)
    picture = render_mesh_picture(mesh, pose, camera)
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    assert done
    path.write_bytes(data.tobytes())
