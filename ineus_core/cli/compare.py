# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus compare`: the figures of several runs side by side."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ineus_core.errors import SourceError

if TYPE_CHECKING:
    from ineus_core.evaluation import Fact


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="DIR DIR ...", help="Folders of runs, with report.json."),
    ],
    *,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the table as CSV.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")
    ] = None,
) -> None:
    """Set the reports of runs side by side; a column for each."""
    from ineus_core.evaluation import facts_of
    from ineus_core.files import replace_file

    names = _names(runs)
    columns = {name: facts_of(_report_of(run)) for name, run in zip(names, runs, strict=True)}
    if csv_file is not None:
        replace_file(csv_file, _as_csv(columns))
    if json_file is not None:
        replace_file(json_file, _as_json(columns))
    _print_table(columns)


def _report_of(run: Path) -> dict[str, Any]:
    file = run / "report.json"
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}; expected the folder of a run") from error
    except ValueError as error:
        raise SourceError(f"{file}: no JSON ({error})") from error
    if not isinstance(report, dict):
        raise SourceError(f"{file}: holds a {type(report).__name__}, expected the report of a run")
    return report


def _names(runs: Sequence[Path]) -> list[str]:
    """Name each run by its folder, or by all of its path where folders have the same name."""
    short = [run.resolve().name for run in runs]
    return [
        str(run) if short.count(name) > 1 else name for run, name in zip(runs, short, strict=True)
    ]


def _keys(columns: "dict[str, list[Fact]]") -> "list[Fact]":
    """Return one fact of each key, by group, in the order of the first run that has it."""
    from ineus_core.evaluation import GROUPS

    # Reversed, so that of each key the fact of the first run stays.
    found = {fact.key: fact for facts in reversed(columns.values()) for fact in facts}
    first = dict.fromkeys(fact.key for facts in columns.values() for fact in facts)
    return sorted((found[key] for key in first), key=lambda fact: GROUPS.index(fact.group))


def _row(columns: "dict[str, list[Fact]]", key: str) -> "list[Fact | None]":
    return [next((f for f in facts if f.key == key), None) for facts in columns.values()]


def _as_csv(columns: "dict[str, list[Fact]]") -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("key", "figure", "unit", *columns))
    for fact in _keys(columns):
        values = ("" if f is None or f.value is None else f.value for f in _row(columns, fact.key))
        writer.writerow((fact.key, fact.label, fact.unit, *values))
    return out.getvalue()


def _as_json(columns: "dict[str, list[Fact]]") -> str:
    record = {
        name: {fact.key: {"value": fact.value, "unit": fact.unit} for fact in facts}
        for name, facts in columns.items()
    }
    return json.dumps(record, indent=1, allow_nan=False) + "\n"


def _print_table(columns: "dict[str, list[Fact]]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("")
    for name in columns:
        # The name of a folder may look like markup.
        table.add_column(Text(name), justify="right")
    group = ""
    for fact in _keys(columns):
        if group and fact.group != group:
            table.add_section()
        group = fact.group
        texts = ("–" if f is None else f.text for f in _row(columns, fact.key))
        table.add_row(Text(fact.label), *map(Text, texts))
    Console().print(table)
