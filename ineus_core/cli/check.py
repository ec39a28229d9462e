# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus check`: a recording or a data set, checked against itself."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ineus_core.consistency import SourceCheck

_STYLES = {"agrees": "green", "contradicts": "bold red", "cannot tell": "yellow"}


def command(
    path: Annotated[str, typer.Argument(help="Bag, data set folder, or a built-in scene.")],
    *,
    source: Annotated[
        str, typer.Option(metavar="KIND", help="Kind of the source; auto: by its content.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML configuration file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Set one key; repeatable.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the settings that make the views agree as YAML."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check whether poses, depth, intrinsics and stamps of an input agree with each other.

    Exit code 0: they agree, or nobody can tell; 1: they contradict each other.
    """
    from ineus_core.cli.given_paths import look_for_source

    look_for_source(path, source)
    from ineus_core.config import load_config
    from ineus_core.consistency import check_source
    from ineus_core.files import check_writable
    from ineus_core.sources import open_source

    if fix is not None:
        check_writable(fix.parent)
    settings = load_config(config, overrides or ())
    frames = open_source(path, source, settings.told_source)
    found = check_source(frames, settings.source.adjustment)
    if fix is not None:
        _write_fix(fix, settings.model_dump(mode="json", exclude_unset=True), found)
    if as_json:
        typer.echo(json.dumps({"path": path, "found": found.rows, **found.verdict.as_json()}))
    else:
        _print(path, found, fix)
    return int(found.verdict.result == "contradicts")


def _print(path: str, found: "SourceCheck", fix: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=path, title_justify="left", show_header=False)
    for name, text in found.rows.items():
        table.add_row(name, text)
    for name, text in _figures(found.verdict.figures).items():
        table.add_row(name, text)
    style = _STYLES[found.verdict.result]
    table.add_row("verdict", f"[{style}]{found.verdict.result}[/{style}]")
    Console().print(table)
    # Not through the console: it would break settings that are to be copied.
    typer.echo(found.verdict.message)
    if fix is not None:
        count = len(found.verdict.settings)
        typer.echo(f"Written: {fix}, {count} setting{'s' * (count != 1)} (for --config).")


def _figures(figures: dict[str, Any]) -> dict[str, str]:
    """Return the figures of the check in words."""
    rows = {"pairs compared": f"{figures['pairs']}"}
    if figures.get("moved") is not None:
        rows["motion in a pair"] = f"{100 * figures['moved']:.0f} % of the width"
    if figures.get("agreement") is not None:
        text = f"{100 * figures['agreement']:.0f} % within 2 %"
        if figures.get("agreement_by_pictures") is not None:
            alone = 100 * figures["agreement_by_pictures"]
            text += f"; {alone:.0f} % if pictures alone tell the motion"
        rows["depth agrees"] = text
    if figures.get("epipolar_px") is not None:
        rows["features"] = f"{figures['epipolar_px']:.1f} px from their epipolar lines"
    return rows


def _write_fix(file: Path, given: dict[str, Any], found: "SourceCheck") -> None:
    """Write what was given and what was found as one configuration."""
    import yaml

    from ineus_core.files import replace_file

    tree = given
    for key, value in found.verdict.settings.items():
        *sections, name = key.split(".")
        section = tree
        for word in sections:
            section = section.setdefault(word, {})
        section[name] = value
    text = f"# {found.verdict.message}\n{yaml.safe_dump(tree, sort_keys=False)}"
    replace_file(file, text.encode())
