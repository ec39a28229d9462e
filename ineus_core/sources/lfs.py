# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Files that a clone without Git LFS leaves in place of the data."""

from pathlib import Path

_POINTER = b"version https://git-lfs.github.com/spec/"


def is_lfs_pointer(path: Path) -> bool:
    """Decide whether a file is only the pointer to one in Git LFS."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def lfs_note(path: Path) -> str:
    """Return what to do about a pointer, for the end of a message; "" if it is none."""
    if not is_lfs_pointer(path):
        return ""
    return ": it is a pointer of Git LFS, not the file; `git lfs pull` fetches that"
