# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All transforms of a bag, read ahead into one tree; those of several robots are told apart."""

import logging
from collections import defaultdict
from pathlib import PurePosixPath

import numpy as np

from ineus_core.errors import SourceError
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.ros_messages import decode_transform, used_stamp_ns
from ineus_core.sources.bags.topics import find_tf_topics
from ineus_core.sources.bags.transforms import TransformTree, bare_frame_id

_log = logging.getLogger(__name__)

_RELAYED_SHARE = 0.5
"""A relay repeats what it hears; less than so much in common is of another robot."""


class BagTransforms:
    """The tree of TF of a bag.

    Args:
        tolerance_ns: Longest time between a stamp and the nearest transform of a link.
        namespace: Of the robot whose transforms are wanted; empty: all are read.
        stamps: `header`, or `recording` for the times of that.
    """

    def __init__(
        self, bag: BagFile, tolerance_ns: int, namespace: str = "", stamps: str = "header"
    ) -> None:
        """Read all transforms; bad ones are left out."""
        # Read ahead, so that a late transform only has to be put in its place.
        self.tree = TransformTree(tolerance_ns, capacity=0, jump_ns=0)
        self.bad: list[str] = []
        topics = find_tf_topics(bag, namespace)
        self._namespaces = sorted({str(PurePosixPath(topic).parent) for topic in topics})
        self._told: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        for topic, log_ns, raw in bag.messages(topics):
            for stamped in bag.decode(topic, raw).transforms:
                stamp = used_stamp_ns(stamped.header, log_ns, stamps)
                try:
                    self._add(topic, stamp, stamped)
                except SourceError as error:
                    leave_out(bag, self.bad, f"{topic} at {stamp} ns: {error}")

    def robots_that_share(self, frame_ids: list[str]) -> tuple[str, list[str]] | None:
        """Return the first frame id that several robots have, and their namespaces."""
        for frame_id in frame_ids:
            told = self._told.get(frame_id, {})
            namespaces = sorted(told)
            for namespace in namespaces[1:]:
                first, other = told[namespaces[0]], told[namespace]
                if len(first & other) < _RELAYED_SHARE * min(len(first), len(other)):
                    return frame_id, namespaces
        return None

    def _add(self, topic: str, stamp: int, stamped: object) -> None:
        is_static = topic.endswith("static")
        parent, child = stamped.header.frame_id, stamped.child_frame_id  # type: ignore[attr-defined]
        transform = decode_transform(stamped)
        self.tree.add(parent, child, stamp, transform, is_static)
        if len(self._namespaces) > 1:
            # A static transform may be said again at any time.
            words = np.int64(0 if is_static else stamp).tobytes() + transform.tobytes()
            self._told[bare_frame_id(child)][str(PurePosixPath(topic).parent)].add(words)


def leave_out(bag: BagFile, bad: list[str], note: str) -> None:
    """Note a pose that is none; the first is said."""
    if not bad:
        _log.warning("bag %s: left out a pose, %s", bag.path, note)
    bad.append(note)
