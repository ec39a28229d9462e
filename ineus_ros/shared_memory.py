# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Segments of shared memory that Fast DDS keeps in a folder, one of them of 64 MB a node."""

import contextlib
import fcntl
import time
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path("/dev/shm")
_LOCK = "_el"
"""Ends the name of a file that the owner of a segment holds locked as long as he lives."""

_NEW_S = 60.0


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


def remove_segments(segments: Iterable[Path]) -> None:
    """Remove segments of a process that has ended, as far as it has left any.

    Whoever still reads them keeps them until he lets go; nobody new finds them.
    """
    for segment in segments:
        with contextlib.suppress(OSError):
            segment.unlink(missing_ok=True)


def remove_own_segments() -> None:
    """Remove the segments of this process, which is to end at once without taking DDS down."""
    remove_segments(own_segments())


def remove_abandoned_segments() -> None:
    """Remove the segments of processes that were killed, which nobody else ever does."""
    # Ports are used again by others under the same name, and Fast DDS sees to them itself.
    locks = (path for path in FOLDER.glob(f"fast*_*{_LOCK}") if "_port" not in path.name)
    for lock in filter(is_segment, locks):
        with contextlib.suppress(OSError):
            # One that has just been made is not locked yet.
            if time.time() - lock.stat().st_mtime < _NEW_S:
                continue
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.with_name(lock.name.removesuffix(_LOCK)).unlink(missing_ok=True)
                lock.unlink()
