# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The poses that the TF of a bag tells, on a topic: for set-ups whose wheels have no tf2_msgs."""

from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ineus_core.errors import SourceError
from ineus_core.geometry import rotation_to_quaternion
from ineus_core.sources import BagFile, RosbagSource
from ineus_core.sources.bags.ros_messages import stamp_ns
from ineus_core.sources.bags.transforms import bare_frame_id

TF_TYPE = "tf2_msgs/msg/TFMessage"
# Poses are small, and one that is lost may cost its image: a deep queue costs little.
_DEPTH = 200


class CarriedPoses:
    """Publishes where the camera of a bag was when it took each of its images.

    Args:
        topic: Of TransformStamped, whose child frame id is the camera's: it names what it is of,
            and so goes before odometry of a body whose camera nobody knows without TF.

    Raises:
        SourceError: The bag does not tell where its camera is.
    """

    def __init__(self, node: Node, bag: BagFile, topic: str) -> None:
        """Read all poses."""
        self._bag = bag
        # The reader that offline runs have, so that both go by the same poses.
        source = RosbagSource(bag.path)
        self.colour_topic, self._poses = source.cameras[0].colour.name, source.poses
        self._camera_frame = source.cameras[0].frame_id
        self.description = (
            f"poses of {self._camera_frame!r} on {topic}, from {source.poses.description}"
        )
        self._publisher = node.create_publisher(TransformStamped, topic, QoSProfile(depth=_DEPTH))

    def publish(self, raw: bytes) -> bool:
        """Publish the pose of an image that goes out next; False if there is none."""
        header = self._bag.decode(self.colour_topic, raw).header
        frame_id = bare_frame_id(header.frame_id) or self._camera_frame
        try:
            pose = self._poses.at(stamp_ns(header), frame_id)
        # The image goes out all the same, and the node counts it among those without a pose.
        except SourceError:
            return False
        self._publisher.publish(self._message(header, frame_id, pose))
        return True

    def _message(self, header: Any, frame_id: str, pose: Any) -> TransformStamped:
        message = TransformStamped()
        message.header.stamp.sec = int(header.stamp.sec)
        message.header.stamp.nanosec = int(header.stamp.nanosec)
        message.header.frame_id, message.child_frame_id = self._poses.world_frame, frame_id
        place, turn = message.transform.translation, message.transform.rotation
        place.x, place.y, place.z = map(float, pose[:3, 3])
        turn.x, turn.y, turn.z, turn.w = map(float, rotation_to_quaternion(pose[:3, :3]))
        return message
