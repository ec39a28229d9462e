# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A bag in, a report out: runs `ineus run` on it, measures held-out views, then ends."""

# ruff: noqa: I001 - it takes the package `launch` for this folder
import shlex
import shutil
from collections.abc import Callable

from launch import Action, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.launch_context import LaunchContext
from launch.substitutions import LaunchConfiguration

PACKAGE = "ineus_ros"

ARGUMENTS = (
    ("bag", None, "Bag (.mcap, .db3 or its folder) or data set folder to reconstruct.", None),
    ("out", "ineus_out/evaluation", "Folder for mesh, checkpoint, renders and report.", None),
    ("params_file", "", "Parameter file, for example one of config/.", None),
    ("device", "auto", "auto, cpu, cuda or cuda:N.", None),
    ("hold_out", "8", "Every so many frames one is measured on, not trained on; 0: none.", None),
    ("real_time", "0.0", "Factor of the wall clock at which frames come; 0: all are used.", None),
    ("max_frames", "0", "Frames to use; 0: all.", None),
    ("reference", "", "Mesh or points to measure the mesh against; empty: none.", None),
    ("arguments", "", 'More words for `ineus run`, for example "--set seed=1".', None),
)
"""Name, default (None: it must be given), description and choices."""


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=about, choices=choices)
        for name, default, about, choices in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def commands(given: dict[str, str]) -> list[list[str]]:
    """List the commands that the arguments ask for, one after the other."""
    # colcon installs it beside the node, pip on the path.
    ineus = ["ineus"] if shutil.which("ineus") else ["ros2", "run", PACKAGE, "ineus"]
    run = [*ineus, "run", given["bag"], "--out", given["out"], "--device", given["device"]]
    run += ["--hold-out", given["hold_out"], "--real-time", given["real_time"]]
    run += ["--max-frames", given["max_frames"]]
    if given["params_file"]:
        run += ["--config", given["params_file"]]
    run += shlex.split(given["arguments"])
    if not given["reference"]:
        return [run]
    return [run, [*ineus, "eval", given["out"], "--reference", given["reference"]]]


def start(context: LaunchContext) -> list[ExecuteProcess | RegisterEventHandler]:
    """Start the run, then the comparison if there is a reference, then end the launch."""
    given = {
        name: context.perform_substitution(LaunchConfiguration(name)) for name, *_ in ARGUMENTS
    }
    steps = [ExecuteProcess(cmd=words, output="screen") for words in commands(given)]
    handlers = [
        RegisterEventHandler(
            OnProcessExit(target_action=step, on_exit=then(*steps[i + 1 : i + 2]))
        )
        for i, step in enumerate(steps)
    ]
    return [*handlers, steps[0]]


def then(*following: ExecuteProcess) -> Callable[[ProcessExited, LaunchContext], list[Action]]:
    """Return what comes after a process: the following one unless it failed, else the end."""

    def on_exit(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if event.returncode == 0 and following:
            return list(following)
        reason = f"{event.process_name} ended with code {event.returncode}"
        return [EmitEvent(event=Shutdown(reason=reason))]

    return on_exit
