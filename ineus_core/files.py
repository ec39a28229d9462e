# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that appear whole under their names or not at all."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ineus_core.errors import CapacityError, ConfigError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def replace_file(path: str | Path, content: bytes | str) -> Path:
    """Write a file; one that was there stays until the new one is complete.

    Raises:
        CapacityError: The file system is full.
        ConfigError: The place cannot be written.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as beside, open(beside, "wb") as file:
        file.write(data)
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Offer a free name beside a path for a file or folder that takes its place at the end.

    The name keeps the suffix. After an error, what was written is gone, the old is still there.

    Raises:
        CapacityError: The file system is full.
        ConfigError: The place cannot be written.
    """
    path = Path(path)
    beside = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            _flush(beside)
            _move(beside, path)
        finally:
            _remove(beside)
    except OSError as error:
        if error.errno in _FULL:
            raise CapacityError(
                f"{path}: does not fit on the file system ({error.strerror})"
            ) from error
        raise ConfigError(f"{path}: cannot be written ({error.strerror or error})") from error


def check_writable(folder: str | Path) -> None:
    """Find out before the work whether a folder can be filled, and leave nothing behind.

    Raises:
        ConfigError: It cannot.
    """
    folder = Path(folder)
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{folder}: {nearest} is a file; expected a folder or a free name")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: {nearest} cannot be written; expected a folder that can")


def _flush(written: Path) -> None:
    """Reach the disk before the rename does, or a power cut would leave half the content."""
    for file in [written] if written.is_file() else sorted(written.rglob("*")):
        if file.is_file():
            with open(file, "rb+") as opened:
                os.fsync(opened.fileno())


def _move(written: Path, path: Path) -> None:
    if not (path.is_dir() and written.is_dir()):
        os.replace(written, path)
        return
    # A folder cannot be replaced in one step: the old one waits beside the new one.
    old = written.with_name(f"{written.name}.old")
    os.replace(path, old)
    try:
        os.replace(written, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
