# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The files that make a bag, however they are packed: of ROS 2 and ROS 1, split, in Zstandard.

What is in a bag is read off its files themselves, so that metadata which are missing, damaged or
of files under another name do not matter.
"""

import logging
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any, Protocol, runtime_checkable

import yaml

from ineus_core.errors import SourceError
from ineus_core.sources.lfs import is_lfs_pointer, lfs_note

_LOG = logging.getLogger(__name__)

ROS2_SUFFIXES = (".mcap", ".db3")
ROS1_SUFFIX = ".bag"
PACKED_SUFFIXES = (".zst", ".zstd")
"""Of Zstandard's own program, and of rosbag2 and rosbags."""
METADATA = "metadata.yaml"
BAG_SUFFIXES = (
    *ROS2_SUFFIXES,
    ROS1_SUFFIX,
    *(suffix + packed for suffix in ROS2_SUFFIXES for packed in PACKED_SUFFIXES),
)
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_FORMER_TYPES = {"tf/msg/tfMessage": "tf2_msgs/msg/TFMessage"}


def is_bag(path: Path) -> bool:
    """Decide whether a path is a bag, by its name and what is in the folder."""
    if path.is_dir():
        return (path / METADATA).is_file() or bool(storage_files(path))
    return (path.name == METADATA or path.name.endswith(BAG_SUFFIXES)) and path.is_file()


def full_type_name(name: str) -> str:
    """Return the name of a message type as ROS 2 has it, `package/msg/Name`."""
    package, _, last = name.partition("/")
    full = name if last.startswith("msg/") else f"{package}/msg/{last}"
    return _FORMER_TYPES.get(full, full)


@runtime_checkable
class StorageReader(Protocol):
    """One open file of a bag."""

    connections: list[Any]
    message_count: int
    start_time: int
    end_time: int

    def messages(self, connections: Collection[Any]) -> Iterable[tuple[Any, int, bytes]]:
        """Yield connection, time of recording in ns and bytes of CDR."""
        ...


def open_storage(path: Path, types: Any, stack: ExitStack) -> list[StorageReader]:
    """Open all files of a bag.

    Args:
        types: Definitions of messages, for bags of ROS 1, whose bytes are converted.
        stack: Closes the files, and removes what had to be unpacked.

    Raises:
        SourceError: A file is not there at all, but only a pointer to it.
    """
    files = _files(path)
    readers = [_open(_unpacked(file, stack), types, stack) for file in files]
    if not readers:
        raise SourceError(f"bag {path}: has no file; expected {', '.join(BAG_SUFFIXES)}")
    return readers


def storage_files(folder: Path) -> list[Path]:
    """List the files of a folder that can be those of a bag."""
    # A pipe would be waited for until somebody writes into it.
    return sorted(f for f in folder.iterdir() if f.name.endswith(BAG_SUFFIXES) and f.is_file())


def _files(path: Path) -> list[Path]:
    """Return the files to read; those without any content are left out where others have some."""
    folder = path.parent if path.name == METADATA else path
    files = _listed(folder) if folder.is_dir() else [path]
    kinds = {_unpacked_name(file).rpartition(".")[2] for file in files}
    if len(kinds) > 1:
        raise SourceError(
            f"bag {path}: files of several kinds ({', '.join(file.name for file in files)}) are "
            "not one bag; expected the path of one of them"
        )
    for file in files:
        if is_lfs_pointer(file):
            raise SourceError(f"bag {file}{lfs_note(file)}")
    full = [file for file in files if file.stat().st_size > 0]
    if full and len(full) < len(files):
        empty = ", ".join(file.name for file in files if file not in full)
        _LOG.warning("bag %s: left out %s, which is empty", path, empty)
        return full
    return files


def _listed(folder: Path) -> list[Path]:
    """Return the files that the metadata name, or all where one of those is not there."""
    present = storage_files(folder)
    if not (folder / METADATA).is_file():
        # A recorder that was killed leaves files without metadata.
        return present
    try:
        content = yaml.safe_load((folder / METADATA).read_text(encoding="utf-8"))
        # In their order: rosbag2 splits long recordings.
        names = content["rosbag2_bagfile_information"]["relative_file_paths"]
        # By name alone: some versions write the folder as well.
        listed = [folder / PurePath(name).name for name in names]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        _LOG.warning("bag %s: metadata.yaml is not used (%s)", folder, reason)
        return present
    absent = [file.name for file in listed if not file.is_file()]
    if absent:
        found = ", ".join(file.name for file in present) or "none"
        _LOG.warning(
            "bag %s: metadata.yaml names %s, which is not there; read is what is: %s",
            *(folder, ", ".join(absent), found),
        )
        return present
    return listed


def _unpacked_name(file: Path) -> str:
    return file.stem if file.suffix in PACKED_SUFFIXES else file.name


def _unpacked(file: Path, stack: ExitStack) -> Path:
    """Return a file, or what is packed in it."""
    if file.suffix not in PACKED_SUFFIXES:
        return file
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ineus_bag_")))
    # To a file, as readers take a path.
    unpacked = folder / file.stem
    with _zstd().open(file, "rb") as packed, open(unpacked, "wb") as out:
        shutil.copyfileobj(packed, out)
    return unpacked


def _zstd() -> Any:
    # rosbags brings it, for Python before 3.14 from a package of its own.
    from rosbags.rosbag2 import reader

    return reader.zstd


def _open(file: Path, types: Any, stack: ExitStack) -> StorageReader:
    if file.suffix == ROS1_SUFFIX:
        from rosbags.rosbag1 import Reader as Ros1Reader

        return _Ros1Storage(stack.enter_context(Ros1Reader(file)), types)
    from rosbags.rosbag2 import Reader

    return _Ros2Storage(stack.enter_context(Reader(file)))


class _Ros2Storage:
    """A file of ROS 2."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.connections: list[Any] = reader.connections
        self.message_count: int = reader.message_count
        self.start_time: int = reader.start_time
        self.end_time: int = reader.end_time

    def messages(self, connections: Collection[Any]) -> Iterator[tuple[Any, int, bytes]]:
        """Yield messages, unpacked where each is packed, which only metadata would tell."""
        for connection, log_ns, raw in self._reader.messages(connections=connections):
            # CDR begins with a zero.
            is_packed = bytes(raw[: len(_ZSTD_MAGIC)]) == _ZSTD_MAGIC
            yield connection, log_ns, _zstd().decompress(raw) if is_packed else raw


class _Ros1Storage:
    """A file of ROS 1, whose messages become those of ROS 2."""

    def __init__(self, reader: Any, types: Any) -> None:
        self._reader, self._types = reader, types
        self.connections: list[Any] = reader.connections
        self.message_count: int = reader.message_count
        self.start_time: int = reader.start_time
        self.end_time: int = reader.end_time

    def messages(self, connections: Collection[Any]) -> Iterator[tuple[Any, int, bytes]]:
        """Yield messages."""
        for connection, log_ns, raw in self._reader.messages(connections=connections):
            type_name = full_type_name(connection.msgtype)
            if type_name not in self._types.fielddefs:
                raise SourceError(
                    f"a message of {connection.topic} is a {type_name}, which is none of the "
                    "standard messages of ROS"
                )
            yield connection, log_ns, bytes(self._types.ros1_to_cdr(raw, type_name))
