# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that talk over DDS among themselves only, and leave nothing behind."""

import contextlib
import fcntl
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ineus_core.errors import CapacityError
from ineus_ros.shared_memory import own_segments, remove_segments

_DOMAINS = range(1, 101)  # higher ones meet the ports that the system hands out


@contextlib.contextmanager
def private_domain() -> Iterator[Mapping[str, str]]:
    """Hold a ROS domain that no other user of this function on the machine has.

    Yields:
        The environment variables that put a process into it; nothing leaves the machine.
    """
    folder = runtime_folder()
    # Users do not see each other's locks, so each begins at a domain of his own.
    first = os.getuid() % len(_DOMAINS)
    for domain in (*_DOMAINS[first:], *_DOMAINS[:first]):
        path = folder / f"ineus_ros_domain_{domain}.lock"
        try:
            # A link at this place may lead to a file that is worth more than a lock.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            lock = os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii")
        except OSError:
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield {
                "ROS_DOMAIN_ID": str(domain),
                "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            }
            return
    raise CapacityError(f"no free ROS domain: all {len(_DOMAINS)} are held, expected one")


def runtime_folder() -> Path:
    """Return a folder that only this user can write to, for what lives as long as a session.

    Raises:
        CapacityError: There is none, and none can be made.
    """
    own = Path(tempfile.gettempdir()) / f"ineus-{os.getuid()}"
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and _is_private(Path(given)):
        return Path(given)
    with contextlib.suppress(OSError):
        own.mkdir(mode=0o700, exist_ok=True)
        if _is_private(own):
            return own
    raise CapacityError(
        f"{own} is not a folder of this user alone: expected mode 0700, or one in XDG_RUNTIME_DIR"
    )


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return is_ours and not status.st_mode & 0o077


class ChildProcess:
    """A program that is interrupted at the end, then killed, and cleaned up after.

    Args:
        environment: Variables to set beside those of this process.
        log: File for its output; without one it goes where ours goes.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
    ) -> None:
        """Start the program."""
        output = None if log is None else log.open("wb")
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            # An interrupt at the terminal is ours to hand on.
            start_new_session=True,
        )
        if output is not None:
            output.close()

    def __enter__(self) -> "ChildProcess":
        """Use as a context that ends the program."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the program."""
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the program still runs."""
        return self.process.poll() is None

    def stop(self, patience_s: float = 10.0) -> int:
        """Interrupt, wait, kill if need be; return the exit code."""
        if self.is_running:
            # While it runs: of a process that has ended, /proc tells nothing.
            segments = own_segments(self.process.pid)
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(patience_s)
                remove_segments(segments)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """Kill without warning, as a crash would."""
        segments = own_segments(self.process.pid)
        self.process.kill()
        self.process.wait()
        remove_segments(segments)

    def cpu_s(self) -> float:
        """Return the processor time that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        # utime and stime, the 14th and 15th field of proc(5), counted from behind the name, which
        # may hold spaces.
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
