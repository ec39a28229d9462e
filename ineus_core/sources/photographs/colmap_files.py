# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Counts in the binary files of COLMAP against what the files hold, before a reader trusts them.

The reader of pycolmap takes a count of 2**63 at its word, and a file that was cut off for one with
zeros at its end.
"""

import mmap
import struct
from collections.abc import Callable
from pathlib import Path

from ineus_core.errors import SourceError

_COUNT = struct.Struct("<Q")
_SHORT_COUNT = struct.Struct("<I")
# Identifier, model, width, height.
_CAMERA = struct.Struct("<IiQQ")
_PARAMETERS = (3, 4, 4, 5, 8, 8, 12, 5, 4, 5, 12, 16)
"""How many numbers of 8 bytes a camera has, by the number of its model; later ones at least 3."""
# Identifier, quaternion and translation, camera; x, y and point of what a picture saw.
_IMAGE_BYTES, _OBSERVATION_BYTES = 4 + 7 * 8 + 4, 8 + 8 + 8
# Identifier, position, colour, error; picture and observation of each step of a track.
_POINT_BYTES, _TRACK_BYTES = 8 + 3 * 8 + 3 + 8, 4 + 4
# Identifier, rig, quaternion and translation; kind and number of a sensor, and its datum.
_FRAME_BYTES, _DATA_BYTES = 4 + 4 + 7 * 8, 4 + 4 + 8


def check_model_files(folder: Path) -> None:
    """Raise `SourceError` if a binary file of a model does not hold what it counts."""
    checks = {
        "cameras.bin": _check_cameras,
        "images.bin": _check_images,
        "points3D.bin": _check_points,
        "frames.bin": _check_frames,
    }
    for name, check in checks.items():
        if (folder / name).is_file():
            _check_file(folder / name, check)


class _Cursor:
    """A place in a file that only moves over bytes that are there."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path, self._data, self.at = path, data, 0

    def skip(self, size: int, count: int = 1) -> None:
        """Move over records of a size."""
        if size * count > len(self._data) - self.at:
            left = len(self._data) - self.at
            raise SourceError(
                f"{self._path}: claims {count} records of {size} bytes or more at byte {self.at}, "
                f"where {left} are left; expected a whole file"
            )
        self.at += size * count

    def skip_text(self) -> None:
        """Move over a text that ends with a zero."""
        end = self._data.find(b"\0", self.at)
        if end < 0:
            raise SourceError(
                f"{self._path}: the name at byte {self.at} has no end; expected a whole file"
            )
        self.at = end + 1

    def count(self, kind: struct.Struct = _COUNT) -> int:
        """Read a count and move on."""
        return self.read(kind)[0]

    def read(self, kind: struct.Struct) -> tuple[int, ...]:
        """Read integers and move on."""
        before = self.at
        self.skip(kind.size)
        return kind.unpack_from(self._data, before)

    def has_room_for(self, count: int, size: int) -> int:
        """Return a count after it was compared with what is left."""
        before = self.at
        self.skip(size, count)
        self.at = before
        return count


def _check_file(path: Path, check: Callable[[_Cursor], None]) -> None:
    if path.stat().st_size < _COUNT.size:
        raise SourceError(
            f"{path}: {path.stat().st_size} bytes; expected a whole file, which begins with a "
            f"count of {_COUNT.size}"
        )
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        check(_Cursor(path, data))


def _check_cameras(cursor: _Cursor) -> None:
    for _ in range(cursor.has_room_for(cursor.count(), _CAMERA.size + 3 * 8)):
        model = cursor.read(_CAMERA)[1]
        cursor.skip(8, _PARAMETERS[model] if 0 <= model < len(_PARAMETERS) else 3)


def _check_images(cursor: _Cursor) -> None:
    for _ in range(cursor.has_room_for(cursor.count(), _IMAGE_BYTES)):
        cursor.skip(_IMAGE_BYTES)
        cursor.skip_text()
        cursor.skip(_OBSERVATION_BYTES, cursor.count())


def _check_points(cursor: _Cursor) -> None:
    for _ in range(cursor.has_room_for(cursor.count(), _POINT_BYTES)):
        cursor.skip(_POINT_BYTES)
        cursor.skip(_TRACK_BYTES, cursor.count())


def _check_frames(cursor: _Cursor) -> None:
    for _ in range(cursor.has_room_for(cursor.count(), _FRAME_BYTES)):
        cursor.skip(_FRAME_BYTES)
        cursor.skip(_DATA_BYTES, cursor.count(_SHORT_COUNT))
