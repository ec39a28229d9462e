# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus demo`: the main job end to end on built-in input, over real ROS topics."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ineus_core.errors import MissingDependencyError


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("out/demo"),
    frames: Annotated[int, typer.Option(min=8, help="Number of frames.")] = 75,
    train_seconds: Annotated[
        float, typer.Option(min=0, help="Maximum training after the last frame, s.")
    ] = 45.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    view: Annotated[
        bool, typer.Option("--view", help="Show the node on a live page in a browser.")
    ] = False,
) -> None:
    """Record a built-in room, play it on topics, reconstruct it in the node, check the mesh."""
    if find_spec("rclpy") is None:
        raise MissingDependencyError("rclpy", extra="ros")
    if view and find_spec("viser") is None:
        raise MissingDependencyError("viser", extra="view")
    # What is buffered would be lost with the process that is replaced below.
    sys.stdout.flush()
    settings = [f"--frames={frames}", f"--train-seconds={train_seconds}", f"--device={device}"]
    settings += ["--view"] if view else []
    # A process of its own: this package never imports the one with ROS in it.
    program = [sys.executable, "-m", "ineus_ros.demo", f"--out={out}", *settings]
    os.execv(sys.executable, program)
