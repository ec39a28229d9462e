# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames from a bag: images matched by stamp, each with the pose of its camera."""

import heapq
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.sources.bags.camera import BagCamera, Image, RosbagConfig
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.frame_making import UnusableImages
from ineus_core.sources.bags.other_poses import other_poses
from ineus_core.sources.bags.poses import BagPoses
from ineus_core.sources.bags.ros_messages import used_stamp_ns
from ineus_core.sources.bags.tf_reading import BagTransforms
from ineus_core.sources.bags.topics import ImageTopic
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.types import Frame, Mesh

_log = logging.getLogger(__name__)
_SET_BACK_NS = 1_000_000_000


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
        """Choose topics, and read the cameras and all poses ahead of the images."""
        self.path = Path(path)
        self.dropped: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._why: dict[str, str] = {}
        self._config = config or RosbagConfig()
        self._max_frames = max_frames
        self._newest_ns: dict[str, int] = {}
        self._set_back: set[str] = set()
        with BagFile(path) as bag:
            transforms = self._transforms(bag)
            self.cameras = [
                BagCamera(bag, self._config, transforms.tree, camera_id)
                for camera_id in range(max(1, len(self._config.cameras)))
            ]
            self.poses = BagPoses(bag, self._config, self._camera_frames(), transforms)
            self.poses.warn_of_body_axes()

    def __len__(self) -> int:
        """Return the number of colour images, or `max_frames` if that is less."""
        count = sum(camera.colour.count for camera in self.cameras)
        return min(count, self._max_frames or count)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames by rising stamp; iterating again starts over."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        # Iterating again reads anew, and so counts anew.
        self.dropped.clear()
        self._why.clear()
        self._newest_ns.clear()
        yielded = 0
        with BagFile(self.path) as bag:
            for frame in self._in_order(bag, run):
                yielded += 1
                yield frame
                if yielded == self._max_frames:
                    return
        if not yielded:
            raise SourceError(self._nothing_of_use())

    @property
    def colour(self) -> ImageTopic:
        """Topic of colour, of several cameras that of the first."""
        return self.cameras[0].colour

    @property
    def depth(self) -> ImageTopic | None:
        """Topic of depth, likewise; None: there is none, or it is not used."""
        return self.cameras[0].depth

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return the pose of the first colour camera at a stamp.

        Raises:
            SourceError: If the bag has none there.
        """
        return self.poses.at(stamp_ns)

    def other_poses(self) -> list[tuple[dict[str, Any], BagPoses]]:
        """Return what else the poses could come from, with the settings that choose it."""
        with BagFile(self.path) as bag:
            return other_poses(bag, self._config, self._camera_frames(), self._transforms(bag))

    def reference_mesh(self) -> Mesh | None:
        """Return nothing: a bag has no ground truth."""
        return None

    def describe(self) -> dict[str, str]:
        """Describe what is used, for people."""
        rows: dict[str, str] = {}
        for camera in self.cameras:
            rows |= camera.describe()
        return rows | {"poses": self.poses.description, "world": self.poses.world_frame}

    def _transforms(self, bag: BagFile) -> BagTransforms:
        tolerance_ns = round(self._config.pose_tolerance_s * 1e9)
        return BagTransforms(bag, tolerance_ns, self._config.namespace, self._config.stamps)

    def _camera_frames(self) -> list[str]:
        return [camera.frame_id for camera in self.cameras]

    def _in_order(self, bag: BagFile, run: Run) -> Iterator[Frame]:
        # By camera, as those of a rig have the same stamps.
        newest_ns = dict.fromkeys(range(len(self.cameras)), -1)
        for frame in run(partial(self._frame, *found) for found in self._matched(bag)):
            if frame is None:
                continue
            # Time goes on for training, also in the recording of a bag that looped.
            if frame.stamp_ns <= newest_ns[frame.camera_id]:
                self._count("out_of_order")
                continue
            newest_ns[frame.camera_id] = frame.stamp_ns
            yield frame

    def _matched(self, bag: BagFile) -> Iterator[tuple[BagCamera, tuple[Image, ...]]]:
        """Yield what belongs together, of all cameras, by rising stamp."""
        of_topic = {topic: camera for camera in self.cameras for topic in camera.topics}
        waiting: list[tuple[int, int, BagCamera, tuple[Image, ...]]] = []
        number = itertools.count()
        for camera in self.cameras:
            camera.start()
        for topic, log_ns, raw in bag.messages(list(of_topic)):
            camera, message = of_topic[topic], bag.decode(topic, raw)
            stamp = used_stamp_ns(message.header, log_ns, self._config.stamps)
            self._watch_clock(topic, stamp)
            for images in camera.add(topic, Image(stamp, log_ns, message)):
                # With a number, as equal stamps would have cameras compared.
                heapq.heappush(waiting, (images[0].stamp_ns, next(number), camera, images))
            self._count_unmatched()
            # An earlier one may still come of another camera, unless that has stopped.
            known_ns = min(camera.newest_ns for camera in self.cameras)
            while waiting and (
                waiting[0][0] <= known_ns or len(waiting) > self._config.queue_size
            ):
                yield heapq.heappop(waiting)[2:]
        for camera in self.cameras:
            for images in camera.finish():
                heapq.heappush(waiting, (images[0].stamp_ns, next(number), camera, images))
        self._count_unmatched()
        while waiting:
            yield heapq.heappop(waiting)[2:]

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

    def _count_unmatched(self) -> None:
        unmatched: Counter[str] = Counter()
        for camera in self.cameras:
            # Without depth only a clock that jumps keeps an image from being a set of its own.
            unmatched["no_depth" if camera.depth else "clock_set_back"] += camera.unmatched
        with self._lock:
            for reason, count in unmatched.items():
                if count:
                    self.dropped[reason] = count

    def _frame(self, camera: BagCamera, images: tuple[Image, ...]) -> Frame | None:
        """Make a frame of matched images; None if it has to be dropped."""
        color = images[0]
        try:
            frame_id = self._config.camera_frame or color.message.header.frame_id
            pose = self.poses.at(color.stamp_ns, frame_id, camera.camera_id)
        except SourceError as error:
            self._drop("no_pose", error)
            return None
        try:
            return camera.frame(images, pose)
        except UnusableImages as error:
            self._drop(error.reason, error)
        except SourceError as error:
            self._drop("no_depth_transform", error)
        return None

    def _drop(self, reason: str, error: SourceError) -> None:
        if self._count(reason) == 1:
            _log.warning("bag %s: dropped a frame, %s: %s", self.path, reason, error)
            self._why[reason] = str(error)

    def _count(self, reason: str) -> int:
        """Count a drop, from any thread that decodes; how many there are for this reason."""
        with self._lock:
            self.dropped[reason] += 1
            return self.dropped[reason]

    def _nothing_of_use(self) -> str:
        """Return why none of the images could be used, and what would help."""
        colour, depth = self.colour, self.depth
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())
        message = (
            f"bag {self.path}: none of the {colour.count} images of {colour.name} could be used "
            f"({reasons}), with poses from {self.poses.description}"
        )
        for reason, text in self._why.items():
            message += f"; {reason}: {text}"
        if "no_pose" in self._why:
            message += (
                "; if clocks do not agree, source.rosbag.stamps=recording goes by the times of "
                "recording"
            )
        if self.dropped["no_depth"] and depth:
            gap_s = self._least_gap_s(colour.name, depth.name)
            message += (
                f"; the nearest images of {colour.name} and {depth.name} are "
                f"{gap_s:.3f} s apart: source.rosbag.sync_tolerance_s={gap_s + 0.001:.3f} would "
                "pair them, stamps=recording goes by the times of recording, depth_topic=none "
                "leaves depth out"
            )
        return message

    def _least_gap_s(self, colour: str, other: str) -> float:
        """Return the time between the nearest stamps of two topics."""
        stamps: dict[str, list[int]] = {colour: [], other: []}
        with BagFile(self.path) as bag:
            for topic, log_ns, raw in bag.messages(list(stamps)):
                header = bag.decode(topic, raw).header
                stamps[topic].append(used_stamp_ns(header, log_ns, self._config.stamps))
        # Sorted, as images may be recorded out of their order.
        ours, theirs = (np.sort(np.array(values)) for values in stamps.values())
        after = np.searchsorted(theirs, ours)
        near = [np.abs(theirs[(after + i).clip(0, len(theirs) - 1)] - ours) for i in (-1, 0)]
        return float(np.minimum(*near).min()) * 1e-9
