# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The whole configuration: all parts in one tree, read from YAML and the command line."""

import difflib
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import yaml
from pydantic import Field, ValidationError

from ineus_core.config_model import ConfigModel, section_named, walk, walk_renamed, walk_retired
from ineus_core.errors import ConfigError
from ineus_core.pipeline import PipelineConfig
from ineus_core.reconstruction import ReconstructorConfig
from ineus_core.ros_config import RosConfig
from ineus_core.sources import NO_DEPTH, SourceConfig
from ineus_core.viewer import ViewerConfig

ROS_OWN = ("use_sim_time", "start_type_description_service", "qos_overrides")
"""Parameters that every node has; a file may hold them beside ours."""
SHARED_WITH_BAGS = (
    *("cameras", "pose_source", "global_frame", "pose_frame", "body_from_camera"),
    *("body_from_cameras", "depth_camera", "color_from_depth"),
    *("sync_tolerance_s", "pose_tolerance_s"),
)
"""Keys that the node and `source.rosbag` both have, with one meaning."""


_DEEPEST, _MOST_VALUES = 50, 100_000
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlong = 60


class Config(RosConfig, ReconstructorConfig):
    """Everything that can be set; one file serves the command line and the node."""

    renamed: ClassVar = {
        **RosConfig.renamed,
        **ReconstructorConfig.renamed,
        "source.min_depth_m": "depth.min_m",
        "source.max_depth_m": "depth.max_m",
    }

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda|cuda:\d+)$",
        description="Where to compute: auto, cpu, cuda or cuda:N; auto = a GPU if there is one.",
    )
    pipeline: PipelineConfig = PipelineConfig()
    source: SourceConfig = SourceConfig()
    viewer: ViewerConfig = ViewerConfig()

    @property
    def told_source(self) -> SourceConfig:
        """Settings of sources, in which a bag heeds what was said to the node, not to bags."""
        bag = self.source.rosbag
        told = {
            name: getattr(self, name)
            for name in SHARED_WITH_BAGS
            if name in self.model_fields_set and name not in bag.model_fields_set
        }
        if self.depth_input == "none" and "depth_topic" not in bag.model_fields_set:
            told["depth_topic"] = NO_DEPTH
        if not told:
            return self.source
        return self.source.model_copy(update={"rosbag": bag.model_copy(update=told)})


def load_config(path: Path | str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply overrides of the form `a.b=value`.

    The tree of the file is bare or under `/**: ros__parameters:`.
    """
    tree = _read_yaml(Path(path)) if path is not None else {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"override {_SHORT.repr(override)}: expected KEY.KEY=VALUE")
        what = f"override {_SHORT.repr(override)}: the value"
        _put(tree, key.split("."), _parse_yaml(value, what))
    return config_from_tree(tree)


def config_from_tree(tree: dict[str, Any]) -> Config:
    """Validate a tree; the message names every wrong key, its value and what was expected."""
    former = {name for name, _ in (*walk_renamed(Config), *walk_retired(Config))}
    _refuse_unknown(tree, Config, "", former)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, e['loc']))} = {_SHORT.repr(e['input'])}: {e['msg'].lower()}"
            for e in error.errors()
        )
        raise ConfigError("configuration: " + "; ".join(problems)) from error


def resolve_device(name: str) -> torch.device:
    """Return the device of a name; a GPU that is not there is an error, not a slow surprise."""
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
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path} cannot be read as YAML: {error}") from error
    tree = _parse_yaml(text, f"configuration {path}")
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"configuration {path}: expected keys and values, found {type(tree).__name__}"
        )
    # The names under which a parameter file can mean our node.
    for node in ("/**", "ineus", "/ineus"):
        if isinstance(tree.get(node), dict) and "ros__parameters" in tree[node]:
            return _ros_parameters(tree[node]["ros__parameters"], path)
    return tree


def _parse_yaml(text: str, what: str) -> Any:
    """Parse YAML of the extent that a configuration may have; `what` names it in messages."""
    try:
        _check_extent(text)
        return yaml.safe_load(text)
    # Dates and tags such as !!int raise whatever Python raises for their texts.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ConfigError(f"{what} cannot be read as YAML: {error}") from error


def _check_extent(text: str) -> None:
    """Raise `ValueError` for nesting or aliases that would fill stack or memory."""
    values = 0
    open_at: list[tuple[str | None, int]] = []
    values_of: dict[str, int] = {}
    # Events instead of values: some lines of aliases of aliases name a billion values.
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in values_of:
                raise ValueError(f"alias {event.anchor!r} stands in what it names, or nowhere")
            values += values_of[event.anchor]
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            values += 1
            open_at.append((event.anchor, values - 1))
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent):
            anchor, before = open_at.pop()
            if anchor is not None:
                values_of[anchor] = values - before
        if len(open_at) > _DEEPEST or values > _MOST_VALUES:
            raise ValueError(
                f"more than {_DEEPEST} levels or {_MOST_VALUES} values with aliases written out"
            )


def _ros_parameters(parameters: Any, path: Path) -> dict[str, Any]:
    """Read a parameter file's tree, where `a.b: value` is as good as a section `a` with `b`."""
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


def _refuse_unknown(
    tree: dict[str, Any], model: type[ConfigModel], prefix: str, former: set[str]
) -> None:
    for given, value in tree.items():
        key = model.renamed.get(given, given)
        if f"{prefix}{given}" in former:
            continue
        if key not in model.model_fields and key not in model.added_sections:
            known = [name for name, _ in walk(Config)] + [prefix + n for n in model.model_fields]
            name = f"{prefix}{key}"[:200]
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ConfigError(f"unknown configuration key {name}: the nearest is {near[0]}")
        section = section_named(model, key)
        if section is not None and isinstance(value, dict):
            _refuse_unknown(value, section, f"{prefix}{key}.", former)
