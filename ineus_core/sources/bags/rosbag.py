# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames from a bag: images matched by stamp, each with the pose of its camera."""

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.sources.bags.cameras import CameraConfig, read_cameras
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.matcher import NearestStampMatcher
from ineus_core.sources.bags.other_poses import other_poses
from ineus_core.sources.bags.poses import BagPoses, PoseConfig, used_stamp_ns
from ineus_core.sources.bags.ros_messages import (
    decode_compressed_image,
    decode_image,
    image_decoder,
    used_bits,
)
from ineus_core.sources.bags.topics import find_images
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.types import Frame, Mesh

_log = logging.getLogger(__name__)
_LOOKED_AT = 10
"""Images whose values tell how many bits they use."""
_SET_BACK_NS = 1_000_000_000


class RosbagConfig(PoseConfig, CameraConfig):
    """Which topics of a bag are used, and how they are brought together."""

    color_topic: str = Field(
        default="", description="Topic of colour; empty: found by type and name"
    )
    camera_frame: str = Field(
        default="", description="Frame id of the colour images; empty: as their headers say"
    )
    image_bits: Literal[0, 8, 10, 12, 14, 16] = Field(
        default=0,
        description="Bits that images of 16 bits use; 0: by the first ones, 10, 12 or 16",
    )
    depth_topic: str = Field(
        default="",
        description="Topic of depth; empty: found by encoding and name; none: colour only",
    )
    sync_tolerance_s: float = Field(
        default=0.02,
        ge=0,
        description="Largest difference of colour and depth stamps, in seconds",
    )
    reorder_s: float = Field(
        default=0.1,
        ge=0,
        description="How late an image may be recorded after a newer one, in seconds",
    )
    queue_size: int = Field(default=60, ge=1, description="Images of a topic held while matching")


class _Image(NamedTuple):
    stamp_ns: int
    log_ns: int
    message: Any


class RosbagSource:
    """Frames of a bag, by rising stamp.

    Args:
        path: A file of a bag, or its folder.
        max_frames: Most frames to yield; 0 is all.

    Raises:
        SourceError: If the bag cannot be read, or lacks colour images, a camera or poses.
    """

    kind = "rosbag"

    def __init__(
        self,
        path: str | Path,
        config: RosbagConfig | None = None,
        max_frames: int = 0,
    ) -> None:
        """Choose topics, and read the camera and all poses ahead of the images."""
        self.path = Path(path)
        self.dropped: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._config = config or RosbagConfig()
        self._max_frames = max_frames
        self._newest_ns: dict[str, int] = {}
        self._set_back: set[str] = set()
        self._first_drop: dict[str, str] = {}
        with BagFile(path) as bag:
            self.colour, self.depth = find_images(
                bag, self._config.color_topic, self._config.depth_topic
            )
            self._cameras = read_cameras(bag, self.colour, self._config)
            self._bits = self._config.image_bits or self._used_bits(bag)
            self.poses = BagPoses(bag, self._config, self._camera_frame(bag))
            self.poses.warn_of_body_axes()

    def __len__(self) -> int:
        """Return the number of colour images, or `max_frames` if that is less."""
        return min(self.colour.count, self._max_frames or self.colour.count)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames by rising stamp; iterating again starts over."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        self.dropped.clear()
        self._newest_ns.clear()
        yielded = 0
        newest_ns = -1
        with BagFile(self.path) as bag:
            for frame in run(partial(self._frame, images) for images in self._matched(bag)):
                if frame is None:
                    continue
                # Time goes on for training, also in the recording of a bag that looped.
                if frame.stamp_ns <= newest_ns:
                    self._count("out_of_order")
                    continue
                newest_ns = frame.stamp_ns
                yielded += 1
                yield frame
                if yielded == self._max_frames:
                    return
        if not yielded:
            raise SourceError(self._nothing_message())

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return the pose of the colour camera at a stamp.

        Raises:
            SourceError: If the bag has none there.
        """
        return self.poses.at(stamp_ns)

    def other_poses(self) -> list[tuple[dict[str, Any], BagPoses]]:
        """Return what else the poses could come from, with the settings that choose it."""
        with BagFile(self.path) as bag:
            return other_poses(bag, self._config, self._camera_frame(bag))

    def reference_mesh(self) -> Mesh | None:
        """Return nothing: a bag has no ground truth."""
        return None

    def describe(self) -> dict[str, str]:
        """Describe what is used, for people."""
        size = " x ".join(map(str, self.colour.size_px))
        return {
            "colour": f"{self.colour.name} ({size}, frame id {self.colour.frame_id})",
            "camera": self._cameras.description,
            "depth": self.depth.name if self.depth else "none (colour only)",
            "poses": self.poses.description,
            "world": self.poses.world_frame,
        }

    def _matched(self, bag: BagFile) -> Iterator[tuple[_Image, ...]]:
        """Yield sets of a colour image and its depth image."""
        topics = [topic.name for topic in (self.colour, self.depth) if topic]
        matcher = NearestStampMatcher(
            topics,
            tolerance_ns=round(self._config.sync_tolerance_s * 1e9),
            capacity=self._config.queue_size,
            reorder_ns=round(self._config.reorder_s * 1e9),
        )
        for topic, log_ns, raw in bag.messages(topics):
            message = bag.decode(topic, raw)
            stamp = used_stamp_ns(message.header, log_ns, self._config.stamps)
            self._watch_clock(topic, stamp)
            yield from matcher.add(topic, stamp, _Image(stamp, log_ns, message))
            self._count_unmatched(matcher)
        yield from matcher.finish()
        self._count_unmatched(matcher)

    def _watch_clock(self, topic: str, stamp: int) -> None:
        """Say that the clock of a topic was set back: what it stamps then is in the past."""
        newest = self._newest_ns.get(topic, stamp)
        if stamp < newest - _SET_BACK_NS and topic not in self._set_back:
            self._set_back.add(topic)
            _log.warning(
                "bag %s: the stamps of %s go back by %.3f s at %d ns; what comes before the "
                "newest is dropped as out_of_order; source.rosbag.stamps=recording takes the "
                "times of recording instead",
                *(self.path, topic, (newest - stamp) * 1e-9, newest),
            )
        self._newest_ns[topic] = max(newest, stamp)

    def _count_unmatched(self, matcher: NearestStampMatcher) -> None:
        # Without depth only a clock that jumps keeps an image from being a set of its own.
        reason = "no_depth" if self.depth else "clock_set_back"
        if matcher.dropped[self.colour.name]:
            self.dropped[reason] = matcher.dropped[self.colour.name]

    def _frame(self, images: tuple[_Image, ...]) -> Frame | None:
        """Make a frame of matched images; None if it has to be dropped."""
        try:
            world_from_camera = self.poses.at(
                images[0].stamp_ns,
                self._config.camera_frame or images[0].message.header.frame_id,
            )
        except SourceError as error:
            self._drop("no_pose", error)
            return None
        decoded = self._decode(images)
        if decoded is None:
            return None
        rgb, depth_m = decoded
        if depth_m is not None and depth_m.shape != rgb.shape[:2]:
            raise SourceError(self._size_message(rgb, depth_m))
        try:
            return Frame(
                images[0].stamp_ns,
                self._cameras.at(images[0].log_ns),
                world_from_camera,
                rgb,
                depth_m,
            )
        except SourceError as error:
            raise SourceError(
                f"bag {self.path}, image at {images[0].stamp_ns} ns: {error}"
            ) from error

    def _decode(self, images: tuple[_Image, ...]) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Decode colour and depth; None if one of them is damaged."""
        try:
            rgb = self._decode_colour(images[0].message)
            if self.depth is None:
                return rgb, None
            depth_m = image_decoder(self.depth.is_compressed, True)(images[1].message)
        except SourceError as error:
            self._drop("bad_image", error)
            return None
        return rgb, depth_m

    def _nothing_message(self) -> str:
        """Return why none of the images could be used, and what would help."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())
        message = (
            f"bag {self.path}: none of the {self.colour.count} images of {self.colour.name} could "
            f"be used ({reasons}), with poses from {self.poses.description}"
        )
        if "no_pose" in self._first_drop:
            message += (
                f"; the first: {self._first_drop['no_pose']}; if clocks do not agree, "
                "source.rosbag.stamps=recording goes by the times of recording"
            )
        if self.dropped["no_depth"] and self.depth:
            gap_s = self._least_gap_s(self.depth.name)
            message += (
                f"; the nearest images of {self.colour.name} and {self.depth.name} are "
                f"{gap_s:.3f} s apart: source.rosbag.sync_tolerance_s={gap_s + 0.001:.3f} would "
                "pair them, stamps=recording goes by the times of recording, depth_topic=none "
                "leaves depth out"
            )
        return message

    def _least_gap_s(self, other: str) -> float:
        """Return the time between the nearest stamps of colour and of another topic."""
        stamps: dict[str, list[int]] = {self.colour.name: [], other: []}
        with BagFile(self.path) as bag:
            for topic, log_ns, raw in bag.messages(list(stamps)):
                header = bag.decode(topic, raw).header
                stamps[topic].append(used_stamp_ns(header, log_ns, self._config.stamps))
        ours, theirs = (np.sort(np.array(values)) for values in stamps.values())
        after = np.searchsorted(theirs, ours)
        near = [np.abs(theirs[(after + i).clip(0, len(theirs) - 1)] - ours) for i in (-1, 0)]
        return float(np.minimum(*near).min()) * 1e-9

    def _decode_colour(self, message: Any) -> np.ndarray:
        if self.colour.is_compressed:
            return decode_compressed_image(message)
        return decode_image(message, self._bits)

    def _size_message(self, rgb: np.ndarray, depth_m: np.ndarray) -> str:
        depth_name = self.depth.name if self.depth else ""
        return (
            f"bag {self.path}: depth images of {depth_name} have {depth_m.shape[1]} x "
            f"{depth_m.shape[0]} pixels: expected the {rgb.shape[1]} x {rgb.shape[0]} of "
            f"{self.colour.name} (depth registered to colour; source.rosbag.depth_topic=none "
            f"leaves it out)"
        )

    def _drop(self, reason: str, error: SourceError) -> None:
        if self._count(reason) == 1:
            self._first_drop[reason] = str(error)
            _log.warning("bag %s: dropped a frame, %s: %s", self.path, reason, error)

    def _count(self, reason: str) -> int:
        """Count a drop, from any thread that decodes; how many there are for this reason."""
        with self._lock:
            self.dropped[reason] += 1
            return self.dropped[reason]

    def _camera_frame(self, bag: BagFile) -> str:
        """Return the frame id of the colour images; some drivers set it in camera_info only."""
        return self._config.camera_frame or self.colour.frame_id or self._cameras.frame_id

    def _used_bits(self, bag: BagFile) -> int:
        if self.colour.is_compressed:
            return 16
        raw = itertools.islice(bag.messages([self.colour.name]), _LOOKED_AT)
        try:
            bits = used_bits(bag.decode(name, data) for name, _, data in raw)
        except SourceError:
            # Damaged ones are counted when they are read.
            return 16
        if bits < 16:
            _log.warning(
                "bag %s: images of %s use %d of their 16 bits and are read so; "
                "source.rosbag.image_bits=16 reads them as they are",
                *(self.path, self.colour.name, bits),
            )
        return bits
