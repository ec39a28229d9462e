# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of the camera over the time of a bag: from TF, a pose topic or odometry, read ahead."""

import dataclasses
import difflib
import logging
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, field_validator

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.ros_config import with_unit_quaternions
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.pose_policy import (
    CameraPoses,
    Mounting,
    TfPoses,
    TopicPoses,
    preferred_topic,
)
from ineus_core.sources.bags.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.bags.topics import (
    ODOMETRY,
    POSES,
    find_pose_topic,
    find_tf_topics,
    topic_list,
)
from ineus_core.sources.bags.transforms import TransformTree, bare_frame_id

_log = logging.getLogger(__name__)
_BODY_FROM_OPTICAL = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], dtype=np.float64)


class PoseConfig(ConfigModel):
    """Where the poses of a bag come from."""

    pose_topic: str = Field(
        default="", description="Topic of poses; empty: found by type and name"
    )
    odom_topic: str = Field(
        default="", description="Topic of odometry; empty: found by type and name"
    )
    pose_source: Literal["auto", "tf", "pose", "odom"] = Field(
        default="auto",
        description="What gives the poses: tf, pose, odom; auto: the topic that is named, else TF "
        "if the camera moves by it, else a topic",
    )
    stamps: Literal["header", "recording"] = Field(
        default="header",
        description="Times of images, poses and transforms: those of their headers, or when they "
        "were recorded, for clocks that do not agree or were set back",
    )
    global_frame: str = Field(default="odom", description="Frame id of the world")
    pose_frame: str = Field(
        default="",
        description="Frame id of the body that the pose or odometry topic describes; empty: the "
        "child frame id of the message, or else the camera itself",
    )
    body_from_camera: Annotated[tuple[float, ...], Field(max_length=7)] = Field(
        default=(),
        description="Camera (optical axes) in the frame of the pose or odometry topic, where TF "
        "cannot tell: x y z in m, then quaternion x y z w",
    )
    pose_tolerance_s: float = Field(
        default=0.1,
        gt=0,
        description="Longest time between an image and the nearest pose, in seconds; poses that "
        "come more slowly are interpolated as long as the gap is a usual one",
    )

    @field_validator("body_from_camera")
    @classmethod
    def _has_a_rotation(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return with_unit_quaternions(value)


def used_stamp_ns(header: Any, log_ns: int, stamps: str) -> int:
    """Return the time of a message: that of its header, or of its recording where that is asked.

    A driver without a clock leaves the stamp at zero, which is none.
    """
    return log_ns if stamps == "recording" else stamp_ns(header) or log_ns


class BagPoses:
    """Poses of one camera by stamp.

    Args:
        camera_frame: Frame id of the colour images.
    """

    def __init__(self, bag: BagFile, config: PoseConfig, camera_frame: str) -> None:
        """Read all transforms, choose the source of poses, and read that."""
        self._bag = bag
        self._config = config
        self._camera_frame = bare_frame_id(camera_frame)
        self._bad: list[str] = []
        self._tree = self._read_transforms()
        numbers = np.array(config.body_from_camera)
        self._mounting = Mounting(
            self._camera_frame,
            rigid_transform(numbers[:3], numbers[3:]) if len(numbers) else np.eye(4),
            is_configured=bool(len(numbers)),
        )
        self._source = self._choose()
        _log.info("bag %s: poses from %s", bag.path, self.description)

    @property
    def world_frame(self) -> str:
        """Frame id of the world."""
        return self._source.world_frame

    @property
    def description(self) -> str:
        """What the poses come from."""
        left_out = f"; {len(self._bad)} bad ones left out" if self._bad else ""
        if isinstance(self._source, TopicPoses):
            of = ", ".join(sorted(filter(None, self._source.bodies))) or self._camera_frame
            return f"{self._source.topic}, which describes {of}{left_out}"
        return f"TF, {self.world_frame} <- {self._camera_frame}{left_out}"

    @property
    def bad_poses(self) -> int:
        """Poses and transforms that were left out: NaN, infinite, or without a rotation."""
        return len(self._bad)

    def frames_above(self, frame_id: str) -> list[str]:
        """Return a frame id and those above it in the tree of TF, the root last."""
        return self._tree.ancestors(frame_id)

    def at(self, stamp: int, camera_frame: str = "") -> Float[np.ndarray, "4 4"]:
        """Return `world_from_camera` at a stamp.

        Args:
            camera_frame: Frame id of the image, where it has one.

        Raises:
            SourceError: If there is no pose at the stamp.
        """
        frame = bare_frame_id(camera_frame) or self._camera_frame
        mounting = dataclasses.replace(self._mounting, camera_frame=frame)
        return self._source.world_from_camera(stamp, mounting)

    def warn_of_body_axes(self) -> None:
        """Say that images are in a frame below which TF has an optical one of its own."""
        frame = self._camera_frame
        if "optical" in frame or not frame:
            return
        for child in self._tree.children(frame):
            if "optical" in child and self._is_turned_to_optical(frame, child):
                _log.warning(
                    "bag %s: images are in frame %r, below which TF has %r; if the first has x "
                    "ahead (REP 103), source.rosbag.camera_frame=%s is meant",
                    *(self._bag.path, frame, child, child),
                )

    def _read_transforms(self) -> TransformTree:
        # Read ahead, so that a late transform only has to be put in its place.
        tolerance_ns = round(self._config.pose_tolerance_s * 1e9)
        tree = TransformTree(tolerance_ns, capacity=0, jump_ns=0)
        for topic, log_ns, raw in self._bag.messages(find_tf_topics(self._bag)):
            is_static = topic.endswith("static")
            for stamped in self._bag.decode(topic, raw).transforms:
                stamp = used_stamp_ns(stamped.header, log_ns, self._config.stamps)
                try:
                    tree.add(
                        stamped.header.frame_id,
                        stamped.child_frame_id,
                        stamp,
                        decode_transform(stamped),
                        is_static,
                    )
                except SourceError as error:
                    self._leave_out(topic, stamp, error)
        return tree

    def _read_topic(self, topic: str) -> TopicPoses:
        poses = TopicPoses(topic, self._config, self._tree, capacity=0, jump_ns=0)
        for name, log_ns, raw in self._bag.messages([topic]):
            message = self._bag.decode(name, raw)
            stamp = used_stamp_ns(message.header, log_ns, self._config.stamps)
            try:
                poses.add(message, stamp)
            except SourceError as error:
                self._leave_out(topic, stamp, error)
        return poses

    def _leave_out(self, topic: str, stamp: int, error: SourceError) -> None:
        note = f"{topic} at {stamp} ns: {error}"
        if not self._bad:
            _log.warning("bag %s: left out a pose, %s", self._bag.path, note)
        self._bad.append(note)

    def _choose(self) -> CameraPoses:
        """Take the configured source: what is named, else TF if it serves, else a topic."""
        config, bag = self._config, self._bag
        wanted, is_named = config.pose_source, bool(config.pose_topic or config.odom_topic)
        tf = TfPoses(config, self._tree, self._world_in_tree())
        if wanted == "tf" or (wanted == "auto" and not is_named and self._tf_serves(tf)):
            return self._of_transforms(tf)
        topics = self._topics()
        chosen = preferred_topic(topics, self._camera_frame)
        if chosen is not None:
            return self._of_topic(chosen)
        if wanted == "auto" and self._is_in_global_frame():
            _log.warning("bag %s: the camera does not move, by all transforms", bag.path)
            return self._of_transforms(tf)
        raise SourceError(
            f"bag {bag.path}: no poses for the camera {self._camera_frame!r} with pose_source "
            f"{wanted}: expected {self._expected()}{self._frame_hint(self._camera_frame)}; "
            f"{topic_list(bag)}{self._bad_note()}"
        )

    def _topics(self) -> list[TopicPoses]:
        """Read the topics of poses that may be used, by falling preference."""
        config, wanted = self._config, self._config.pose_source
        is_named = {"pose": bool(config.pose_topic), "odom": bool(config.odom_topic)}
        found = {
            "pose": find_pose_topic(self._bag, config.pose_topic, POSES),
            "odom": find_pose_topic(self._bag, config.odom_topic, (ODOMETRY,)),
        }
        kinds = [wanted] if wanted != "auto" else [kind for kind in found if is_named[kind]]
        return [self._read_topic(found[kind]) for kind in kinds or found if found[kind]]

    def _tf_serves(self, tf: TfPoses) -> bool:
        """Decide whether TF says how the camera moves through the world."""
        if not tf.tells_motion(self._mounting):
            return False
        if tf.world_frame == bare_frame_id(self._config.global_frame):
            return True
        # A tree that ends at the body holds moving parts of the robot, not its way.
        bodies = {bare_frame_id(self._config.pose_frame)}
        for topic in self._bag.of_type(ODOMETRY, *POSES):
            bodies.add(bare_frame_id(getattr(self._bag.first(topic.name), "child_frame_id", "")))
        return tf.world_frame not in bodies

    def _is_in_global_frame(self) -> bool:
        world = self._config.global_frame
        return world in self._tree and self._tree.is_connected(world, self._camera_frame)

    def _world_in_tree(self) -> str:
        if self._is_in_global_frame():
            return bare_frame_id(self._config.global_frame)
        return self._tree.root(self._camera_frame)

    def _of_transforms(self, tf: TfPoses) -> TfPoses:
        tracked = tf.tracked_frame(self._mounting)
        if tracked not in self._tree:
            raise SourceError(
                f"bag {self._bag.path}: no transform of the camera {tracked!r}: "
                f"expected it on /tf or /tf_static{self._frame_hint(tracked)}; "
                f"{topic_list(self._bag)}{self._bad_note()}"
            )
        if tf.world_frame != bare_frame_id(self._config.global_frame):
            _log.warning(
                "bag %s: global_frame %r is not joined to the camera %r by TF; the root of its "
                "tree, %r, is the world",
                self._bag.path,
                self._config.global_frame,
                self._camera_frame,
                tf.world_frame,
            )
        return tf

    def _frame_hint(self, frame: str) -> str:
        """Return which frame id of TF may be meant, with the setting that says so."""
        known = self._tree.frame_ids
        if frame in known:
            return ""
        near = difflib.get_close_matches(frame, known, n=1)
        near = near or [name for name in known if "optical" in name][:1]
        setting = "source.rosbag.camera_frame"
        if near:
            return f" (TF has {near[0]!r}; {setting}={near[0]} if that is the camera)"
        shown = ", ".join(known[:12])
        return f" (TF has {shown}; {setting} says which is the camera)" if known else ""

    def _is_turned_to_optical(self, frame: str, child: str) -> bool:
        try:
            body_from_optical = self._tree.lookup(frame, child, 0)
        except SourceError:
            return False
        return bool(np.abs(body_from_optical[:3, :3] - _BODY_FROM_OPTICAL).max() < 0.1)

    def _of_topic(self, topic: TopicPoses) -> TopicPoses:
        configured = bare_frame_id(self._config.pose_frame)
        is_joined = configured in ("", self._camera_frame) or topic.names_body_of(
            self._camera_frame
        )
        if not is_joined and not self._mounting.is_configured:
            raise ConfigError(
                f"pose_frame {configured!r}: the bag {self._bag.path} has no transform from it to "
                f"the camera {self._camera_frame!r}; expected one, or body_from_camera"
            )
        try:
            topic.check(self._mounting)
        except SourceError as error:
            raise SourceError(f"bag {self._bag.path}: {error}{self._bad_note()}") from error
        return topic

    def _expected(self) -> str:
        topics = {"pose": f"a topic of {', '.join(POSES)}", "odom": f"a topic of {ODOMETRY}"}
        tf = f"transforms that join {self._config.global_frame!r} to the camera"
        return topics.get(self._config.pose_source, f"{tf}, {topics['pose']}, or {topics['odom']}")

    def _bad_note(self) -> str:
        return f"; left out {self._bad[0]}" if self._bad else ""
