# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers, stamps, poses and names out of text; whatever a file says, the answer is a sentence."""

import os
from pathlib import Path

import numpy as np
import pytest

from ineus_core.errors import SourceError
from ineus_core.sources.parsing import (
    NumberFields,
    checked_pose,
    named_file,
    numbered_lines,
    parse_matrix,
    parse_stamp_ns,
    read_json,
)


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# head\n\n1 2 # two\n  3 4\n")
    assert numbered_lines(path) == [(3, "1 2"), (4, "3 4")]
    assert parse_matrix(path, numbered_lines(path), 2, 2).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3\n", r"line 2: '3'; expected 2 finite numbers"),
        ("1 2\n3 inf\n", r"line 2: '3 inf'; expected 2 finite numbers"),
        ("1 2\n", "1 rows; expected 2 of 2 numbers"),
        ("1 2\n3 " + "4" * 5000, r"line 2: '.*\.\.\..*'; expected 2 finite numbers"),
    ],
)
def test_matrices_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "matrix.txt"
    path.write_text(text)
    with pytest.raises(SourceError, match=rf"matrix\.txt.*{message}") as error:
        parse_matrix(path, numbered_lines(path), 2, 2)
    assert len(str(error.value)) < 300 + len(str(path))


@pytest.mark.parametrize("stamp", ["1e999999999", "9e18", "-1e999999999", "later", "-1"])
def test_stamps_that_are_none(stamp: str) -> None:
    with pytest.raises(SourceError, match="here: time stamp"):
        parse_stamp_ns(stamp, "here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ("{", "Expecting"),
        ("1" + "0" * 5000, "digits"),
    ],
)
def test_json_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=rf"record.json: cannot be read as JSON .*{message}"):
        read_json(path)


@pytest.mark.parametrize("value", [10**400, "wide", True, None, [1], float("nan"), "x" * 5000])
def test_values_that_are_no_numbers(value: object) -> None:
    fields = NumberFields({"fx": value}, "record")
    with pytest.raises(SourceError, match=r"record: fx .*expected a finite number") as error:
        fields.number("fx")
    assert len(str(error.value)) < 200


def test_fields_and_defaults() -> None:
    fields = NumberFields({"fx": 3}, "record")
    assert (fields.number("fx"), fields.number("cx", 2.5)) == (3.0, 2.5)
    with pytest.raises(SourceError, match="record: no 'cy'"):
        fields.number("cy")


@pytest.mark.parametrize("name", ["x" * 5000, "a/" + "ü" * 200, "a\0b"])
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="listing, line 3: file name") as error:
        named_file(tmp_path, name, "listing, line 3")
    assert len(str(error.value)) < 300
    assert named_file(tmp_path, "a/b.png", "listing") == tmp_path / "a" / "b.png"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "poses.txt")
    with pytest.raises(SourceError, match="no plain file"):
        numbered_lines(tmp_path / "poses.txt")


def test_a_pose_of_three_rows_is_completed_and_made_exact() -> None:
    rows = np.eye(4)[:3] + np.array([[0, 1e-3, 0, 7], [0, 0, 0, 0], [0, 0, 0, 0]])
    pose = checked_pose(rows, "here")
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert pose[:, 3].tolist() == [7, 0, 0, 1]
