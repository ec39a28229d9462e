# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The demo is a check: what it fails for."""

from pathlib import Path
from typing import Any

import pytest

from ineus_core.errors import SourceError
from ineus_ros.demo import __main__ as demo
from ineus_ros.demo.report import shortfalls


def report(f_score: float | None = 0.95, **changes: int) -> dict[str, Any]:
    """Of a demo in which all is well, but for the changes."""
    counts = {
        "frames_lost": 0,
        "frames_lost_reported": 0,
        "frames_waiting": 0,
        "node_exit_code": 0,
    }
    return counts | changes | {"evaluation": {"mesh": {"f_score": {"0.02": 0.1, "0.05": f_score}}}}


def test_all_is_well() -> None:
    assert shortfalls(report()) == []
    assert shortfalls(report(0.9)) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (report(0.899), "89.9 % at 5 cm: expected at least 90 %"),
        (report(None), "0.0 %"),
        (report(frames_waiting=2), "2 frames were received"),
        (report(frames_lost=3, frames_lost_reported=1), "3 frames were lost"),
        (report(node_exit_code=-9), "code -9"),
    ],
)
def test_each_shortfall_is_a_line(wrong: dict[str, Any], words: str) -> None:
    (line,) = shortfalls(wrong)
    assert words in line


def test_frames_that_were_lost_and_counted_are_no_failure() -> None:
    assert shortfalls(report(frames_lost=3, frames_lost_reported=3)) == []


def test_the_exit_code_says_whether_it_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path)]
    monkeypatch.setattr(demo, "run", lambda *_: report())
    assert demo.main(words) == 0
    monkeypatch.setattr(demo, "run", lambda *_: report(0.5, frames_waiting=1))
    assert demo.main(words) == 1
    assert capsys.readouterr().err.count("ineus: error: ") == 2

    def fails(*_: object) -> None:
        raise SourceError("the node did not start")

    monkeypatch.setattr(demo, "run", fails)
    assert demo.main(words) == 1
