# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Images that wait for their pose; those whose pose comes too late are dropped and counted."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.frame_making import PlacedImages
from ineus_core.sources.bags.pose_policy import CameraPoses
from ineus_core.sources.bags.ros_messages import stamp_ns
from ineus_core.sources.pose_track import TransformNotYet
from ineus_core.types import Camera
from ineus_ros.drops import Drops
from ineus_ros.inputs.camera import CameraInput
from ineus_ros.inputs.pairing import Images


@dataclass(frozen=True)
class _Waiting:
    camera: CameraInput
    images: Images
    since_s: float
    """When they began to wait, on the clock of `AwaitingPose`."""


class AwaitingPose:
    """Holds images until their camera, their pose and the place of their depth camera are known.

    Args:
        poses: Know where the cameras were.
        first: The first camera, relative to which a rig is described.
        take: Gets the images that are complete.
        offset_ns: Added to the stamp of an image to look its pose up.
    """

    def __init__(
        self,
        config: RosConfig,
        poses: CameraPoses,
        first: CameraInput,
        drops: Drops,
        take: Callable[[PlacedImages], None],
        offset_ns: int = 0,
    ) -> None:
        """Begin with none."""
        self._timeout_s, self._offset_ns = config.tf_timeout_s, offset_ns
        self._poses, self._first, self._drops, self._take = poses, first, drops, take
        self._waiting: deque[_Waiting] = deque()
        # No clock of the wall: `let_pass` leaves out the time in which no message was taken, when
        # poses may be there without being known.
        self._clock_s = 0.0
        self.first_from_camera: dict[int, np.ndarray] = {0: np.eye(4)}
        """Place of each camera in the frame of the first one, once it is known."""

    def __len__(self) -> int:
        """Return how many sets of images wait."""
        return len(self._waiting)

    @property
    def oldest_ns(self) -> int | None:
        """Stamp of the oldest images, if there are any."""
        return stamp_ns(self._waiting[0].images.color.header) if self._waiting else None

    def add(self, camera: CameraInput, images: Images) -> None:
        """Let images of a camera wait."""
        self._waiting.append(_Waiting(camera, images, self._clock_s))

    def drop_oldest(self) -> None:
        """Make room for newer images."""
        self._waiting.popleft()
        self._drops.add("pose_queue_full", "too many images wait for their pose")

    def clear(self) -> int:
        """Forget the images; return how many there were."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    def let_pass(self, seconds: float) -> None:
        """Let the clock of those who wait go on."""
        self._clock_s += seconds

    def look(self) -> None:
        """Hand on the images whose pose has come; drop those that have waited too long."""
        # Once around: those that wait on keep their order.
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            # What is asked for at the moment, so that whatever fails is counted under it.
            reason = "no_camera_info"
            try:
                camera = _camera_of(waiting)
                depth_camera = _depth_camera_of(waiting)
                reason = "no_pose_in_time"
                pose = self._pose_of(waiting)
                reason = "no_depth_transform"
                color_from_depth = (
                    np.eye(4)
                    if depth_camera is None
                    else waiting.camera.color_from_depth(waiting.images)
                )
            except TransformNotYet as error:
                self._wait_on(waiting, reason, error)
            except SourceError as error:
                # It cannot come any more, so nobody waits for it.
                # Under another name, as nothing that is set to wait longer would help.
                self._drops.add("no_pose" if reason == "no_pose_in_time" else reason, error)
            else:
                waiting.camera.warn_of_body_axes()
                images = waiting.images
                self._take(
                    PlacedImages(
                        images.color,
                        images.depth,
                        images.mask,
                        camera,
                        pose,
                        depth_camera,
                        color_from_depth,
                        waiting.camera.camera_id,
                    )
                )

    def _wait_on(self, waiting: _Waiting, reason: str, message: object) -> None:
        """Put images back, or drop them when their time is over."""
        if self._clock_s - waiting.since_s < self._timeout_s:
            self._waiting.append(waiting)
        else:
            self._drops.add(reason, message)

    def _pose_of(self, waiting: _Waiting) -> np.ndarray:
        header = waiting.images.color.header
        stamp, frame_id = stamp_ns(header) + self._offset_ns, header.frame_id
        camera, first = waiting.camera, self._first
        pose = self._poses.world_from_camera(stamp, camera.mounting(frame_id))
        # Cameras of a rig are fixed to each other, so one moment tells for all.
        if camera.camera_id not in self.first_from_camera and first.frame_of(first.color_frame):
            mounting = first.mounting(first.color_frame)
            world_from_first = self._poses.world_from_camera(stamp, mounting)
            self.first_from_camera[camera.camera_id] = rigid_inverse(world_from_first) @ pose
        return pose


def _camera_of(waiting: _Waiting) -> Camera:
    camera = waiting.camera.color_calibration.camera
    if camera is None:
        # As a transform that has not come: it may be published later.
        raise TransformNotYet("no usable color/camera_info")
    return camera


def _depth_camera_of(waiting: _Waiting) -> Camera | None:
    if waiting.images.depth is None:
        return None
    try:
        return waiting.camera.depth_camera()
    except SourceError as error:
        raise TransformNotYet(str(error)) from error
