# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that appear whole under their names or not at all."""

import ctypes
import errno
import fcntl
import glob
import os
import re
import shutil
import tempfile
import tokenize
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ineus_core.errors import CapacityError, ConfigError, SourceError

DAMAGED_ARRAY = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    # Headers of arrays are Python literals, which numpy has Python read.
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    KeyError,
    OverflowError,
    RecursionError,
)
"""What numpy raises for an array file that is damaged."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Constants of Linux: names are relative to the working folder, and two names are exchanged."""
_OLD = ".old"
# As `replacing` makes names: nothing else may ever be taken for a left-over and removed.
_OWN_NAME = re.compile(r"\.[0-9a-f]{8}\.")


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
        with _writing_into(path.parent, path.name):
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
    try:
        # Permissions alone do not tell: root has them all, and yet /proc takes no folder.
        os.rmdir(tempfile.mkdtemp(prefix=".", dir=nearest))
    except OSError as error:
        raise ConfigError(
            f"{folder}: {nearest} cannot be written ({error.strerror}); expected a folder that can"
        ) from error


def check_source_exists(path: Path, expected: str = "a bag or a data set") -> None:
    """Find out before anything is loaded whether there is something to read at a path.

    Raises:
        SourceError: There is nothing, or an empty folder.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if path.is_dir() and not any(path.iterdir()):
        raise SourceError(f"{path}: the folder is empty; expected {expected}")


def _flush(written: Path) -> None:
    """Reach the disk before the rename does, or a power cut would leave half the content."""
    for place in [written, *sorted(written.rglob("*"))]:
        _sync(place)


def _sync(place: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems cannot sync a folder.
        if error.errno != errno.EINVAL or not place.is_dir():
            raise
    finally:
        os.close(handle)


def _move(written: Path, path: Path) -> None:
    """Let what was written take its place in one step; what was there is removed after it."""
    if not (path.is_dir() and written.is_dir()):
        os.replace(written, path)
    elif not _exchanged(written, path):
        _replace_folder(written, path)
    # The new name is on the disk only when its folder is.
    _sync(path.parent)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names at once, which Linux can and file systems of networks often cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    names = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    error = ctypes.get_errno()
    if error in _NO_EXCHANGE:
        return False
    raise OSError(error, os.strerror(error), str(other))


def _replace_folder(written: Path, path: Path) -> None:
    """Replace a folder in two steps; `whole` finds the old one if a kill comes between them."""
    old = written.with_name(f"{written.name}{_OLD}")
    os.replace(path, old)
    try:
        os.replace(written, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def whole(path: Path) -> Path:
    """Return a path, or what a kill left beside it between the two steps of a replacement.

    What was replaced lies there under a name of ours. It is complete, what should have taken its
    place may not be.
    """
    if path.exists():
        return path
    left = _left_overs(path.parent, path.name + _OLD)
    return left[0] if left else path


@contextmanager
def _writing_into(folder: Path, name: str) -> Iterator[None]:
    """Remove what killed writers of a name left in a folder, and let nobody do so meanwhile.

    Writers share a lock of the folder, which ends with the process however that ends; whoever has
    it alone knows that no other writer lives, also of another container on this machine.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Not waited for: who does not get it alone has nothing to tidy.
        if _locked(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if (left := whole(folder / name)).name != name:
                os.replace(left, folder / name)
            for left in (*_left_overs(folder, name), *_left_overs(folder, name + _OLD)):
                _remove(left)
        _locked(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _left_overs(folder: Path, name: str) -> list[Path]:
    found = folder.glob(f".????????.{glob.escape(name)}")
    return sorted(path for path in found if _OWN_NAME.match(path.name))


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except OSError:
        # Somebody writes, or the file system has no locks; either way nothing is removed.
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
