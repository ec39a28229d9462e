# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files of poses in each of their formats, and those that have none."""

from pathlib import Path

import numpy as np
import pytest
from folder_making import pose

from ineus_core.errors import SourceError
from ineus_core.sources.sequences.trajectory_files import begins_with_numbers, read_trajectory


def rows(index: int, count: int = 4) -> list[str]:
    return [" ".join(map(str, row)) for row in pose(index)[:count]]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def log(*heads: str) -> list[str]:
    return [line for i, head in enumerate(heads) for line in (head, *rows(i))]


@pytest.mark.parametrize(
    ("lines", "indices"),
    [
        ([" ".join(rows(i)) for i in range(3)], [0, 1, 2]),
        ([" ".join(rows(i, 3)) for i in range(3)], [0, 1, 2]),
        ([line for i in range(3) for line in (*rows(i), "")], [0, 1, 2]),
        ([line for i in range(4) for line in (*rows(i, 3), "")], [0, 1, 2, 3]),
        # The third number of a head counts pictures from 1; some writers begin with 0.
        (log("0 0 1", "1 1 2", "4 4 5"), [0, 1, 4]),
        (log("0 0 0", "1 1 1", "2 2 2"), [0, 1, 2]),
        (log("0 0 0", "0 0 0", "0 0 0"), [0, 1, 2]),
    ],
)
def test_matrices(tmp_path: Path, lines: list[str], indices: list[int]) -> None:
    found = read_trajectory(written(tmp_path / "traj.txt", ["# poses", *lines]))
    assert [entry.index for entry in found] == indices
    assert all(entry.stamp_ns is None for entry in found)
    for i, entry in enumerate(found):
        np.testing.assert_allclose(entry.world_from_camera, pose(i), atol=1e-12)


def test_stamped_quaternions(tmp_path: Path) -> None:
    lines = ["1.5 1 2 3 0 0 0.70710678 0.70710678", "2 2 2 3 0 0 0.70710678 0.70710678"]
    found = read_trajectory(written(tmp_path / "x.freiburg", lines))
    assert [entry.stamp_ns for entry in found] == [1_500_000_000, 2_000_000_000]
    for i, entry in enumerate(found):
        np.testing.assert_allclose(entry.world_from_camera, pose(i + 1), atol=1e-7)


def test_quaternions_without_stamps_are_of_the_pictures_in_order(tmp_path: Path) -> None:
    lines = ["1 2 3 0 0 0.70710678 0.70710678", "2 2 3 0 0 0.70710678 0.70710678"]
    found = read_trajectory(written(tmp_path / "pose.txt", lines))
    assert [(entry.index, entry.stamp_ns) for entry in found] == [(0, None), (1, None)]
    for i, entry in enumerate(found):
        np.testing.assert_allclose(entry.world_from_camera, pose(i + 1), atol=1e-7)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no poses; expected lines of 12 or 16 numbers"),
        (["1 2 3"], "1 lines of 3 words; expected"),
        ([*rows(0), "1 2 3 4"], "5 lines of 4 numbers; expected 3 or 4 a pose"),
        (["0 0 1", *rows(0, 3), "0 0 0 2"], "line 2: .*not rigid"),
        ([" ".join(["nan"] * 16)], "line 1: .*NaN"),
        (["1 0 0 0 0 0 0 2"], "line 1: .*unit quaternion"),
    ],
)
def test_what_is_none(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_trajectory(written(tmp_path / "traj.txt", lines))


def test_a_log_of_a_program_is_no_trajectory(tmp_path: Path) -> None:
    assert begins_with_numbers(written(tmp_path / "a.log", ["# head", "", "0 0 1"]))
    assert not begins_with_numbers(written(tmp_path / "b.log", ["[INFO] 12 pictures"]))
    assert not begins_with_numbers(written(tmp_path / "c.log", []))
    assert not begins_with_numbers(tmp_path / "absent.log")
