# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of the camera over the time of a bag: from TF, a pose topic or odometry, read ahead."""

import dataclasses
import difflib
import logging
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, field_validator

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.ros_config import PoseSource, with_unit_quaternions
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.pose_policy import (
    CameraPoses,
    Mounting,
    TfPoses,
    TopicPoses,
    optical_frame_below,
    preferred_topic,
)
from ineus_core.sources.bags.ros_messages import used_stamp_ns
from ineus_core.sources.bags.tf_reading import BagTransforms, leave_out
from ineus_core.sources.bags.topics import (
    ODOMETRY,
    POSES,
    find_pose_topics,
    topic_list,
    topics_within,
)
from ineus_core.sources.bags.transforms import bare_frame_id

_log = logging.getLogger(__name__)


class PoseConfig(ConfigModel):
    """Where the poses of a bag come from."""

    pose_topic: str = Field(
        default="", description="Topic of poses; empty: found by type and name"
    )
    odom_topic: str = Field(
        default="", description="Topic of odometry; empty: found by type and name"
    )
    pose_source: PoseSource = Field(
        default="auto",
        description="What gives the poses: tf, odom, or a topic of poses; auto: the topic that is "
        "named, else TF if the camera moves by it, else a topic",
    )
    stamps: Literal["header", "recording"] = Field(
        default="header",
        description="Times of images, poses and transforms: those of their headers, or when they "
        "were recorded, for clocks that do not agree or were set back",
    )
    namespace: str = Field(
        default="", description="Topics of this namespace alone are used; empty: those of all"
    )
    global_frame: str = Field(
        default="odom",
        description="Frame id of the world; unless it is set, a frame above it that corrects its "
        "drift, such as map above odom",
    )
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
    body_from_cameras: tuple[float, ...] = Field(
        default=(),
        description="body_from_camera of each of several cameras, 7 numbers for each; empty: TF "
        "tells",
    )
    pose_tolerance_s: float = Field(
        default=0.1,
        gt=0,
        description="Longest time between an image and the nearest pose, in seconds; poses that "
        "come more slowly are interpolated as long as the gap is a usual one",
    )

    @field_validator("body_from_camera", "body_from_cameras")
    @classmethod
    def _has_a_rotation(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return with_unit_quaternions(value)


class BagPoses:
    """Poses of the cameras by stamp.

    Args:
        camera_frames: Frame ids of the colour images of each camera; one of an image without any
            frame id.
        transforms: Of the bag.
    """

    def __init__(
        self,
        bag: BagFile,
        config: PoseConfig,
        camera_frames: Sequence[str],
        transforms: BagTransforms,
    ) -> None:
        """Choose the source of poses, and read it."""
        self._bag = bag
        self._transforms, self._tree = transforms, transforms.tree
        self._bad = list(transforms.bad)
        frames = [bare_frame_id(frame) for frame in camera_frames]
        self._mountings = [_mounting(config, index, name) for index, name in enumerate(frames)]
        self._mounting, self._camera_frame = self._mountings[0], frames[0]
        self._config = config.model_copy(update={"global_frame": self._world(config)})
        self._refuse_several_robots()
        self._source = self._choose()
        _log.info("bag %s: poses from %s", bag.path, self.description)

    @property
    def world_frame(self) -> str:
        """Frame id of the world."""
        return self._source.world_frame

    @property
    def description(self) -> str:
        """What the poses come from."""
        left_out = f"; {self.bad_poses} bad ones left out" if self.bad_poses else ""
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

    def at(
        self, stamp: int, camera_frame: str = "", camera_id: int = 0
    ) -> Float[np.ndarray, "4 4"]:
        """Return `world_from_camera` at a stamp.

        Args:
            camera_frame: Frame id of the image, where it has one.
            camera_id: Which of the cameras.

        Raises:
            SourceError: If there is no pose at the stamp.
        """
        mounting = self._mountings[camera_id]
        frame = bare_frame_id(camera_frame) or mounting.camera_frame
        return self._source.world_from_camera(
            stamp, dataclasses.replace(mounting, camera_frame=frame)
        )

    def warn_of_body_axes(self) -> None:
        """Say that images are in a frame below which TF has an optical one of its own."""
        frame, child = self._camera_frame, optical_frame_below(self._tree, self._camera_frame)
        if child:
            _log.warning(
                "bag %s: images are in frame %r, below which TF has %r; if the first has x "
                "ahead (REP 103), source.rosbag.camera_frame=%s is meant",
                *(self._bag.path, frame, child, child),
            )

    def _world(self, config: PoseConfig) -> str:
        """Return the frame id of the world: as configured, or what corrects its drift.

        Offline the corrections are known before the first frame is placed.
        """
        world = bare_frame_id(config.global_frame)
        if "global_frame" in config.model_fields_set or world not in self._tree:
            return world
        top = self._tree.corrected(world)
        if top != world:
            _log.info("bag %s: the world is %r, which corrects %r", self._bag.path, top, world)
        return top

    def _refuse_several_robots(self) -> None:
        names = [name for m in self._mountings for name in self._tree.ancestors(m.camera_frame)]
        found = self._transforms.robots_that_share(names)
        if found is not None:
            frame_id, namespaces = found
            raise SourceError(
                f"bag {self._bag.path}: TF of {' and '.join(namespaces)} both have a frame "
                f"{frame_id!r}, and differ: expected one robot; source.rosbag.namespace="
                f"{namespaces[0].strip('/') or namespaces[1].strip('/')} chooses it"
            )

    def _read_topic(self, topic: str) -> TopicPoses:
        is_named = topic.lstrip("/") in {
            self._config.pose_topic.lstrip("/"),
            self._config.odom_topic.lstrip("/"),
        }
        poses = TopicPoses(
            topic,
            self._config,
            self._tree,
            is_rig=len(self._mountings) > 1,
            is_named=is_named,
            # A bag is read as a whole before its images.
            capacity=0,
            jump_ns=0,
        )
        for name, log_ns, raw in self._bag.messages([topic]):
            message = self._bag.decode(name, raw)
            stamp = used_stamp_ns(message.header, log_ns, self._config.stamps)
            try:
                poses.add(message, stamp)
            except SourceError as error:
                leave_out(self._bag, self._bad, f"{topic} at {stamp} ns: {error}")
        return poses

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
            f"bag {bag.path}: no poses for {self._camera_in_words()} with pose_source "
            f"{wanted}: expected {self._expected()}{self._frame_hint(self._camera_frame)}; "
            f"{topic_list(bag)}{self._bad_note()}"
        )

    def _camera_in_words(self) -> str:
        if not self._camera_frame:
            return "the camera, whose images and camera_info have no frame id,"
        return f"the camera {self._camera_frame!r}"

    def _topics(self) -> list[TopicPoses]:
        """Read the topics of poses that may be used, by falling preference."""
        config, bag = self._config, self._bag
        wanted = config.pose_source
        is_named = {"pose": bool(config.pose_topic), "odom": bool(config.odom_topic)}
        found = {
            "pose": find_pose_topics(bag, config.pose_topic, POSES, config.namespace),
            "odom": find_pose_topics(bag, config.odom_topic, (ODOMETRY,), config.namespace),
        }
        if wanted == "auto":
            kinds = [kind for kind in found if is_named[kind]]
        else:
            kinds = ["odom" if wanted == "odom" else "pose"]
        return [self._read_topic(topic) for kind in kinds or found for topic in found[kind]]

    def _tf_serves(self, tf: TfPoses) -> bool:
        """Decide whether TF says how the camera moves through the world."""
        if not tf.tells_motion(self._mounting):
            return False
        if tf.world_frame == bare_frame_id(self._config.global_frame):
            return True
        # A tree that ends at the body holds moving parts of the robot, not its way.
        bodies = {bare_frame_id(self._config.pose_frame)}
        for topic in topics_within(self._bag, (self._config.namespace,), ODOMETRY, *POSES):
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
        # The likeliest mistake: a name that differs by a prefix or a letter.
        near = difflib.get_close_matches(frame, known, n=1)
        near = near or [name for name in known if "optical" in name][:1]
        setting = "source.rosbag.camera_frame"
        if near:
            return f" (TF has {near[0]!r}; {setting}={near[0]} if that is the camera)"
        shown = ", ".join(known[:12])
        return f" (TF has {shown}; {setting} says which is the camera)" if known else ""

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
        pose, odom = f"a topic of {', '.join(POSES)}", f"a topic of {ODOMETRY}"
        tf = f"transforms that join {self._config.global_frame!r} to the camera"
        wanted = self._config.pose_source
        if wanted == "auto":
            return f"{tf}, {pose}, or {odom}"
        return odom if wanted == "odom" else tf if wanted == "tf" else pose

    def _bad_note(self) -> str:
        return f"; left out {self._bad[0]}" if self._bad else ""


def _mounting(config: PoseConfig, camera_id: int, camera_frame: str) -> Mounting:
    """Return where a camera sits, as the configuration says."""
    numbers = np.array(config.body_from_camera)
    if config.body_from_cameras:
        # Seven for each: parameters of ROS have no lists of lists.
        numbers = np.array(config.body_from_cameras[7 * camera_id : 7 * camera_id + 7])
    place = rigid_transform(numbers[:3], numbers[3:]) if len(numbers) else np.eye(4)
    return Mounting(camera_frame, place, is_configured=bool(len(numbers)))
