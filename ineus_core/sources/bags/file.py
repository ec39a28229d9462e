# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A bag of ROS 2 or ROS 1 as topics and messages in CDR, by the rosbags library, without ROS."""

import heapq
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.sources.bags.storage import (
    BAG_SUFFIXES,
    StorageReader,
    full_type_name,
    is_bag,
    open_storage,
)


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
        path: A file (`.mcap`, `.db3`, both also as `.zst`, or `.bag`), or the folder of a bag.
    """

    def __init__(self, path: str | Path) -> None:
        """Check the path; nothing is read yet."""
        self.path = Path(path)
        self.topics: dict[str, BagTopic] = {}
        self.start_ns = 0
        self.end_ns = 0
        self._readers: list[StorageReader] = []
        self._stack = ExitStack()
        if not self.path.exists():
            raise SourceError(f"bag {self.path}: no such file or folder")
        if not is_bag(self.path):
            raise SourceError(
                f"bag {self.path}: expected a file of {', '.join(BAG_SUFFIXES)}, or a folder "
                f"that holds one"
            )

    def __enter__(self) -> "BagFile":
        """Open the files and read the list of topics."""
        try:
            from rosbags.typesys import Stores, get_typestore
        except ModuleNotFoundError as error:
            raise MissingDependencyError("rosbags") from error
        # The standard messages have the same fields in all distributions since Foxy, and so the
        # definitions in the bag, which may be missing or odd for other types, are not needed.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        try:
            self._readers = open_storage(self.path, self._types, self._stack)
        except SourceError:
            self.__exit__(None, None, None)
            raise
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
        return [
            topic
            for topic in self.topics.values()
            if topic.count and topic.type_name in type_names
        ]

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield topic, time of recording in ns and bytes of each message, by that time."""
        wanted = set(topics)
        try:
            for readers in _overlapping(self._readers):
                streams = []
                for reader in readers:
                    connections = [c for c in reader.connections if c.topic in wanted]
                    if connections:
                        streams.append(reader.messages(connections))
                merged = heapq.merge(*streams, key=lambda message: message[1])
                for connection, log_ns, raw in merged:
                    yield connection.topic, log_ns, raw
        except SourceError as error:
            raise SourceError(f"bag {self.path}: {error}") from error
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

    def _list_topics(self) -> None:
        used = [reader for reader in self._readers if reader.message_count]
        self.start_ns = min((reader.start_time for reader in used), default=0)
        # rosbags has the nanosecond behind the last message.
        self.end_ns = max((reader.end_time - 1 for reader in used), default=0)
        for connection in (c for reader in self._readers for c in reader.connections):
            known = self.topics.get(connection.topic)
            count = connection.msgcount + (known.count if known else 0)
            # Of ROS 1 there is none.
            offered = tuple(getattr(connection.ext, "offered_qos_profiles", ()))
            qos = offered or (known.qos if known else ())
            type_name = full_type_name(connection.msgtype)
            self.topics[connection.topic] = BagTopic(connection.topic, type_name, count, qos)

    def _unreadable(self, error: Exception) -> SourceError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return SourceError(
            f"bag {self.path} cannot be read: {reason} Expected a complete bag; one that was cut "
            "off may be repaired with `mcap recover`, `ros2 bag reindex` or `rosbag reindex`"
        )


def _overlapping(readers: Sequence[StorageReader]) -> list[list[StorageReader]]:
    """Group files that overlap in time: one after the other, few are read from at once."""
    groups: list[list[StorageReader]] = []
    end_ns = 0
    for reader in sorted(readers, key=lambda reader: reader.start_time):
        if groups and reader.start_time < end_ns:
            groups[-1].append(reader)
        else:
            groups.append([reader])
        end_ns = max(end_ns, reader.end_time)
    return groups
