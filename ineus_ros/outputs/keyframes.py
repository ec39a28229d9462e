# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the keyframes are, and their way to where a loop closure says that they were."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose, PoseArray, PoseStamped
from nav_msgs.msg import Path
from rclpy.lifecycle import LifecycleNode

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_transform, rotation_to_quaternion
from ineus_core.pipeline import Pipeline
from ineus_core.ros_config import RosConfig
from ineus_core.sources.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.transforms import PoseTrack
from ineus_core.types import KeyframeId
from ineus_ros.awaiting import Periodic
from ineus_ros.drops import Drops
from ineus_ros.outputs.planning import Ask, header_of, latched
from ineus_ros.outputs.status import PartStatus

Poses = Mapping[KeyframeId, np.ndarray]
"""`world_from_camera` of keyframes."""


class KeyframePublisher:
    """Publishes the poses of the keyframes and takes corrections of them.

    Args:
        world_frame: Gives the frame id of the world.
        ask: The worker's `call`.
        first_from_camera: Place of each camera of a rig in the frame of the first one.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], RosConfig],
        world_frame: Callable[[], str],
        ask: Ask,
        first_from_camera: Mapping[int, np.ndarray],
    ) -> None:
        """Advertise ~/keyframes and ~/path; subscribe to path_correction."""
        self._config, self._world_frame, self._ask = config, world_frame, ask
        self._first_from_camera = first_from_camera
        self.counters: Counter[str] = Counter()
        self.drops = Drops(node.get_logger())
        create = node.create_lifecycle_publisher
        self._keyframes = create(PoseArray, "~/keyframes", latched(1))
        self._path = create(Path, "~/path", latched(1))
        self._sent: tuple[tuple[KeyframeId, bytes], ...] | None = None
        self._subscription = node.create_subscription(
            Path, "path_correction", self.on_correction, 1
        )
        self._periodic = Periodic(
            node,
            lambda: self._config().keyframes_rate_hz,
            self._is_wanted,
            lambda: self._ask(lambda pipeline: pipeline.reconstructor.keyframe_poses()),
            self.publish,
            self.drops,
            "keyframes_failed",
        )

    def publish(self, poses: Poses) -> None:
        """Publish the poses unless they are those that were published last."""
        key = tuple((keyframe, pose.tobytes()) for keyframe, pose in poses.items())
        if key == self._sent:
            return
        self._sent = key
        keyframes, path = keyframe_messages(poses, self._world_frame())
        self._keyframes.publish(keyframes)
        self._path.publish(path)

    def on_correction(self, message: Any) -> None:
        """Have the keyframes moved to where a path has them."""
        self.counters["corrections"] += 1
        frame, world = message.header.frame_id.lstrip("/"), self._world_frame()
        if frame not in ("", world):
            problem = f"path_correction in {frame!r}: expected {world!r}"
            self.drops.add("correction_in_other_frame", problem)
            return
        try:
            track = self._track_of(message)
        except SourceError as error:
            self.drops.add("bad_correction", error)
            return
        rig = dict(self._first_from_camera)
        job = self._ask(lambda pipeline: correct(pipeline, track, rig))
        job.add_done_callback(self._count)

    def status(self) -> PartStatus:
        """What was corrected, for /diagnostics."""
        values: dict[str, object] = dict(sorted(self.counters.items()))
        values |= {f"dropped.{name}": n for name, n in self.drops.snapshot().items()}
        return PartStatus("keyframes", "ok", f"{self.counters['corrections']} corrections", values)

    def _is_wanted(self) -> bool:
        return any(topic.get_subscription_count() for topic in (self._keyframes, self._path))

    def _track_of(self, path: Any) -> PoseTrack:
        config = self._config()
        mounting = np.asarray((config.body_from_cameras or config.body_from_camera)[:7])
        body_from_camera = rigid_transform(mounting[:3], mounting[3:])
        track = PoseTrack(round(config.pose_tolerance_s * 1e9), capacity=0, jump_ns=0)
        for stamped in path.poses:
            pose = decode_transform(stamped.pose)
            is_camera = config.correction_of == "camera"
            track.add(stamp_ns(stamped.header), pose if is_camera else pose @ body_from_camera)
        return track

    def _count(self, done: Any) -> None:
        error = done.exception()
        if error is not None:
            self.drops.add("correction_failed", error)
            return
        matched, unmatched = done.result()
        self.counters["keyframes_matched"] += matched
        self.counters["keyframes_unmatched"] += unmatched


def correct(
    pipeline: Pipeline, track: PoseTrack, first_from_camera: Mapping[int, np.ndarray]
) -> tuple[int, int]:
    """Move the keyframes that a path knows; how many it does, and how many it does not.

    Args:
        track: Of the first camera.
    """
    reconstructor = pipeline.reconstructor
    held = reconstructor.keyframe_poses()
    corrected = {}
    for stamp, camera_id in held:
        try:
            corrected[stamp, camera_id] = track.at(stamp) @ first_from_camera[camera_id]
        except (SourceError, KeyError):
            continue
    matched = reconstructor.move_keyframes(corrected)
    return matched, len(held) - matched


def keyframe_messages(poses: Poses, frame_id: str) -> tuple[PoseArray, Path]:
    """The poses of all as an array, of the first camera as a path, which has their stamps."""
    header = header_of(max((stamp for stamp, _ in poses), default=0), frame_id)
    messages = {keyframe: pose_message(pose) for keyframe, pose in poses.items()}
    path = Path(header=header)
    path.poses = [
        PoseStamped(header=header_of(stamp, frame_id), pose=message)
        for (stamp, camera_id), message in messages.items()
        if camera_id == 0
    ]
    return PoseArray(header=header, poses=list(messages.values())), path


def pose_message(transform: np.ndarray) -> Pose:
    """A geometry_msgs/Pose of a rigid transform."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, transform[:3, 3])
    x, y, z, w = map(float, rotation_to_quaternion(transform[:3, :3]))
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    return pose
