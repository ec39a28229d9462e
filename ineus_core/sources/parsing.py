# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers, stamps, poses and names out of text and JSON files; messages say where they stand."""

import json
import math
import reprlib
from collections.abc import Mapping, Sequence
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.types import check_rigid

RIGID_TOLERANCE = 1e-2
# Bytes of a name on the file systems of Linux; to look for a longer one raises OSError.
_LONGEST_NAME = 255
_LONGEST_QUOTE = 120
# Stamps are held as signed integers of 64 bits.
_LATEST_NS = 2**63


def read_text(path: Path) -> str:
    """Read a text file whole."""
    # A pipe would be waited for until somebody writes into it.
    if path.exists() and not path.is_file():
        raise SourceError(f"{path}: cannot be read as text (it is no plain file)")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text ({error})") from error


def read_json(path: Path) -> Any:
    """Read the value of a JSON file."""
    try:
        return json.loads(read_text(path))
    except (SourceError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read as JSON ({error})") from error
    except RecursionError as error:
        raise SourceError(
            f"{path}: cannot be read as JSON (lists or objects are nested too deeply)"
        ) from error


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file with their numbers from 1, without # and empty ones."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    stripped = ((number, line.split("#")[0].strip()) for number, line in lines)
    return [(number, line) for number, line in stripped if line]


def parse_numbers(words: Sequence[str], where: str) -> Float[np.ndarray, " n"]:
    """Convert words to numbers; `where` names the file and line in the message."""
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise SourceError(f"{where}: {str(error)[:_LONGEST_QUOTE]}") from error


def parse_matrix(
    path: Path, lines: Sequence[tuple[int, str]], rows: int, columns: int
) -> Float[np.ndarray, "rows columns"]:
    """Convert numbered lines of a file to a matrix of finite numbers."""
    matrix = []
    for number, line in lines:
        where = f"{path}, line {number}"
        row = parse_numbers(line.split(), where)
        if len(row) != columns or not np.isfinite(row).all():
            raise SourceError(f"{where}: {reprlib.repr(line)}; expected {columns} finite numbers")
        matrix.append(row)
    if len(matrix) != rows:
        raise SourceError(f"{path}: {len(matrix)} rows; expected {rows} of {columns} numbers")
    return np.array(matrix)


def parse_stamp_ns(seconds: str, where: str) -> int:
    """Convert seconds to nanoseconds without the rounding of a float."""
    expected = f"{where}: time stamp {reprlib.repr(seconds)}; expected"
    try:
        # A double of seconds since 1970 has steps of 238 ns, and frames are matched by exact
        # stamps.
        exact_ns = Decimal(seconds) * 10**9
        # The integer of 1e999999999 would have a billion digits.
        if not -_LATEST_NS < exact_ns < _LATEST_NS:
            raise SourceError(f"{expected} less than {_LATEST_NS // 10**9} seconds")
    except (DecimalException, ValueError, OverflowError) as error:
        raise SourceError(f"{expected} seconds") from error
    if exact_ns < 0:
        raise SourceError(f"{expected} no negative number")
    return int(exact_ns)


def checked_pose(matrix: Float[np.ndarray, "r 4"], where: str) -> Float[np.ndarray, "4 4"]:
    """Complete a pose of three or four rows, and replace its rotation by the nearest exact one."""
    pose = np.eye(4)
    pose[: len(matrix)] = matrix
    try:
        check_rigid(pose, RIGID_TOLERANCE)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
    # No reflection can come out of this: the check above let only near rotations through.
    u, _, v = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ v
    return pose


def named_file(folder: Path, name: str, where: str) -> Path:
    """Return the path of a file that a listing names; a name that no file can have is refused."""
    # Listings made on Windows have backslashes.
    name = name.replace("\\", "/")
    if "\0" in name or any(len(part.encode()) > _LONGEST_NAME for part in Path(name).parts):
        raise SourceError(
            f"{where}: file name {reprlib.repr(name)} of {len(name)} characters; expected at most "
            f"{_LONGEST_NAME} bytes between slashes, none of them 0"
        )
    return folder / name


class NumberFields:
    """The fields of a JSON object, of which numbers are asked by name.

    Args:
        where: Names the object in messages.
    """

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        self._fields, self._where = fields, where

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number, or the default where there is no such field."""
        if key not in self._fields and default is None:
            raise SourceError(f"{self._where}: no {key!r}; expected a finite number")
        return finite_number(self._fields.get(key, default), f"{self._where}: {key}")


def finite_number(value: Any, what: str) -> float:
    """Convert a value of a JSON file to a number; `what` names it in the message."""
    number = math.nan
    # True is an integer of Python, but no number of JSON.
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        # An integer of JSON may have more digits than any float.
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise SourceError(f"{what} {reprlib.repr(value)}; expected a finite number")
    return number
