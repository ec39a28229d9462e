# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of the camera over the time of a bag: from TF, a pose topic or odometry, read ahead."""

import logging
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, field_validator

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.ros_config import with_unit_quaternions
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.bags.topics import (
    ODOMETRY,
    POSES,
    find_pose_topic,
    find_tf_topics,
    topic_list,
)
from ineus_core.sources.bags.transforms import PoseTrack, TransformTree, bare_frame_id

_log = logging.getLogger(__name__)


class PoseConfig(ConfigModel):
    """Where the poses of a bag come from."""

    pose_topic: str = Field(
        default="", description="Topic of poses; empty: found by type and name"
    )
    odom_topic: str = Field(
        default="", description="Topic of odometry; empty: found by type and name"
    )
    pose_source: Literal["auto", "tf", "pose", "odom"] = Field(
        default="auto", description="What gives the poses: tf, pose, odom, or the first there is"
    )
    global_frame: str = Field(
        default="odom", description="Frame id of the world, for poses from TF"
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
    pose_tolerance_s: float = Field(
        default=0.1,
        gt=0,
        description="Longest time between an image and the nearest pose, in seconds",
    )

    @field_validator("body_from_camera")
    @classmethod
    def _has_a_rotation(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return with_unit_quaternions(value)


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
        self._tolerance_ns = round(config.pose_tolerance_s * 1e9)
        self._bad_links: dict[str, str] = {}
        self._tree = self._read_transforms()
        self._track: PoseTrack | None = None
        self._body_frame = ""
        mounting = config.body_from_camera
        self._body_from_camera = (
            rigid_transform(np.array(mounting[:3]), np.array(mounting[3:]))
            if mounting
            else np.eye(4)
        )
        self.world_frame = ""
        """Frame id of the world."""
        self.description = ""
        """What the poses come from."""
        self._choose()

    def at(self, stamp: int) -> Float[np.ndarray, "4 4"]:
        """`world_from_camera` at a stamp.

        Raises:
            SourceError: If there is no pose at the stamp.
        """
        if self._track is None:
            return self._tree.lookup(self.world_frame, self._camera_frame, stamp)
        world_from_body = self._track.at(stamp)
        if not self._body_frame:
            return world_from_body @ self._body_from_camera
        return world_from_body @ self._tree.lookup(self._body_frame, self._camera_frame, stamp)

    def _read_transforms(self) -> TransformTree:
        tree = TransformTree(self._tolerance_ns, capacity=0, jump_ns=0)
        for topic, log_ns, raw in self._bag.messages(find_tf_topics(self._bag)):
            is_static = topic.endswith("static")
            for stamped in self._bag.decode(topic, raw).transforms:
                stamp = stamp_ns(stamped.header) or log_ns
                try:
                    tree.add(
                        stamped.header.frame_id,
                        stamped.child_frame_id,
                        stamp,
                        decode_transform(stamped),
                        is_static,
                    )
                except SourceError as error:
                    child = bare_frame_id(stamped.child_frame_id)
                    self._bad_links.setdefault(child, f"{topic} at {stamp} ns: {error}")
        return tree

    def _choose(self) -> None:
        """Take the configured source, or the first of tf, pose and odom that there is."""
        wanted, bag = self._config.pose_source, self._bag
        pose_topic = find_pose_topic(bag, self._config.pose_topic, POSES)
        odom_topic = find_pose_topic(bag, self._config.odom_topic, (ODOMETRY,))
        if wanted == "tf" or (wanted == "auto" and self._tf_serves(pose_topic, odom_topic)):
            self._use_transforms()
        elif wanted in ("pose", "auto") and pose_topic:
            self._use_topic(pose_topic)
        elif wanted in ("odom", "auto") and odom_topic:
            self._use_topic(odom_topic)
        elif wanted == "auto" and self._is_in_global_frame():
            _log.warning("bag %s: the camera does not move, by all transforms", bag.path)
            self._use_transforms()
        else:
            raise SourceError(
                f"bag {bag.path}: no poses for the camera {self._camera_frame!r} with pose_source "
                f"{wanted}: expected {self._expected()}; {topic_list(bag)}{self._bad_note()}"
            )
        _log.info("bag %s: poses from %s", bag.path, self.description)

    def _tf_serves(self, pose_topic: str, odom_topic: str) -> bool:
        """Whether TF says how the camera moves through the world, not only how it is mounted."""
        if self._camera_frame not in self._tree:
            return False
        top = self._world_in_tree()
        if not self._tree.moves(top, self._camera_frame):
            return False
        if top == bare_frame_id(self._config.global_frame):
            return True
        # A tree that ends at the body holds moving parts of the robot, not its way.
        bodies = {bare_frame_id(self._config.pose_frame)}
        for topic in filter(None, (pose_topic, odom_topic)):
            bodies.add(bare_frame_id(getattr(self._bag.first(topic), "child_frame_id", "")))
        return top not in bodies

    def _is_in_global_frame(self) -> bool:
        world = self._config.global_frame
        return world in self._tree and self._tree.is_connected(world, self._camera_frame)

    def _world_in_tree(self) -> str:
        if self._is_in_global_frame():
            return bare_frame_id(self._config.global_frame)
        return self._tree.root(self._camera_frame)

    def _use_transforms(self) -> None:
        if self._camera_frame not in self._tree:
            raise SourceError(
                f"bag {self._bag.path}: no transform of the camera {self._camera_frame!r}: "
                f"expected it on /tf or /tf_static; {topic_list(self._bag)}{self._bad_note()}"
            )
        self.world_frame = self._world_in_tree()
        if self.world_frame != bare_frame_id(self._config.global_frame):
            _log.warning(
                "bag %s: global_frame %r is not joined to the camera %r by TF; the root of its "
                "tree, %r, is the world",
                self._bag.path,
                self._config.global_frame,
                self._camera_frame,
                self.world_frame,
            )
        self._refuse_bad_links(self.world_frame)
        self.description = f"TF, {self.world_frame} <- {self._camera_frame}"

    def _use_topic(self, topic: str) -> None:
        self._track = PoseTrack(self._tolerance_ns, capacity=0, jump_ns=0)
        child = ""
        for name, log_ns, raw in self._bag.messages([topic]):
            message = self._bag.decode(name, raw)
            stamp = stamp_ns(message.header) or log_ns
            try:
                self._track.add(stamp, decode_transform(message))
            except SourceError as error:
                raise SourceError(
                    f"bag {self._bag.path}: {topic} at {stamp} ns: {error}"
                ) from error
            child = child or bare_frame_id(getattr(message, "child_frame_id", ""))
            self.world_frame = self.world_frame or bare_frame_id(message.header.frame_id)
        self._body_frame = self._body_of(topic, child)
        self.description = f"{topic}, which describes {self._body_frame or self._camera_frame}"

    def _body_of(self, topic: str, child: str) -> str:
        """Frame id of the body that a topic describes and TF knows, "" if there is none.

        Raises:
            ConfigError: TF does not join the configured body to the camera.
            SourceError: There is TF, but it leaves out the camera.
        """
        configured = bare_frame_id(self._config.pose_frame)
        body = configured or child
        if not body or body == self._camera_frame:
            return ""
        if self._tree.is_connected(body, self._camera_frame):
            self._refuse_bad_links(body)
            return body
        if self._config.body_from_camera:
            return ""
        if configured:
            raise ConfigError(
                f"pose_frame {configured!r}: the bag {self._bag.path} has no transform from it to "
                f"the camera {self._camera_frame!r}; expected one, or body_from_camera"
            )
        unknown = f"bag {self._bag.path}: no transform joins {body!r} of {topic} to the camera"
        if not self._tree.is_empty:
            # Who records TF moves his camera on a body: its poses are hardly those of the camera.
            raise SourceError(
                f"{unknown} {self._camera_frame!r}: expected one on /tf_static, body_from_camera, "
                "or the frame id of the camera as pose_frame if the poses are the camera's"
            )
        _log.warning("%s %r; taking its poses as those of the camera", unknown, self._camera_frame)
        return ""

    def _refuse_bad_links(self, target: str) -> None:
        for child in self._tree.links(target, self._camera_frame):
            if child in self._bad_links:
                raise SourceError(f"bag {self._bag.path}: {self._bad_links[child]}")

    def _expected(self) -> str:
        topics = {"pose": f"a topic of {', '.join(POSES)}", "odom": f"a topic of {ODOMETRY}"}
        tf = f"transforms that join {self._config.global_frame!r} to the camera"
        return topics.get(self._config.pose_source, f"{tf}, {topics['pose']}, or {topics['odom']}")

    def _bad_note(self) -> str:
        return "".join(f"; refused {note}" for note in list(self._bad_links.values())[:1])
