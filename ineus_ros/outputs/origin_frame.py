# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The frame of clouds in single precision: they count from the origin of the map."""

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node

from ineus_core.reconstruction import MapOrigin
from ineus_ros.origin_name import origin_frame_name
from ineus_ros.qos import latched


class OriginFrame:
    """Names the frame that clouds are in, and tells /tf_static where it lies.

    Up to a kilometre from the origin of the world that is the world's own frame.

    Args:
        world_frame: Gives the frame id of the world.
    """

    def __init__(self, node: Node, world_frame: Callable[[], str]) -> None:
        """Advertise /tf_static, where its messages are installed."""
        self.name = origin_frame_name(node)
        """Of the frame, where it is another than the world's."""
        self._node, self._world_frame = node, world_frame
        self._told: tuple[str, MapOrigin] | None = None
        self._message_type, self._publisher = None, None
        try:
            from tf2_msgs.msg import TFMessage
        except ImportError:
            return
        self._message_type = TFMessage
        self._publisher = node.create_publisher(TFMessage, "/tf_static", latched(1))

    def of(self, origin: MapOrigin) -> str:
        """Return the frame id of clouds that count from an origin, which TF knows from now on."""
        world = self._world_frame()
        if origin.is_zero:
            return world
        # Once for each: the topic is latched, so who comes later is told as well.
        if self._told != (world, origin):
            self._told = world, origin
            self._tell(origin, world)
        return self.name

    def points_in_world(self, points: np.ndarray, frame_id: str, origin: MapOrigin) -> np.ndarray:
        """Return points of a cloud in the world, in double precision if they come from here."""
        return origin.points_in_world(points) if frame_id == self.name else points

    def _tell(self, origin: MapOrigin, world: str) -> None:
        logger = self._node.get_logger()
        place = f"{self.name!r} at {list(origin.offset_m)} m of {world!r}"
        logger.info(f"clouds, which hold single precision only, are in the frame {place}")
        if self._publisher is None or self._message_type is None:
            logger.warning(f"tf2_msgs is not installed: nobody is told of the frame {place}")
            return
        stamp = self._node.get_clock().now().to_msg()
        transform = origin_transform(origin, world, self.name, stamp)
        self._publisher.publish(self._message_type(transforms=[transform]))


def origin_transform(
    origin: MapOrigin, world_frame: str, name: str, stamp: Any
) -> TransformStamped:
    """Make the static transform from the world to the frame of an origin, in double precision."""
    message = TransformStamped(child_frame_id=name)
    message.header.frame_id, message.header.stamp = world_frame, stamp
    place = message.transform.translation
    place.x, place.y, place.z = origin.x_m, origin.y_m, origin.z_m
    message.transform.rotation.w = 1.0
    return message
