# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Reports of several runs side by side."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

REPORTS = {
    "kitchen": {"held_out": {"psnr": 24.5}, "mesh": {"triangles": 1200}, "wall_s": 10.0},
    "shelf [red]": {"mesh": {"triangles": 800}, "wall_s": 20.0, "keyframes": 7},
}


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    for name, report in REPORTS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps(report))
    return [str(tmp_path / name) for name in REPORTS]


def test_each_run_has_a_column(ineus: Any, runs: list[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = ineus("compare", *runs)
    assert done.exit_code == 0
    assert "shelf [red]" in done.stdout
    lines = [line.split("│") for line in done.stdout.splitlines() if line.count("│") == 4]
    rows = {line[1].strip(): (line[2].strip(), line[3].strip()) for line in lines}
    assert rows["triangles"] == ("1,200", "800")
    # What only one of them has measured is empty for the other.
    assert rows["PSNR of views kept out of training"] == ("24.50 dB", "–")
    assert rows["kept as keyframes"] == ("–", "7")


def test_files_hold_numbers_and_units(ineus: Any, runs: list[str], tmp_path: Path) -> None:
    table, record = tmp_path / "table.csv", tmp_path / "table.json"
    assert ineus("compare", *runs, "--csv", str(table), "--json", str(record)).exit_code == 0
    rows = {row["key"]: row for row in csv.DictReader(table.open(encoding="utf-8"))}
    assert rows["wall_s"]["kitchen"] == "10.0" and rows["wall_s"]["unit"] == "s"
    assert rows["held_out.psnr"]["shelf [red]"] == ""
    back = json.loads(record.read_text())
    assert back["kitchen"]["held_out.psnr"] == {"value": 24.5, "unit": "dB"}


def test_a_folder_without_a_report_is_named(ineus: Any, runs: list[str], tmp_path: Path) -> None:
    done = ineus("compare", runs[0], str(tmp_path))
    assert done.exit_code == 1
    assert str(tmp_path / "report.json") in done.stderr
