# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus node`: the ROS node where there is no `ros2 run`."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from ineus_core.config_model import value_at, walk
from ineus_core.errors import ConfigError, MissingDependencyError

CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}


def command(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="Configuration, or a ROS parameter file.")
    ] = None,
) -> None:
    """Run the ROS node; what stands behind --ros-args goes to ROS."""
    if find_spec("rclpy") is None:
        raise MissingDependencyError("rclpy", extra="ros")
    words = list(context.args)
    if words and words[0] != "--ros-args":
        raise ConfigError(f"unknown argument {words[0]!r}: expected --config or --ros-args")
    settings = [] if config is None else _as_overrides(config)
    if settings:
        words = [*(words or ["--ros-args"]), *settings]
    # What is buffered would be lost with the process that is replaced below.
    sys.stdout.flush()
    # The process becomes the node, so that signals reach it as they would under `ros2 run`.
    os.execv(sys.executable, [sys.executable, "-m", "ineus_ros.node", *words])


def _as_overrides(path: Path) -> list[str]:
    """List the keys of a file that differ from the defaults, as `-p name:=value`."""
    from ineus_core.config import Config, load_config

    given, defaults = load_config(path), Config()
    changed = {
        name: value
        for name, _ in walk(Config)
        if (value := value_at(given, name)) != value_at(defaults, name)
    }
    return [word for name, value in changed.items() for word in ("-p", f"{name}:={_yaml(value)}")]


def _yaml(value: Any) -> str:
    """Write a value as ROS reads it; what ROS has no type for becomes JSON text."""
    import yaml

    if isinstance(value, tuple | list):
        # ROS cannot tell the type of an empty list.
        is_plain = bool(value) and all(isinstance(item, str | int | float) for item in value)
        value = list(value) if is_plain else json.dumps(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")
