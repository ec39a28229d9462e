# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files of poses without names of pictures: matrices, `.log` of Redwood, stamped quaternions.

Which of the formats a file has is read off the number of words in its lines.
"""

import itertools
import reprlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.sources.parsing import (
    checked_pose,
    numbered_lines,
    parse_matrix,
    parse_numbers,
    parse_stamp_ns,
)

Lines = list[tuple[int, str]]

FORMATS = (
    "lines of 12 or 16 numbers, blocks of 3 or 4 lines of 4 numbers, blocks of 3 integers and 4 "
    "such lines (.log), lines 'tx ty tz qx qy qz qw', or such with a stamp first"
)
_LONGEST_COMMENT = 20


@dataclass(frozen=True)
class TrajectoryPose:
    """A pose, and to which picture it belongs."""

    index: int | None
    """Which of the pictures in their order, the first is 0."""
    stamp_ns: int | None
    """Where the file has stamps; names of pictures are stamps then, too."""
    world_from_camera: Float[np.ndarray, "4 4"]


def begins_with_numbers(path: Path) -> bool:
    """Decide whether the first line of a text is of numbers, as no log of a program is."""
    if not path.is_file():
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = itertools.islice(file, _LONGEST_COMMENT)
        words = next((line.split() for line in lines if line.split("#")[0].strip()), [])
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def read_trajectory(path: Path) -> list[TrajectoryPose]:
    """Read the poses of a file.

    Raises:
        SourceError: It has none of the formats, or a pose is none.
    """
    lines = numbered_lines(path)
    widths = [len(line.split()) for _, line in lines]
    if not lines:
        raise SourceError(f"{path}: no poses; expected {FORMATS}")
    if set(widths) == {8}:
        return [_stamped(path, number, line) for number, line in lines]
    if set(widths) == {7}:
        return _of_quaternions(path, lines)
    if set(widths) in ({12}, {16}):
        return _of_rows(path, lines)
    if set(widths) == {4}:
        return _of_blocks(path, lines)
    # Three integers before each matrix; some writers have two of them.
    if set(widths[::5]) <= {2, 3} and set(widths) - {2, 3} == {4} and len(lines) % 5 == 0:
        return _of_log(path, lines)
    found = ", ".join(str(width) for width in sorted(set(widths))[:5])
    raise SourceError(f"{path}: {len(lines)} lines of {found} words; expected {FORMATS}")


def _of_rows(path: Path, lines: Lines) -> list[TrajectoryPose]:
    poses = []
    for index, (number, line) in enumerate(lines):
        where = f"{path}, line {number}"
        matrix = parse_numbers(line.split(), where).reshape(-1, 4)
        poses.append(TrajectoryPose(index, None, checked_pose(matrix, where)))
    return poses


def _of_quaternions(path: Path, lines: Lines) -> list[TrajectoryPose]:
    """Read `tx ty tz qx qy qz qw` of the pictures in order."""
    return [
        TrajectoryPose(index, None, pose_of_words(line.split(), f"{path}, line {number}"))
        for index, (number, line) in enumerate(lines)
    ]


def _of_blocks(path: Path, lines: Lines) -> list[TrajectoryPose]:
    """Read matrices one below the other, which have 4 rows if each fourth is 0 0 0 1."""
    last = [parse_numbers(line.split(), f"{path}, line {number}") for number, line in lines[3::4]]
    has_four = bool(last) and len(lines) % 4 == 0 and np.allclose(last, (0, 0, 0, 1))
    rows = 4 if has_four else 3
    if len(lines) % rows:
        raise SourceError(f"{path}: {len(lines)} lines of 4 numbers; expected 3 or 4 a pose")
    return [
        TrajectoryPose(i, None, _pose_of(path, lines[i * rows : (i + 1) * rows]))
        for i in range(len(lines) // rows)
    ]


def _of_log(path: Path, lines: Lines) -> list[TrajectoryPose]:
    """Read blocks whose head ends with the number of the picture, counted from 1."""
    blocks = [lines[start : start + 5] for start in range(0, len(lines), 5)]
    heads = [parse_numbers(block[0][1].split(), f"{path}, line {block[0][0]}") for block in blocks]
    numbers = [int(head[-1]) for head in heads]
    # Some writers count from 0, and some leave zeros there.
    is_counted = len(set(numbers)) == len(numbers)
    first = min(1, *numbers) if len(numbers) > 1 else numbers[0]
    return [
        TrajectoryPose(number - first if is_counted else i, None, _pose_of(path, block[1:]))
        for i, (number, block) in enumerate(zip(numbers, blocks, strict=True))
    ]


def _pose_of(path: Path, lines: Lines) -> Float[np.ndarray, "4 4"]:
    matrix = parse_matrix(path, lines, len(lines), 4)
    return checked_pose(matrix, f"{path}, line {lines[0][0]}")


def _stamped(path: Path, number: int, line: str) -> TrajectoryPose:
    where, words = f"{path}, line {number}", line.split()
    return TrajectoryPose(None, parse_stamp_ns(words[0], where), pose_of_words(words[1:], where))


def pose_of_words(words: list[str], where: str) -> Float[np.ndarray, "4 4"]:
    """Convert `tx ty tz qx qy qz qw` to a pose."""
    numbers = parse_numbers(words, where)
    if not np.isfinite(numbers).all() or abs(np.linalg.norm(numbers[3:]) - 1) > 0.01:
        shown = reprlib.repr(" ".join(words))
        raise SourceError(f"{where}: {shown}; expected finite numbers and a unit quaternion")
    return checked_pose(rigid_transform(numbers[:3], numbers[3:]), where)
