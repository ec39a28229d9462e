# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files of intrinsics beside sequences: matrices as text, JSON of Open3D and of others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ineus_core.errors import SourceError
from ineus_core.sources.parsing import (
    NumberFields,
    finite_number,
    numbered_lines,
    parse_numbers,
    read_json,
)
from ineus_core.types import Camera

CAMERA_FILES = (
    "camera_intrinsic.json",
    "camera_intrinsics.json",
    "intrinsic.json",
    "intrinsics.json",
    "camera.json",
    "cam_params.json",
    "camera-intrinsics.txt",
    "camera_intrinsics.txt",
    "camera-intrinsics.color.txt",
    "intrinsics.txt",
    "intrinsics.K.txt",
    "intrinsic.txt",
    "K.txt",
    "camera_matrix.csv",
    "intrinsic/intrinsic_color.txt",
    "intrinsic_color.txt",
)
"""Names under which intrinsics are looked for in a folder, by falling preference."""


@dataclass(frozen=True)
class Calibration:
    """What a file says of a camera; pixel centres at integers."""

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int] | None = None
    """Width and height of the pictures that it is for, where it says so."""
    depth_scale: float | None = None
    """Depth values per metre, where it says so."""

    def camera(self, size: tuple[int, int]) -> Camera:
        """Return the camera of pictures of a size, resized from that of the calibration."""
        # Files have pixel centres at integers; here they are at halves.
        centre = (self.cx + 0.5, self.cy + 0.5)
        return Camera(*(self.size or size), self.fx, self.fy, *centre).resized(*size)


def find_calibration(*folders: Path) -> tuple[Path, Calibration] | None:
    """Read the first file of intrinsics that is in one of the folders."""
    for folder in folders:
        for name in CAMERA_FILES:
            if (folder / name).is_file():
                return folder / name, read_calibration(folder / name)
    return None


def read_calibration(path: Path) -> Calibration:
    """Read a file of intrinsics, whichever of the formats it has.

    Raises:
        SourceError: It has none of them.
    """
    return _of_json(path) if path.suffix == ".json" else _of_text(path)


def check_proportions(
    where: Path, calibration: Calibration, size: tuple[int, int], settings: str
) -> None:
    """Raise `SourceError` if intrinsics are for pictures of other proportions."""
    width, height = calibration.size or size
    if abs(size[0] * height / width - size[1]) > max(1.0, 0.01 * size[1]):
        raise SourceError(
            f"{where}: intrinsics of {width} x {height} pixels for pictures of {size[0]} x "
            f"{size[1]}; expected the same proportions, or {settings} of the pictures"
        )


def _of_text(path: Path) -> Calibration:
    """Read rows of a 3 x 3 or larger matrix, or one line `fx fy cx cy`."""
    rows = [
        parse_numbers(line.replace(",", " ").split(), f"{path}, line {number}").tolist()
        for number, line in numbered_lines(path)
    ]
    # A matrix in one line, row after row.
    if len(rows) == 1 and len(rows[0]) == 9:
        rows = [rows[0][:3], rows[0][3:6], rows[0][6:]]
    if len(rows) == 1 and len(rows[0]) >= 4:
        return Calibration(*rows[0][:4])
    if len(rows) < 3 or min(map(len, rows[:3])) < 3:
        raise SourceError(f"{path}: {len(rows)} rows; expected a 3 x 3 matrix or fx fy cx cy")
    return Calibration(rows[0][0], rows[1][1], rows[0][2], rows[1][2])


def _of_json(path: Path) -> Calibration:
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("camera"), dict):
        content = content["camera"]
    if not isinstance(content, dict):
        raise SourceError(f"{path}: expected an object with fx, fy, cx, cy or intrinsic_matrix")
    fields = NumberFields(content, str(path))
    size = _size(content, fields)
    if "intrinsic_matrix" in content:
        return Calibration(*_of_columns(content["intrinsic_matrix"], path), size)
    fx, fy, cx, cy = (fields.number(key) for key in ("fx", "fy", "cx", "cy"))
    scale = next((fields.number(k) for k in ("depth_scale", "scale") if k in content), None)
    return Calibration(fx, fy, cx, cy, size, scale)


def _size(content: dict[str, Any], fields: NumberFields) -> tuple[int, int] | None:
    for width, height in (("width", "height"), ("w", "h")):
        if width in content and height in content:
            return int(fields.number(width)), int(fields.number(height))
    return None


def _of_columns(values: Any, path: Path) -> tuple[float, float, float, float]:
    """Return fx fy cx cy of a matrix as Open3D writes it, column after column."""
    if not isinstance(values, list) or len(values) != 9:
        raise SourceError(f"{path}: intrinsic_matrix; expected 9 numbers, column after column")
    numbers = [finite_number(value, f"{path}: intrinsic_matrix") for value in values]
    return numbers[0], numbers[4], numbers[6], numbers[7]
