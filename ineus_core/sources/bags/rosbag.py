# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames from a ROS 2 bag: images matched by stamp, each with the pose of its camera."""

import bisect
import logging
import re
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.matcher import NearestStampMatcher
from ineus_core.sources.bags.other_poses import other_poses
from ineus_core.sources.bags.poses import BagPoses, PoseConfig
from ineus_core.sources.bags.ros_messages import decode_camera, image_decoder, stamp_ns
from ineus_core.sources.bags.topics import find_camera_info, find_images
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.types import Camera, Frame, Mesh

_log = logging.getLogger(__name__)


class RosbagConfig(PoseConfig):
    """Which topics of a bag are used, and how they are brought together."""

    color_topic: str = Field(
        default="", description="Topic of colour; empty: found by type and name"
    )
    color_info_topic: str = Field(
        default="", description="Topic of the colour camera's camera_info; empty: found by name"
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
        path: A `.mcap` or `.db3` file, or the folder of a bag.
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
        with BagFile(path) as bag:
            self.colour, self.depth = find_images(
                bag, self._config.color_topic, self._config.depth_topic
            )
            self.camera_info_topic = find_camera_info(
                bag, self.colour, self._config.color_info_topic
            )
            self._cameras = self._read_cameras(bag)
            self.poses = BagPoses(bag, self._config, self._camera_frame(bag))

    def __len__(self) -> int:
        """Return the number of colour images, or `max_frames` if that is less."""
        return min(self.colour.count, self._max_frames or self.colour.count)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames by rising stamp; iterating again starts over."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        self.dropped.clear()
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
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())
            raise SourceError(
                f"bag {self.path}: none of the {self.colour.count} images of {self.colour.name} "
                f"could be used ({reasons}), with poses from {self.poses.description}"
            )

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
            "camera": self.camera_info_topic,
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
            # A driver without a clock leaves the stamp at zero.
            stamp = stamp_ns(message.header) or log_ns
            yield from matcher.add(topic, stamp, _Image(stamp, log_ns, message))
            self._count_unmatched(matcher)
        yield from matcher.finish()
        self._count_unmatched(matcher)

    def _count_unmatched(self, matcher: NearestStampMatcher) -> None:
        if matcher.dropped[self.colour.name]:
            self.dropped["no_depth"] = matcher.dropped[self.colour.name]

    def _frame(self, images: tuple[_Image, ...]) -> Frame | None:
        """Make a frame of matched images; None if it has to be dropped."""
        try:
            world_from_camera = self.poses.at(
                images[0].stamp_ns, images[0].message.header.frame_id
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
                self._camera_at(images[0].log_ns),
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
            rgb = image_decoder(self.colour.is_compressed, False)(images[0].message)
            if self.depth is None:
                return rgb, None
            depth_m = image_decoder(self.depth.is_compressed, True)(images[1].message)
        except SourceError as error:
            self._drop("bad_image", error)
            return None
        return rgb, depth_m

    def _size_message(self, rgb: np.ndarray, depth_m: np.ndarray) -> str:
        depth_name = self.depth.name if self.depth else ""
        return (
            f"bag {self.path}: depth images of {depth_name} have {depth_m.shape[1]} x "
            f"{depth_m.shape[0]} pixels: expected the {rgb.shape[1]} x {rgb.shape[0]} of "
            f"{self.colour.name} (depth registered to colour; depth_topic: none leaves it out)"
        )

    def _drop(self, reason: str, error: SourceError) -> None:
        if self._count(reason) == 1:
            _log.warning("bag %s: dropped a frame, %s: %s", self.path, reason, error)

    def _count(self, reason: str) -> int:
        """Count a drop, from any thread that decodes; how many there are for this reason."""
        with self._lock:
            self.dropped[reason] += 1
            return self.dropped[reason]

    def _read_cameras(self, bag: BagFile) -> list[tuple[int, Camera]]:
        """Read the cameras, by the time from which they hold; mostly one."""
        cameras: list[tuple[int, Camera]] = []
        is_rectified = re.search(r"[/_]rect(ified)?([/_]|$)", self.colour.name) is not None
        for topic, log_ns, raw in bag.messages([self.camera_info_topic]):
            try:
                camera = decode_camera(bag.decode(topic, raw), is_rectified)
            except SourceError as error:
                raise SourceError(f"bag {self.path}: {topic}: {error}") from error
            if not cameras or camera != cameras[-1][1]:
                cameras.append((log_ns, camera))
        if not cameras:
            raise SourceError(f"bag {self.path}: no camera_info on {self.camera_info_topic}")
        return cameras

    def _camera_at(self, log_ns: int) -> Camera:
        # By the time of recording: many drivers leave the stamp of camera_info at zero. The first
        # camera holds for images before it, too.
        index = bisect.bisect_right(self._cameras, log_ns, key=lambda entry: entry[0])
        return self._cameras[max(0, index - 1)][1]

    def _camera_frame(self, bag: BagFile) -> str:
        """Return the frame id of the colour images; some drivers set it in camera_info only."""
        return self.colour.frame_id or bag.first(self.camera_info_topic).header.frame_id
