# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""TF by whatever is installed: tf2_ros, else our own tree fed by /tf, else none."""

import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time

from ineus_core.errors import SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.pose_policy import FrameTree
from ineus_core.sources.bags.ros_messages import decode_transform, stamp_ns
from ineus_core.sources.bags.transforms import TransformTree
from ineus_core.sources.pose_track import TransformNotYet, TransformUnknown
from ineus_ros.drops import Drops
from ineus_ros.inputs.receipt import ReceiptTimes
from ineus_ros.origin_name import origin_frame_name
from ineus_ros.qos import latched

# tf2_ros lists no children, but its text for people names the parent of each frame.
_PARENT = re.compile(r"^Frame (.+) exists with parent (.+)\.$", re.MULTILINE)


class Tf(FrameTree, Protocol):
    """A tree of frame ids that follows /tf."""

    def forget(self) -> None:
        """Drop what moves, as after a jump of the clock, before which all was later."""
        ...


def make_tf(
    node: Node,
    config: RosConfig,
    drops: Drops,
    on_transform: Callable[[], None],
    receipt: ReceiptTimes | None = None,
) -> Tf | None:
    """Listen to TF if its packages are installed.

    Args:
        on_transform: Called after new transforms, where our own tree is used.
        receipt: Stamps transforms that need it; made here if not given.
    """
    try:
        import tf2_ros
    except ImportError:
        pass
    else:
        # Its listener goes by the headers alone.
        if config.stamps == "header":
            return BufferTf(node, tf2_ros)
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    receipt = receipt or ReceiptTimes(node, config)
    return TreeTf(node, config, TFMessage, drops, on_transform, receipt)


class BufferTf:
    """TF as tf2_ros holds it."""

    def __init__(self, node: Node, tf2_ros: Any) -> None:
        """Listen on the node's own executor; a thread of its own would end in a traceback."""
        self._ours = origin_frame_name(node)
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)
        self._error: type[Exception] = tf2_ros.TransformException

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Ask the buffer, without waiting."""
        # tf2 takes the stamp 0 for the newest transform, so a recording begins one ns later.
        at = Time(nanoseconds=max(stamp_ns, 1))
        try:
            found = self._buffer.lookup_transform(target, source, at)
        except self._error as error:
            # Its errors do not tell what may still come from what cannot, so all of it is waited
            # for.
            raise TransformNotYet(str(error)) from error
        return decode_transform(found)

    def is_connected(self, target: str, source: str) -> bool:
        """Ask the buffer for the newest transform."""
        return bool(self._buffer.can_transform(target, source, Time()))

    def moves(self, target: str, source: str) -> bool:
        """Ask for the beginning of time, at which only what is static is known."""
        return not self._buffer.can_transform(target, source, Time(nanoseconds=1))

    def children(self, frame_id: str) -> list[str]:
        """Read them off what the buffer says of all frames."""
        said = _PARENT.findall(self._buffer.all_frames_as_string())
        return sorted(child for child, parent in said if parent == frame_id)

    @property
    def is_empty(self) -> bool:
        """Whether the buffer knows of no frame but ours."""
        lines = self._buffer.all_frames_as_string().splitlines()
        # Our own transform of the origin says nothing of the robot's.
        return all(line.startswith(f"Frame {self._ours} ") for line in lines if line.strip())

    def forget(self) -> None:
        """Clear the buffer: tf2 refuses what is older than the ten seconds that it holds."""
        self._buffer.clear()


class TreeTf:
    """TF as our own tree holds it."""

    def __init__(
        self,
        node: Node,
        config: RosConfig,
        message_type: type,
        drops: Drops,
        on_transform: Callable[[], None],
        receipt: ReceiptTimes | None = None,
    ) -> None:
        """Subscribe to /tf and /tf_static."""
        self._receipt = receipt or ReceiptTimes(node, config)
        self._tree = TransformTree(round(config.pose_tolerance_s * 1e9))
        self._drops = drops
        self._ours = origin_frame_name(node)
        self._is_silent = True
        self._on_transform = on_transform
        # Reliable, as TF is published; static transforms come once, before this node as well.
        node.create_subscription(message_type, "/tf", self.on_moving, QoSProfile(depth=100))
        node.create_subscription(message_type, "/tf_static", self.on_static, latched(100))

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Ask the tree; what is unknown now may be told later."""
        try:
            return self._tree.lookup(target, source, stamp_ns)
        except TransformUnknown as error:
            raise TransformNotYet(str(error)) from error

    def is_connected(self, target: str, source: str) -> bool:
        """Ask the tree."""
        return self._tree.is_connected(target, source)

    def moves(self, target: str, source: str) -> bool:
        """Ask the tree."""
        return self._tree.moves(target, source)

    def children(self, frame_id: str) -> list[str]:
        """Ask the tree."""
        return self._tree.children(frame_id)

    @property
    def is_empty(self) -> bool:
        """Whether neither topic has told anything."""
        return self._is_silent

    def forget(self) -> None:
        """Forget what moves; static transforms stay."""
        self._tree.clear()

    def on_moving(self, message: Any) -> None:
        """Take a message of /tf."""
        self._take(message, static=False)

    def on_static(self, message: Any) -> None:
        """Take a message of /tf_static."""
        self._take(message, static=True)

    def _take(self, message: Any, static: bool) -> None:
        others = (link for link in message.transforms if link.child_frame_id != self._ours)
        self._is_silent = self._is_silent and not any(others)
        for link in message.transforms:
            if not static:
                self._receipt.stamp(link.header, f"tf {link.child_frame_id}")
            try:
                self._tree.add(
                    link.header.frame_id,
                    link.child_frame_id,
                    stamp_ns(link.header),
                    decode_transform(link.transform),
                    static,
                )
            except SourceError as error:
                self._drops.add("bad_pose", error)
        self._on_transform()
