# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The whole configuration: all parts in one tree, read from YAML and the command line."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import Field, ValidationError

from ineus_core.config_model import ConfigModel, section_named, walk
from ineus_core.errors import ConfigError
from ineus_core.pipeline import PipelineConfig
from ineus_core.reconstruction import ReconstructorConfig
from ineus_core.ros_config import RosConfig
from ineus_core.sources import SourceConfig

ROS_OWN = ("use_sim_time", "start_type_description_service", "qos_overrides")
"""Parameters that every node has; a file may hold them beside ours."""


class Config(RosConfig, ReconstructorConfig):
    """Everything that can be set; one file serves the command line and the node."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda|cuda:\d+)$",
        description="Where to compute: auto, cpu, cuda or cuda:N; auto = a GPU if there is one.",
    )
    pipeline: PipelineConfig = PipelineConfig()
    source: SourceConfig = SourceConfig()


def load_config(path: Path | str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply overrides of the form `a.b=value`.

    The tree of the file is bare or under `/**: ros__parameters:`.
    """
    tree = _read_yaml(Path(path)) if path is not None else {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"override {override!r}: expected KEY.KEY=VALUE")
        try:
            _put(tree, key.split("."), yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise ConfigError(f"override {override!r}: the value is no YAML: {error}") from error
    return config_from_tree(tree)


def config_from_tree(tree: dict[str, Any]) -> Config:
    """Validate a tree; the message names every wrong key, its value and what was expected."""
    _refuse_unknown(tree, Config, "")
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg'].lower()}"
            for e in error.errors()
        )
        raise ConfigError("configuration: " + "; ".join(problems)) from error


def resolve_device(name: str) -> torch.device:
    """The device of a name; a GPU that is not there is an error, not a slow surprise."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if not torch.cuda.is_available() or (device.index or 0) >= count:
            raise ConfigError(
                f"device {name}: this machine has {count} usable CUDA devices; "
                "expected cpu or auto"
            )
    return device


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is no YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"configuration {path}: expected keys and values, found {type(tree).__name__}"
        )
    for node in ("/**", "ineus", "/ineus"):
        if isinstance(tree.get(node), dict) and "ros__parameters" in tree[node]:
            return _ros_parameters(tree[node]["ros__parameters"], path)
    return tree


def _ros_parameters(parameters: Any, path: Path) -> dict[str, Any]:
    """The tree of a parameter file, where `a.b: value` is as good as a section `a` with `b`."""
    if not isinstance(parameters, dict | None):
        found = type(parameters).__name__
        raise ConfigError(
            f"configuration {path}: ros__parameters: expected keys and values, found {found}"
        )
    tree: dict[str, Any] = {}
    for name, value in (parameters or {}).items():
        if not str(name).startswith(ROS_OWN):
            _put(tree, str(name).split("."), value)
    return tree


def _put(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"override {'.'.join(keys)}: {key} is a value, not a section")
    tree[keys[-1]] = value


def _refuse_unknown(tree: dict[str, Any], model: type[ConfigModel], prefix: str) -> None:
    for given, value in tree.items():
        key = model.renamed.get(given, given)
        if key not in model.model_fields and key not in model.added_sections:
            known = [name for name, _ in walk(Config)]
            near = difflib.get_close_matches(f"{prefix}{key}", known, n=1, cutoff=0.0)
            raise ConfigError(f"unknown configuration key {prefix}{key}: the nearest is {near[0]}")
        section = section_named(model, key)
        if section is not None and isinstance(value, dict):
            _refuse_unknown(value, section, f"{prefix}{key}.")
