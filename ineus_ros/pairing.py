# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth image belongs to which colour image, and whether to wait for depth at all."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ineus_core.ros_config import RosConfig
from ineus_core.sources.matcher import NearestStampMatcher
from ineus_core.sources.ros_messages import stamp_ns
from ineus_ros.drops import Drops

Pair = tuple[Any, Any | None]


class ColorDepthPairing:
    """Pairs colour with depth by stamp; with `depth_input: auto` it first sees if depth comes.

    Args:
        has_depth_publisher: Whether anybody has announced depth images.
    """

    def __init__(
        self, config: RosConfig, has_depth_publisher: Callable[[], bool], drops: Drops
    ) -> None:
        """Start empty."""
        self.uses_depth: bool | None = {"required": True, "none": False, "auto": None}[
            config.depth_input
        ]
        """None while it is not known."""
        self._has_depth_publisher = has_depth_publisher
        self._drops = drops
        self._wait_s = config.depth_wait_s
        self._capacity = config.sync_queue_size
        self._first_color_s: float | None = None
        self._undecided: deque[Any] = deque()
        tolerance_ns = round(config.sync_tolerance_s * 1e9)
        self._matcher = NearestStampMatcher(("color", "depth"), tolerance_ns, self._capacity)

    def add_color(self, message: Any) -> list[Pair]:
        """Take a colour image; return the pairs that are complete."""
        if self.uses_depth is None:
            self._undecided.append(message)
            if len(self._undecided) > self._capacity:
                self._undecided.popleft()
                self._drops.add("sync_queue_full", "too many images while waiting for depth")
            return self.poll()
        return self._pair_color(message)

    def add_depth(self, message: Any) -> list[Pair]:
        """Take a depth image; return the pairs that are complete."""
        # A depth camera that starts after the colour camera is welcome.
        pairs = [] if self.uses_depth else self._decide(True)
        return pairs + self._match("depth", message)

    def poll(self) -> list[Pair]:
        """Decide about depth when its time has come; to be called now and then."""
        if self.uses_depth is not None or not self._undecided:
            return []
        now_s = time.monotonic()
        if self._first_color_s is None:
            self._first_color_s = now_s
        if self._has_depth_publisher():
            return self._decide(True)
        if now_s - self._first_color_s >= self._wait_s:
            return self._decide(False)
        return []

    def clear(self) -> None:
        """Drop all that waits."""
        self._drops.add("cleared", "the inputs were reset", len(self._undecided))
        self._undecided.clear()
        self._matcher.clear()
        self._count_unmatched()

    def _decide(self, uses_depth: bool) -> list[Pair]:
        self.uses_depth = uses_depth
        waiting = list(self._undecided)
        self._undecided.clear()
        return [pair for message in waiting for pair in self._pair_color(message)]

    def _pair_color(self, message: Any) -> list[Pair]:
        return self._match("color", message) if self.uses_depth else [(message, None)]

    def _match(self, stream: str, message: Any) -> list[Pair]:
        pairs = self._matcher.add(stream, stamp_ns(message.header), message)
        self._count_unmatched()
        return [(color, depth) for color, depth in pairs]

    def _count_unmatched(self) -> None:
        for stream, reason in (("color", "color_without_depth"), ("depth", "depth_without_color")):
            count = self._matcher.dropped[stream] - self._drops.counts[reason]
            self._drops.add(
                reason, f"no {reason.split('_')[-1]} image within sync_tolerance_s", count
            )
