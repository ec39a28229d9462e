# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters declared from the configuration tree, so that no default is written twice."""

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from ineus_core.config_model import (
    ConfigModel,
    value_at,
    walk,
    walk_renamed,
    walk_retired,
    with_present_names,
    without_retired,
)
from ineus_core.errors import ConfigError

ROS_OWN = ("use_sim_time", "start_type_description_service", "qos_overrides.")
"""Parameters of every node, which are not in the tree."""
_INT_LIMIT = 2**63 - 1
_PLAIN = (bool, int, float, str)

Tree = TypeVar("Tree", bound=ConfigModel)


def declare_parameters(node: Node, tree: type[Tree]) -> Tree:
    """Declare the whole tree on a node; return it with what launch, YAML and command line set.

    The node must have been made with `automatically_declare_parameters_from_overrides=True`:
    that is how unknown names are seen.

    Raises:
        ConfigError: For an unknown name (with the nearest known one) or a value that does not fit.
    """
    fields = dict(walk(tree))
    overrides = _with_present_names(
        node,
        tree,
        {
            name: parameter.value
            for name, parameter in node.get_parameters_by_prefix("").items()
            if not name.startswith(ROS_OWN)
        },
    )
    for name in overrides:
        if name not in fields:
            raise ConfigError(f"unknown parameter {name!r}: {_nearest(name, fields)}")
    config = _build(
        tree, {name: _decode(fields[name], value) for name, value in overrides.items()}
    )
    for name, field in fields.items():
        if node.has_parameter(name):
            # An override has declared it, without description and range.
            node.undeclare_parameter(name)
        # Overrides are in `config` already, under their present names and checked.
        node.declare_parameter(
            name, to_ros(value_at(config, name)), describe(field), ignore_override=True
        )
    return config


def _with_present_names(
    node: Node, tree: type[ConfigModel], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Take parameters under names of the last release for those that they have now."""
    renamed, retired = dict(walk_renamed(tree)), dict(walk_retired(tree))
    warn = node.get_logger().warning
    try:
        present = with_present_names(
            tree, renamed, without_retired(retired, values, warn=warn), warn=warn
        )
    except ValueError as error:
        raise ConfigError(f"parameter {error}") from error
    # Left among the parameters they would look as if they still did something.
    for name in (renamed.keys() | retired.keys()) & values.keys():
        node.undeclare_parameter(name)
    return present


def describe(field: FieldInfo) -> ParameterDescriptor:
    """Describe a field for ROS: description, range and choices."""
    descriptor = ParameterDescriptor(description=field.description or "")
    low, high = _bounds(field)
    if field.annotation is int and (low is not None or high is not None):
        # ROS knows no open range.
        first, last = (-_INT_LIMIT if low is None else low), (_INT_LIMIT if high is None else high)
        # Tools such as rqt_reconfigure make sliders of it.
        descriptor.integer_range = [
            IntegerRange(from_value=int(first), to_value=int(last), step=1)
        ]
    elif field.annotation is float and (low is not None or high is not None):
        # The largest double, as ROS knows no open range.
        limit = 1.7976931348623157e308
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=float(-limit if low is None else low),
                to_value=float(limit if high is None else high),
            )
        ]
    constraints = []
    if get_origin(field.annotation) is Literal:
        constraints.append("one of: " + ", ".join(map(str, get_args(field.annotation))))
    constraints.append("may change at run time" if is_changeable(field) else "read at start")
    descriptor.additional_constraints = "; ".join(constraints)
    return descriptor


def is_changeable(field: FieldInfo) -> bool:
    """Decide whether a running node takes a new value of the field."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("changeable"))


class ParameterChanges(Generic[Tree]):
    """Takes changes of a running node's parameters, or refuses them with the reason."""

    def __init__(self, node: Node, config: Tree) -> None:
        """Listen for changes; `config` always holds the newest values."""
        self.config = config
        self._fields = dict(walk(type(config)))
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        changes = {}
        for parameter in parameters:
            field = self._fields.get(parameter.name)
            if field is None:
                continue  # a parameter of ROS itself
            if not is_changeable(field):
                reason = f"{parameter.name} is read at start; restart the node to change it"
                return SetParametersResult(successful=False, reason=reason)
            changes[parameter.name] = _decode(field, parameter.value)
        try:
            # The whole tree is checked, as values may depend on each other.
            values = {name: value_at(self.config, name) for name in self._fields} | changes
            self.config = _build(type(self.config), values)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def to_ros(value: Any) -> Any:
    """Convert a value to a type that ROS parameters have; what they lack is JSON text."""
    if value is None:
        return ""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple | list) and value:
        if all(isinstance(item, int | float) for item in value):
            # Of one type, as arrays of ROS are, and of doubles, or 0.5 could not be set where 0 is
            # the default.
            return [float(item) for item in value]
        if all(isinstance(item, str) for item in value):
            return list(value)
    return json.dumps(value, default=_plain)


def _decode(field: FieldInfo, value: Any) -> Any:
    """Convert a value from ROS to one for pydantic to check."""
    if value is None:
        return None
    if isinstance(value, str):
        # ROS has no parameter without a value, so `to_ros` writes None as an empty text.
        if value == "" and type(None) in get_args(field.annotation):
            return None
        # What ROS has no type for is JSON text, as `to_ros` makes it.
        if not _is_text(field) and value[:1] in ("[", "{"):
            return json.loads(value)
        return value
    if isinstance(value, _PLAIN):
        return value
    return list(value)


def _is_text(field: FieldInfo) -> bool:
    if get_origin(field.annotation) is tuple:
        return False
    kinds = (field.annotation, *get_args(field.annotation))
    return str in kinds or get_origin(field.annotation) is Literal


def _build(tree: type[Tree], values: Mapping[str, Any]) -> Tree:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *sections, leaf = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[leaf] = value
    try:
        return tree.model_validate(nested)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        raise ConfigError(f"parameter {name} is {first['input']!r}: {first['msg']}") from error


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return least and greatest value; ROS ranges are closed, so open ends move by one step."""
    whole = field.annotation is int
    low: float | None = None
    high: float | None = None
    for limit in field.metadata:
        if isinstance(limit, Ge):
            low = _number(limit.ge)
        elif isinstance(limit, Gt):
            least = _number(limit.gt)
            low = least + 1 if whole else math.nextafter(least, math.inf)
        elif isinstance(limit, Le):
            high = _number(limit.le)
        elif isinstance(limit, Lt):
            most = _number(limit.lt)
            high = most - 1 if whole else math.nextafter(most, -math.inf)
    return low, high


def _number(limit: Any) -> float:
    return limit  # type: ignore[no-any-return]


def _nearest(name: str, known: Mapping[str, FieldInfo]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"the nearest known one is {near[0]!r}" if near else "there are none"


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else str(value)
