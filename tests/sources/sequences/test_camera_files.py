# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files of intrinsics in each of their formats."""

from pathlib import Path

import pytest

from ineus_core.errors import SourceError
from ineus_core.sources.sequences.camera_files import (
    Calibration,
    find_calibration,
    read_calibration,
)
from ineus_core.types import Camera

LENS = Calibration(7, 7.5, 3, 2)
OPEN3D = '{"width": 8, "height": 6, "intrinsic_matrix": [7, 0, 0, 0, 7.5, 0, 3, 2, 1]}'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("K.txt", "7 0 3\n0 7.5 2\n0 0 1\n", LENS),
        (
            "intrinsic_color.txt",
            "7 0 3 0\n0 7.5 2 0\n0 0 1 0\n0 0 0 1\n",
            LENS,
        ),
        ("camera-intrinsics.color.txt", "7 0 3\t\n0 7.5 2\t\n0 0 1\t\n", LENS),
        (
            "camera_matrix.csv",
            "7.0, 0.0, 3.0\n0.0, 7.5, 2.0\n0, 0, 1\n",
            LENS,
        ),
        ("intrinsics.txt", "# fx fy cx cy\n7 7.5 3 2\n", LENS),
        ("intrinsics.txt", "7 0 3 0 7.5 2 0 0 1\n", LENS),
        ("camera_intrinsic.json", OPEN3D, Calibration(7, 7.5, 3, 2, (8, 6))),
        (
            "cam_params.json",
            '{"camera": {"w": 8, "h": 6, "fx": 7, "fy": 7.5, "cx": 3, "cy": 2, "scale": 6553.5}}',
            Calibration(7, 7.5, 3, 2, (8, 6), 6553.5),
        ),
    ],
)
def test_formats(tmp_path: Path, name: str, content: str, expected: Calibration) -> None:
    (tmp_path / name).write_text(content)
    assert find_calibration(tmp_path / "absent", tmp_path) == (tmp_path / name, expected)


def test_pixel_centres_at_integers_and_pictures_of_another_size() -> None:
    half = Calibration(7, 7.5, 3, 2, (8, 6)).camera((4, 3))
    # 3 of centres at integers is 3.5 from the left of 8, and so 1.75 of 4.
    assert half == Camera(4, 3, 3.5, 3.75, 1.75, 1.25)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("K.txt", "1 2 3\n", "1 rows; expected a 3 x 3 matrix or fx fy cx cy"),
        ("K.txt", "1 2 x\n", "line 1: could not convert"),
        ("intrinsic.json", "[]", "expected an object with fx"),
        ("intrinsic.json", '{"fx": 1}', "no 'fy'"),
        ("intrinsic.json", '{"intrinsic_matrix": [1, 2]}', "expected 9 numbers, column after"),
    ],
)
def test_what_is_none(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=message):
        read_calibration(tmp_path / name)
