# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where a camera was at a stamp, by a topic of poses or by TF: one policy for bags and topics.

Poses are interpolated between their stamps and never extrapolated. A pose counts by the frame ids
that its own message has. What is not known is an error, never a guess.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.sources.bags.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.bags.transforms import bare_frame_id
from ineus_core.sources.pose_track import PoseTrack, TransformNotYet, TransformUnknown

_log = logging.getLogger(__name__)

_BODY_FROM_OPTICAL = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], dtype=np.float64)
_FRAMES = 8
"""Pairs of frame ids that the poses of a topic may have at a time; the oldest goes first."""
NO_FRAME_ID = "images have no frame id, and camera_info has none: expected one, or camera_frame"
_HINT = (
    "expected one on /tf_static, body_from_camera, or the frame id of the camera as pose_frame "
    "if the poses are the camera's"
)


class PoseSettings(Protocol):
    """What the configurations of bags and of the node both say about poses."""

    @property
    def global_frame(self) -> str:
        """Frame id of the world."""

    @property
    def pose_frame(self) -> str:
        """Frame id of the body that poses describe; empty: that of the message."""

    @property
    def pose_tolerance_s(self) -> float:
        """Longest time between a stamp and the nearest pose."""


class FrameTree(Protocol):
    """A tree of frame ids, as TF has it."""

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Return `target_from_source` at a stamp; `TransformNotYet` if it may still come."""
        ...

    def is_connected(self, target: str, source: str) -> bool:
        """Decide whether there is a way, at whatever stamp."""
        ...

    def moves(self, target: str, source: str) -> bool:
        """Decide whether a link of the way, which there must be, is not static."""
        ...

    def children(self, frame_id: str) -> list[str]:
        """Return the frame ids right below one."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether no transform at all has come: this robot has no TF."""
        ...


@dataclass(frozen=True)
class Mounting:
    """Where a camera sits on the body that carries it."""

    camera_frame: str
    """Frame id of the image that is to be placed."""
    body_from_camera: Float[np.ndarray, "4 4"]
    """As configured, else the identity."""
    is_configured: bool
    """Whether the configuration tells; else it is left to TF."""


class CameraPoses(Protocol):
    """Something that knows where a camera was."""

    def world_from_camera(self, stamp: int, mounting: Mounting) -> np.ndarray:
        """Return the pose [4 4] at a stamp in ns.

        Raises:
            TransformNotYet: If it may still come.
            SourceError: If it will not.
        """
        ...

    @property
    def world_frame(self) -> str:
        """Frame id of the world that the poses are in."""
        ...


class TopicPoses:
    """Poses of one topic, interpolated to the stamp of the image.

    Args:
        topic: Its name, for messages.
        tf: Joins frame ids, where there is TF.
        may_wait: Decides whether TF may still come to know a frame id.
        is_rig: There are several cameras, which cannot all be the body.
        is_named: Somebody has said that the poses come on this topic.
        capacity: Poses held for each pair of frame ids; 0 is all of them.
        jump_ns: A stamp so far behind the newest one is a restarted clock, before which all is
            forgotten; 0: poses are read ahead, so that stamps only have to be put in order.
    """

    def __init__(
        self,
        topic: str,
        settings: PoseSettings,
        tf: FrameTree | None,
        *,
        may_wait: Callable[[str], bool] = lambda frame_id: False,
        is_rig: bool = False,
        is_named: bool = False,
        capacity: int = 10_000,
        jump_ns: int = 1_000_000_000,
    ) -> None:
        """Start without poses."""
        self.topic = topic
        self.received = 0
        self._tf, self._may_wait, self._is_rig = tf, may_wait, is_rig
        self._is_named, self._leaves_body_out = is_named, False
        self._pose_frame = bare_frame_id(settings.pose_frame)
        self._tolerance_ns = round(settings.pose_tolerance_s * 1e9)
        self._capacity, self._jump_ns = capacity, jump_ns
        self._tracks: dict[tuple[str, str], PoseTrack] = {}
        self._world_frame = bare_frame_id(settings.global_frame)
        self._is_world_used = False
        self._mountings: dict[tuple[str, str], np.ndarray] = {}

    @property
    def world_frame(self) -> str:
        """The global frame, or the frame of the first poses where nothing joins the two."""
        return self._world_frame

    @property
    def bodies(self) -> set[str]:
        """Frame ids of the bodies that the poses are of; empty of messages that name none."""
        return {body for _, body in self._tracks}

    def add(self, message: Any, stamp: int = 0) -> None:
        """Take a message with one pose.

        Args:
            stamp: Its time in ns; 0: that of its header.

        Raises:
            SourceError: The pose is none; it is left out.
        """
        stamp = stamp or stamp_ns(message.header)
        frame_from_body = decode_transform(message)
        named = bare_frame_id(getattr(message, "child_frame_id", ""))
        # Odometry could say what it is of; a PoseStamped could not.
        self._leaves_body_out |= hasattr(message, "child_frame_id") and not named
        body = self._pose_frame or named
        # Poses between other frames are another track: between the two nothing may be
        # interpolated.
        key = bare_frame_id(message.header.frame_id), body
        newest = [t.newest_ns for t in self._tracks.values() if t.newest_ns is not None]
        # What was told before is of another run of the clock, in whatever frame.
        if self._jump_ns and newest and stamp < max(newest) - self._jump_ns:
            self._tracks.clear()
        track = self._tracks.pop(key, None) or PoseTrack(self._tolerance_ns, self._capacity, 0)
        track.add(stamp, frame_from_body)
        self._tracks[key] = track
        if len(self._tracks) > _FRAMES:
            # A dict keeps the order; a track that is used is put last above.
            del self._tracks[next(iter(self._tracks))]
        self.received += 1

    def names_body_of(self, camera_frame: str) -> bool:
        """Decide whether the poses are of the camera, or of a body that TF joins to it."""
        tf = self._tf
        return any(
            body == camera_frame or (tf is not None and tf.is_connected(body, camera_frame))
            for body in self.bodies
            if body
        )

    def is_seen_from(self, camera_frame: str) -> bool:
        """Decide whether all poses are given in a frame that moves with the camera.

        So are those of markers and objects that the camera sees, which do not say where it is.
        """
        frames = [frame for frame, _ in self._tracks]
        return bool(frames) and all(self._moves_with(frame, camera_frame) for frame in frames)

    def world_from_camera(self, stamp: int, mounting: Mounting) -> Float[np.ndarray, "4 4"]:
        """Return the interpolated pose with what TF or the configuration knows beside it."""
        frame, body, frame_from_body = self._pose_at(stamp)
        self._refuse_if_seen(frame, mounting.camera_frame)
        world_from_body = frame_from_body
        if not self._is_world(frame):
            assert self._tf is not None
            world_from_body = self._tf.lookup(self.world_frame, frame, stamp) @ frame_from_body
        body_from_camera = self._body_from_camera(body, mounting)
        if body_from_camera is None:
            assert self._tf is not None
            body_from_camera = self._tf.lookup(body, mounting.camera_frame, stamp)
        return world_from_body @ body_from_camera

    def check(self, mounting: Mounting) -> None:
        """Raise what would be raised at every stamp because frame ids are not joined."""
        for frame, body in self._tracks:
            self._refuse_if_seen(frame, mounting.camera_frame)
            self._is_world(frame)
            self._body_from_camera(body, mounting)

    def _pose_at(self, stamp: int) -> tuple[str, str, np.ndarray]:
        """Return the frame ids and the pose of the track that is nearest to a stamp."""
        found: list[tuple[int, str, str, np.ndarray]] = []
        # Not the errors themselves: each refers to this call, whose list would refer to it, and so
        # the images of who asks would stay until Python looks for such circles.
        failures: list[tuple[type[TransformNotYet | TransformUnknown], str]] = []
        for (frame, body), track in self._tracks.items():
            try:
                pose = track.at(stamp)
            except (TransformNotYet, TransformUnknown) as error:
                failures.append((type(error), str(error)))
            else:
                found.append((track.distance_ns(stamp), frame, body, pose))
        # Two publishers may share a topic: the nearer pose decides, not the louder publisher.
        if found:
            return min(found, key=lambda entry: entry[0])[1:]
        # Of frame ids that have changed, the former ones will not come back.
        failures.sort(key=lambda failure: failure[0] is TransformNotYet)
        kind, message = failures[0] if failures else (TransformNotYet, "")
        raise kind(message or f"no pose yet on {self.topic}")

    def _refuse_if_seen(self, frame: str, camera_frame: str) -> None:
        """Raise if a frame moves with the camera; who named the topic knows better."""
        if not self._is_named and self._moves_with(frame, camera_frame):
            raise TransformUnknown(
                f"poses of {self.topic} are given in {frame!r}, which moves with the camera "
                f"{camera_frame!r}: they say where something is that it sees, not where it is; "
                "expected poses in a frame of the world"
            )

    def _moves_with(self, frame: str, camera_frame: str) -> bool:
        if not frame or frame == self._world_frame:
            return False
        if frame == camera_frame:
            return True
        tf = self._tf
        if tf is None or not tf.is_connected(frame, camera_frame):
            return False
        return not tf.moves(frame, camera_frame)

    def _is_world(self, frame: str) -> bool:
        """Decide whether a frame id is the world's; if it is not, TF joins the two.

        The first poses give the world its frame id where nothing joins them to the global frame.
        From then on poses in a frame that is not joined to it are refused.
        """
        world = self._world_frame
        if frame in ("", world):
            self._is_world_used = True
            return True
        unknown = f"no transform joins {frame!r} of {self.topic} to the world {world!r}"
        if self._tf is not None:
            if self._tf.is_connected(world, frame):
                self._is_world_used = True
                return False
            if self._may_wait(frame):
                raise TransformNotYet(unknown)
        # Frames that were placed already are in the other one.
        if self._is_world_used:
            raise TransformUnknown(unknown)
        _log.warning("%s: the mesh is built in %r", unknown, frame)
        self._world_frame, self._is_world_used = frame, True
        return True

    def _body_from_camera(self, body: str, mounting: Mounting) -> np.ndarray | None:
        """Return the place of the camera on a body; None: TF tells it at each stamp.

        Where there is no TF at all the poses count as the camera's own, which is said once.
        """
        camera, configured = mounting.camera_frame, mounting.body_from_camera
        # Several cameras cannot all be what the poses describe.
        if not body and self._is_rig and not mounting.is_configured:
            raise TransformUnknown(
                f"{self.topic} does not name the body that carries the cameras: "
                "expected body_from_cameras or pose_frame"
            )
        has_tf = self._tf is not None and not self._tf.is_empty
        if not body and self._leaves_body_out and has_tf and not mounting.is_configured:
            raise TransformNotYet(
                f"{self.topic} does not name the body of its poses (child_frame_id is empty), and "
                f"TF has other frames than the camera {camera!r}: {_HINT}, or its body"
            )
        if body in ("", camera):
            return configured
        if (body, camera) in self._mountings:
            return self._mountings[body, camera]
        unknown = f"no transform joins {body!r} of {self.topic} to the camera {camera!r}"
        if self._tf is not None:
            if self._tf.is_connected(body, camera):
                return None
            # Who has TF moves his camera on a body: its poses are hardly those of the camera.
            is_needed = has_tf and not mounting.is_configured
            if is_needed or self._may_wait(body):
                raise TransformNotYet(f"{unknown}: {_HINT}")
        if mounting.is_configured:
            _log.info("%s: body_from_camera is as configured", unknown)
        else:
            _log.warning("%s; taking its poses as those of the camera, else %s", unknown, _HINT)
        self._mountings[body, camera] = configured
        return configured


class TfPoses:
    """Poses from TF alone.

    Args:
        world_frame: Frame id of the world.
    """

    def __init__(self, settings: PoseSettings, tf: FrameTree, world_frame: str) -> None:
        """Look up in `tf`."""
        self._pose_frame = bare_frame_id(settings.pose_frame)
        self._tf = tf
        self.world_frame = world_frame

    def tracked_frame(self, mounting: Mounting) -> str:
        """Return the frame id to look up: the camera's, or `pose_frame` if TF ends there."""
        is_told = self._pose_frame and mounting.is_configured
        return self._pose_frame if is_told else mounting.camera_frame

    def world_from_camera(self, stamp: int, mounting: Mounting) -> Float[np.ndarray, "4 4"]:
        """Look up the way from the camera, or from `pose_frame` and on as configured."""
        if not self.tracked_frame(mounting):
            raise TransformUnknown(NO_FRAME_ID)
        world_from_body = self._tf.lookup(self.world_frame, self.tracked_frame(mounting), stamp)
        if self.tracked_frame(mounting) == mounting.camera_frame:
            return world_from_body
        return world_from_body @ mounting.body_from_camera

    def is_joined(self, mounting: Mounting) -> bool:
        """Decide whether TF joins the camera to the world."""
        return self._tf.is_connected(self.world_frame, self.tracked_frame(mounting))

    def tells_motion(self, mounting: Mounting) -> bool:
        """Decide whether TF says how the camera moves, not only how it is mounted."""
        frame = self.tracked_frame(mounting)
        return self.is_joined(mounting) and self._tf.moves(self.world_frame, frame)


def optical_frame_below(tf: FrameTree, frame_id: str) -> str:
    """Return the optical frame of a camera whose images name the frame of its body; else "".

    The two share a place, and differ in axes as REP 103 has them.
    """
    if "optical" in frame_id or not frame_id:
        return ""
    for child in tf.children(frame_id):
        try:
            body_from_optical = tf.lookup(frame_id, child, 0)
        except SourceError:
            continue
        is_turned = np.abs(body_from_optical[:3, :3] - _BODY_FROM_OPTICAL).max() < 0.1
        if "optical" in child and is_turned:
            return child
    return ""


def preferred_topic(topics: list[TopicPoses], camera_frame: str) -> TopicPoses | None:
    """Choose among the topics that have poses, which are given by falling preference.

    One that names the body of its poses, from which TF leads to the camera, goes before one that
    may be of anything, such as a marker or a goal, and that before what the camera sees.
    """
    with_poses = [topic for topic in topics if topic.received]
    sure = [topic for topic in with_poses if topic.names_body_of(camera_frame)]
    possible = [topic for topic in with_poses if not topic.is_seen_from(camera_frame)]
    return next(iter(sure or possible or with_poses), None)
