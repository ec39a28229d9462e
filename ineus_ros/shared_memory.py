# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Segments of shared memory that Fast DDS keeps in a folder, one of them of 64 MB a node."""

import contextlib
from pathlib import Path

FOLDER = Path("/dev/shm")
_LOCK = "_el"
"""Ends the name of a file that the owner of a segment holds locked as long as he lives."""


def is_segment(path: Path) -> bool:
    """Tell by its name whether a file is one of Fast DDS, of any release."""
    return path.parent == FOLDER and path.name.startswith(("fastdds_", "fastrtps_"))


def own_segments(pid: int | str = "self") -> set[Path]:
    """List the segments that a process has made, not those of others that it reads."""
    locks = set()
    with contextlib.suppress(OSError):
        for number in list(Path(f"/proc/{pid}/fd").iterdir()):
            with contextlib.suppress(OSError):
                locks.add(number.readlink())
    locks = {lock for lock in locks if is_segment(lock) and lock.name.endswith(_LOCK)}
    return locks | {lock.with_name(lock.name.removesuffix(_LOCK)) for lock in locks}


def remove_own_segments() -> None:
    """Remove the segments of this process, which is to end at once without taking DDS down.

    Whoever still reads them keeps them until he lets go; nobody new finds them.
    """
    for segment in own_segments():
        with contextlib.suppress(OSError):
            segment.unlink(missing_ok=True)
