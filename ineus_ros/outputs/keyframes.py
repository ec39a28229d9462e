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
from ineus_core.sources.bags.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.pose_track import PoseTrack
from ineus_core.types import KeyframeId
from ineus_ros.drops import Drops
from ineus_ros.jobs import Ask, Backlog, Periodic
from ineus_ros.outputs.headers import header_of
from ineus_ros.outputs.status import PartStatus
from ineus_ros.qos import latched

Poses = Mapping[KeyframeId, np.ndarray]
"""`world_from_camera` of keyframes."""
PoseOf = Callable[[KeyframeId], np.ndarray]
"""Where a correction has a keyframe; `SourceError` or `KeyError` if it has it nowhere."""
ANSWERABLE = 128
"""Messages of ~/keyframes, the newest, that a correction may be of."""


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
        """Advertise ~/keyframes and ~/path; subscribe to the two kinds of corrections."""
        self._config, self._world_frame, self._ask = config, world_frame, ask
        self._first_from_camera = first_from_camera
        self.counters: Counter[str] = Counter()
        self.drops = Drops(node.get_logger())
        create = node.create_lifecycle_publisher
        # Latched: who joins late would else know nothing until a keyframe comes or moves.
        self._keyframes = create(PoseArray, "~/keyframes", latched(1))
        self._path = create(Path, "~/path", latched(1))
        self._sent: tuple[tuple[KeyframeId, bytes], ...] | None = None
        self._told: dict[tuple[int, int], tuple[KeyframeId, ...]] = {}
        node.create_subscription(Path, "path_correction", self.on_path, 1)
        node.create_subscription(PoseArray, "keyframes_correction", self.on_array, 1)
        self._corrections = Backlog(
            config().query_queue_size,
            self.drops,
            "correction_overtaken",
            "corrections come faster than keyframes are moved",
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
        # Latched topics: the same again would only wake the subscribers.
        if key == self._sent:
            return
        self._sent = key
        keyframes, path = keyframe_messages(poses, self._world_frame())
        # Before it goes out, so that no answer can be there first.
        name = stamp_ns(keyframes.header), len(poses)
        # Put last again, as the oldest goes first.
        self._told.pop(name, None)
        self._told[name] = tuple(poses)
        if len(self._told) > ANSWERABLE:
            del self._told[next(iter(self._told))]
        self._keyframes.publish(keyframes)
        self._path.publish(path)

    def on_path(self, message: Any) -> None:
        """Have the keyframes moved to where a path has them at their stamps."""
        self._correct("path_correction", message, self._by_stamp)

    def on_array(self, message: Any) -> None:
        """Have the keyframes moved to where an array has them, in the order of ~/keyframes."""
        self._correct("keyframes_correction", message, self._by_order)

    def status(self) -> PartStatus:
        """Return what was corrected, for /diagnostics."""
        values: dict[str, object] = dict(sorted(self.counters.items()))
        values |= {f"dropped.{name}": n for name, n in self.drops.snapshot().items()}
        return PartStatus("keyframes", "ok", f"{self.counters['corrections']} corrections", values)

    def _is_wanted(self) -> bool:
        return any(topic.get_subscription_count() for topic in (self._keyframes, self._path))

    def _correct(self, topic: str, message: Any, read: Callable[[Any], PoseOf]) -> None:
        self.counters["corrections"] += 1
        frame, world = message.header.frame_id.lstrip("/"), self._world_frame()
        if frame not in ("", world):
            problem = f"{topic} in {frame!r}: expected {world!r}"
            self.drops.add("correction_in_other_frame", problem)
            return
        try:
            pose_of = read(message)
        except SourceError as error:
            self.drops.add("bad_correction", f"{topic}: {error}")
            return
        job = self._ask(lambda pipeline: correct(pipeline, pose_of))
        self._corrections.add(job)
        job.add_done_callback(self._count)

    def _by_stamp(self, path: Any) -> PoseOf:
        tolerance_ns = round(self._config().pose_tolerance_s * 1e9)
        # All of a path, in any order, and nothing between poses far apart: a correction is not a
        # guess.
        track = PoseTrack(tolerance_ns, capacity=0, jump_ns=0, bridge_usual_gaps=False)
        body_from_camera = self._corrected_from_camera()
        for stamped in path.poses:
            pose = decode_transform(stamped.pose) @ body_from_camera
            track.add(stamp_ns(stamped.header), pose)
        # A copy, as it is read on the worker's thread while the inputs may still learn of a
        # camera.
        rig = dict(self._first_from_camera)
        return lambda keyframe: track.at(keyframe[0]) @ rig[keyframe[1]]

    def _by_order(self, array: Any) -> PoseOf:
        """Read an array, whose one stamp is that of the ~/keyframes whose poses it corrects."""
        stamp, count = stamp_ns(array.header), len(array.poses)
        keyframes = self._told.get((stamp, count))
        if keyframes is None:
            raise SourceError(
                f"{count} poses with stamp {stamp} ns: expected the stamp and as many poses as "
                f"one of the last {ANSWERABLE} messages of ~/keyframes"
            )
        told = dict(zip(keyframes, map(decode_transform, array.poses), strict=True))
        if self._config().correction_of == "camera":
            return told.__getitem__
        body_from_camera, rig = self._corrected_from_camera(), dict(self._first_from_camera)
        return lambda keyframe: told[keyframe] @ body_from_camera @ rig[keyframe[1]]

    def _corrected_from_camera(self) -> np.ndarray:
        """Return the first camera's place in what corrections are of."""
        config = self._config()
        if config.correction_of == "camera":
            return np.eye(4)
        mounting = np.asarray((config.body_from_cameras or config.body_from_camera)[:7])
        return rigid_transform(mounting[:3], mounting[3:])

    def _count(self, done: Any) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self.drops.add("correction_failed", error)
            return
        matched, unmatched = done.result()
        self.counters["keyframes_matched"] += matched
        self.counters["keyframes_unmatched"] += unmatched


def correct(pipeline: Pipeline, pose_of: PoseOf) -> tuple[int, int]:
    """Move the keyframes that a correction knows; how many it does, and how many it does not."""
    reconstructor = pipeline.reconstructor
    held = reconstructor.keyframe_poses()
    corrected = {}
    for keyframe in held:
        try:
            corrected[keyframe] = pose_of(keyframe)
        # One that it does not know is counted, and stays where it is.
        except (SourceError, KeyError):
            continue
    matched = reconstructor.move_keyframes(corrected)
    return matched, len(held) - matched


def keyframe_messages(poses: Poses, frame_id: str) -> tuple[PoseArray, Path]:
    """Make an array of all poses, and a path, which has stamps, of those of the first camera."""
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
    """Make a geometry_msgs/Pose of a rigid transform."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, transform[:3, 3])
    x, y, z, w = map(float, rotation_to_quaternion(transform[:3, :3]))
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    return pose
