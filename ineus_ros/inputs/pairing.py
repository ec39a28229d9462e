# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth image and mask belong to which colour image, and whether to wait for them at all."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.matcher import NearestStampMatcher
from ineus_core.sources.bags.ros_messages import stamp_ns
from ineus_ros.drops import Drops

_USED = {"required": True, "none": False, "auto": None}


@dataclass(frozen=True)
class Images:
    """Messages of one moment of one camera."""

    color: Any
    depth: Any | None = None
    mask: Any | None = None


class ImagePairing:
    """Pairs colour with depth and mask by stamp.

    With `depth_input: auto` it first sees if depth comes. A mask is waited for from the moment on
    at which someone offers masks.

    Args:
        is_offered: Whether anybody has announced images of a stream, `depth` or `mask`.
        now_s: The clock by which depth is waited for.
    """

    def __init__(
        self,
        config: RosConfig,
        is_offered: Callable[[str], bool],
        drops: Drops,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty."""
        self.uses_depth: bool | None = _USED[config.depth_input]
        """None while it is not known."""
        self.uses_mask = config.mask_input == "required"
        self._may_use_mask = config.mask_input != "none"
        self._has_looked = False
        self._is_offered = is_offered
        self._drops, self._now_s = drops, now_s
        self._wait_s = config.depth_wait_s
        self._capacity = config.input_queue_size
        self._tolerance_ns = round(config.sync_tolerance_s * 1e9)
        self._first_color_s: float | None = None
        self._undecided: deque[Any] = deque()
        self._counted: Counter[str] = Counter()
        self._matcher = self._make_matcher()

    def add_color(self, message: Any) -> list[Images]:
        """Take a colour image; return the sets that are complete."""
        # Without masks the first image would go at once, although masks are on offer.
        if not self._has_looked:
            self.look_for_masks()
        if self.uses_depth is None:
            self._undecided.append(message)
            if len(self._undecided) > self._capacity:
                self.drop_oldest()
            return self.poll()
        return self._match("color", message)

    def __len__(self) -> int:
        """Return how many colour images wait."""
        return len(self._undecided) + self._matcher.waiting("color")

    @property
    def oldest_ns(self) -> int | None:
        """Stamp of the oldest colour image, if there is one."""
        if self._undecided:
            return stamp_ns(self._undecided[0].header)
        return self._matcher.oldest_ns("color")

    def drop_oldest(self) -> None:
        """Make room for newer colour images."""
        if self._undecided:
            self._undecided.popleft()
            self._drops.add("sync_queue_full", "too many images while waiting for depth")
        else:
            self._matcher.drop_oldest("color")
            self._count_unmatched()

    def add_depth(self, message: Any) -> list[Images]:
        """Take a depth image; return the sets that are complete."""
        # A depth camera that starts after the colour camera is welcome.
        # What waited is matched first, as it came first.
        sets = [] if self.uses_depth else self._decide(True)
        return sets + self._match("depth", message)

    def add_mask(self, message: Any) -> list[Images]:
        """Take a mask; return the sets that are complete."""
        if not self._may_use_mask:
            return []
        self._expect_masks()
        return self._match("mask", message)

    def look_for_masks(self) -> None:
        """Expect masks if someone offers them; to be called now and then."""
        self._has_looked = True
        if self._may_use_mask and not self.uses_mask and self._is_offered("mask"):
            self._expect_masks()

    def poll(self) -> list[Images]:
        """Decide about depth when it is time; to be called now and then."""
        if self.uses_depth is not None or not self._undecided:
            return []
        now_s = self._now_s()
        if self._first_color_s is None:
            self._first_color_s = now_s
        if self._is_offered("depth"):
            return self._decide(True)
        # From the first image on, not from the start: the camera may be started an hour later.
        if now_s - self._first_color_s >= self._wait_s:
            return self._decide(False)
        return []

    def clear(self) -> None:
        """Drop all that waits."""
        self._drops.add("cleared", "the inputs were reset", len(self._undecided))
        self._undecided.clear()
        # The matcher counts what it drops by itself: only what never came to it is counted above.
        self._matcher.clear()
        self._count_unmatched()

    def _expect_masks(self) -> None:
        if not self.uses_mask:
            self.uses_mask = True
            self._renew_matcher()

    def _decide(self, uses_depth: bool) -> list[Images]:
        self.uses_depth = uses_depth
        self._renew_matcher()
        # In their order, as if it had been known from the start.
        waiting = list(self._undecided)
        self._undecided.clear()
        return [images for message in waiting for images in self._match("color", message)]

    def _make_matcher(self) -> NearestStampMatcher:
        partners = [("depth", self.uses_depth), ("mask", self.uses_mask)]
        streams = ["color", *(name for name, is_used in partners if is_used)]
        # The new matcher counts from 0.
        self._counted.clear()
        return NearestStampMatcher(streams, self._tolerance_ns, self._capacity)

    def _renew_matcher(self) -> None:
        self._matcher.clear()
        self._count_unmatched()
        self._matcher = self._make_matcher()

    def _match(self, stream: str, message: Any) -> list[Images]:
        if stream not in self._matcher.streams:
            return []
        # Alone it waits for nothing.
        if self._matcher.streams == ("color",):
            return [Images(message)]
        sets = self._matcher.add(stream, stamp_ns(message.header), message)
        self._count_unmatched()
        return [Images(**dict(zip(self._matcher.streams, found, strict=True))) for found in sets]

    def _count_unmatched(self) -> None:
        color, *partners = self._matcher.streams
        for stream in (color, *partners):
            count = self._matcher.dropped[stream] - self._counted[stream]
            self._counted[stream] += count
            others = partners if stream == color else [color]
            reason = f"{stream}_without_{'_or_'.join(others)}"
            words = f"no {' or '.join(others)} image within sync_tolerance_s"
            self._drops.add(reason, words, count)
