# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS 2 bag as topics and raw messages, through the rosbags library; no ROS is needed."""

import heapq
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ineus_core.errors import MissingDependencyError, SourceError

BAG_SUFFIXES = (".mcap", ".db3")


def is_bag(path: Path) -> bool:
    """Decide whether a path is a ROS 2 bag, by its name and what is in the folder."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or bool(_storage_files(path))
    return path.suffix in BAG_SUFFIXES and path.is_file()


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag."""

    name: str
    type_name: str
    count: int
    """Number of messages."""
    qos: tuple[Any, ...] = ()
    """Offered profiles, as rosbags has them."""


class BagFile:
    """A bag opened for reading, as a context; each failure is a `SourceError` with the path.

    Args:
        path: A `.mcap` or `.db3` file, or the folder of a bag.
    """

    def __init__(self, path: str | Path) -> None:
        """Check the path; nothing is read yet."""
        self.path = Path(path)
        self.topics: dict[str, BagTopic] = {}
        self.start_ns = 0
        self.end_ns = 0
        self._readers: list[Any] = []
        self._stack = ExitStack()
        if not self.path.exists():
            raise SourceError(f"bag {self.path}: no such file or folder")
        if not is_bag(self.path):
            raise SourceError(
                f"bag {self.path}: expected a .mcap or .db3 file, or a folder that holds one"
            )

    def __enter__(self) -> "BagFile":
        """Open the files and read the list of topics."""
        try:
            from rosbags.rosbag2 import Reader
            from rosbags.typesys import Stores, get_typestore
        except ModuleNotFoundError as error:
            raise MissingDependencyError("rosbags") from error
        # The standard messages have the same fields in all distributions since Foxy, and so the
        # definitions in the bag, which may be missing or odd for other types, are not needed.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        try:
            for file in self._files():
                self._readers.append(self._stack.enter_context(Reader(file)))
        except Exception as error:
            self.__exit__(None, None, None)
            raise self._unreadable(error) from error
        self._list_topics()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self._readers = []
        self._stack.close()

    @property
    def duration_s(self) -> float:
        """Time from the first message to the last."""
        return max(0, self.end_ns - self.start_ns) * 1e-9

    def of_type(self, *type_names: str) -> list[BagTopic]:
        """List the topics of the given types that have messages."""
        short = {name.replace("/msg/", "/") for name in type_names}
        return [
            topic
            for topic in self.topics.values()
            if topic.count and topic.type_name.replace("/msg/", "/") in short
        ]

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield topic, time of recording in ns and bytes of each message, by that time."""
        wanted = set(topics)
        streams = []
        for reader in self._readers:
            connections = [c for c in reader.connections if c.topic in wanted]
            if connections:
                streams.append(reader.messages(connections=connections))
        try:
            # The files of a bag without metadata may overlap in time.
            for connection, log_ns, raw in heapq.merge(*streams, key=lambda message: message[1]):
                yield connection.topic, log_ns, raw
        except Exception as error:
            raise self._unreadable(error) from error

    def first(self, topic: str) -> Any:
        """Decode the first message of a topic."""
        messages = self.messages([topic])
        for name, _, raw in messages:
            return self.decode(name, raw)
        raise SourceError(f"bag {self.path}: topic {topic} has no message")

    def decode(self, topic: str, raw: bytes) -> Any:
        """Decode a message from its bytes."""
        type_name = self.topics[topic].type_name
        try:
            return self._types.deserialize_cdr(raw, type_name)
        except Exception as error:
            raise SourceError(
                f"bag {self.path}: a message of {topic} is not a {type_name}: {error}"
            ) from error

    def _files(self) -> list[Path]:
        if self.path.is_dir() and not (self.path / "metadata.yaml").is_file():
            # A recorder that was killed leaves files without metadata.
            return _storage_files(self.path)
        return [self.path]

    def _list_topics(self) -> None:
        used = [reader for reader in self._readers if reader.message_count]
        self.start_ns = min((reader.start_time for reader in used), default=0)
        self.end_ns = max((reader.end_time - 1 for reader in used), default=0)
        for connection in (c for reader in self._readers for c in reader.connections):
            known = self.topics.get(connection.topic)
            count = connection.msgcount + (known.count if known else 0)
            qos = tuple(connection.ext.offered_qos_profiles) or (known.qos if known else ())
            self.topics[connection.topic] = BagTopic(
                connection.topic, connection.msgtype, count, qos
            )

    def _unreadable(self, error: Exception) -> SourceError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return SourceError(
            f"bag {self.path} cannot be read: {reason} Expected a complete ROS 2 bag; "
            "one that was cut off may be repaired with `mcap recover` or `ros2 bag reindex`"
        )


def _storage_files(folder: Path) -> list[Path]:
    # A pipe would be waited for until somebody writes into it.
    return sorted(f for f in folder.iterdir() if f.suffix in BAG_SUFFIXES and f.is_file())
