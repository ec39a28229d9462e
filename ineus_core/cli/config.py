# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus config`: the full configuration as YAML, every key under its description."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from ineus_core.config_model import ConfigModel

_WIDTH = 99


def command(
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file with the keys that differ.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Set one key; repeatable.")
    ] = None,
    ros: Annotated[
        bool, typer.Option("--ros", help="As a ROS parameter file, under /**: ros__parameters:.")
    ] = False,
) -> None:
    """Print the full configuration as YAML, every key under its description.

    The output is itself a configuration file.
    """
    from ineus_core.config import load_config

    typer.echo(as_yaml(load_config(config, overrides or ()), ros=ros), nl=False)


def as_yaml(config: ConfigModel, ros: bool = False) -> str:
    """Write a configuration as YAML with the descriptions as comments.

    Args:
        ros: Put the tree where the ROS parameter file format has it.
    """
    lines = ["/**:", "  ros__parameters:"] if ros else []
    lines += _lines(config, 4 if ros else 0, ros)
    return "\n".join(lines) + "\n"


def _lines(record: ConfigModel, indent: int, ros: bool) -> Iterator[str]:
    margin = " " * indent
    plain = record.model_dump(mode="json")
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        about = f"{field.description or ''}{_choices(field.annotation)}".strip()
        yield from (f"{margin}# {line}" for line in wrap(about, _WIDTH - 2 - indent))
        if isinstance(value, ConfigModel):
            inner = list(_lines(value, indent + 2, ros))
            # A section without any value would read as none at all.
            is_empty = all(line.lstrip().startswith("#") for line in inner)
            yield f"{margin}{'# ' * is_empty}{name}:"
            yield from inner
        elif ros and plain[name] == []:
            yield f"{margin}# {name}: []  (no ROS parameter file can hold an empty list)"
        else:
            yield f"{margin}{name}: {_scalar(plain[name])}"


def _choices(annotation: Any) -> str:
    if get_origin(annotation) is not Literal:
        return ""
    return f" One of: {', '.join(map(str, get_args(annotation)))}."


def _scalar(value: Any) -> str:
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
